import {createReadStream} from 'node:fs';
import {resolve} from 'node:path';
import {createInterface} from 'node:readline';
import {AssayError, messageOf} from '../../core/errors.ts';
import {evaluateItems, type EvaluationItem, parseItem} from '../../quality/evaluate-items.ts';
import {type Command, EXIT, type Invocation} from '../command.ts';
import {formatTable} from '../table.ts';

/** Items are kept in memory for the paired tests. */
const ITEMS_MAX = 100_000;
/** Wrong lines that are named; the rest is counted. */
const NAMED_MAX = 20;

export const evaluateCommand: Command = {
  name: 'evaluate',
  arguments: '[file]',
  summary: 'two candidates against a reference, item by item: NDJSON of {item, reference, candidate_a, candidate_b} from a file or stdin; BLEU, ROUGE-L, METEOR, exact match, cosine of given embeddings, with paired tests',
  needs: 'nothing',
  run: async invocation => {
    const {options, io} = invocation;
    const items = await readItems(invocation);
    const summary = evaluateItems(items);
    if (options['json'] === true) io.out(`${JSON.stringify({items: items.length, measures: summary})}\n`);
    else io.out(formatTable(summary.map(({note, ...row}) => ({...row, ...(summary.some(other => other.note !== '') ? {note} : {})}))));
    return EXIT.done;
  },
};

async function readItems({args, io}: Invocation): Promise<EvaluationItem[]> {
  const file = args[0] === '-' ? undefined : args[0];
  const items: EvaluationItem[] = [];
  const seen = new Set<string>();
  const problems: string[] = [];
  let line = 0;
  try {
    for await (const text of createInterface({input: file === undefined ? process.stdin : createReadStream(resolve(io.cwd, file)), crlfDelay: Number.POSITIVE_INFINITY})) {
      line += 1;
      if (text.trim() === '') continue;
      try {
        const item = parseItem(JSON.parse(text));
        if (seen.has(item.item)) throw new TypeError(`item ${JSON.stringify(item.item)} was there before; every item counts once`);
        seen.add(item.item);
        items.push(item);
      } catch (error) {
        problems.push(`line ${line}: ${messageOf(error)}`);
      }
      if (items.length > ITEMS_MAX) throw new AssayError('ASSAY_INPUT_UNREADABLE', `more than ${ITEMS_MAX} items; evaluate them in parts`);
    }
  } catch (error) {
    if (error instanceof AssayError) throw error;
    throw new AssayError('ASSAY_INPUT_UNREADABLE', `${file ?? 'stdin'} cannot be read (${messageOf(error)})`, {cause: error});
  }
  if (problems.length > 0) {
    const more = problems.length > NAMED_MAX ? `; and ${problems.length - NAMED_MAX} more` : '';
    throw new AssayError('ASSAY_INPUT_UNREADABLE', `${problems.slice(0, NAMED_MAX).join('; ')}${more}`);
  }
  if (items.length === 0) throw new AssayError('ASSAY_INPUT_UNREADABLE', 'there is no item; give NDJSON lines like {"item":"1","reference":"…","candidate_a":"…","candidate_b":"…"}');
  return items;
}
