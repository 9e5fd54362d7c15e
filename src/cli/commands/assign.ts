import {once} from 'node:events';
import {StringDecoder} from 'node:string_decoder';
import {assign, assignVariant, type AssignableVersion} from '../../assign/assign.ts';
import {deriveChain, parseWeights} from '../../assign/weights.ts';
import {AssayError, messageOf} from '../../core/errors.ts';
import {parseSdkConfig} from '../../assign/sdk-config.ts';
import {type Command, EXIT, type Invocation, textOption} from '../command.ts';

/** The variant of a unit; '' when nobody owns its slot. */
type Decide = (unitId: string) => string;

export const assignCommand: Command = {
  name: 'assign',
  arguments: '[units...]',
  summary: 'the variant of each unit (arguments, or one a line on stdin), one a line',
  options: [
    {flags: '--salt <salt>', describe: 'with --weights: what units are hashed with'},
    {flags: '--weights <list>', describe: 'variants and weights: a=60,b=30,c=10'},
    {flags: '--from <list>', describe: 'the weights before; as few units as possible move. Repeat it for a longer history, oldest first', isMany: true},
    {flags: '--experiment <name>', describe: 'use the stored slot table of an experiment instead, as a service would'},
    {flags: '--attribute <name=value>', describe: 'with --experiment: an attribute of every unit, for targeting', isMany: true},
  ],
  needs: 'nothing',
  asks: true,
  run: async invocation => {
    const {args, options, io} = invocation;
    const decide = await decision(invocation);
    const line = options['json'] === true ? jsonLine(decide) : (unit: string): string => `${decide(unit)}\n`;
    if (args.length > 0) io.out(args.map(line).join(''));
    else for await (const units of linesOf(process.stdin)) await write(units.map(line).join(''), invocation);
    return EXIT.done;
  },
};

async function decision({options, ask}: Invocation): Promise<Decide> {
  const [salt, weights, experiment] = ['salt', 'weights', 'experiment'].map(name => textOption(options, name));
  if (experiment !== undefined) {
    if (salt !== undefined || weights !== undefined) throw new AssayError('ASSAY_USAGE', 'give --experiment, or --salt and --weights, not both');
    const stored = await storedVersion(await ask(['experiments', 'table', experiment, '--json']), experiment);
    const attributes = attributesOf(options['attribute']);
    return unitId => assign(stored, {unitId, attributes}).variant;
  }
  if (salt === undefined || weights === undefined) {
    throw new AssayError('ASSAY_USAGE', 'assign needs --salt and --weights, like --salt answer-model --weights a=60,b=30,c=10, or --experiment NAME');
  }
  const {slots, variants} = deriveChain([...listOf(options['from']), weights].map(parseWeights));
  return unitId => assignVariant({salt, unitId, slots, variants}) ?? '';
}

function storedVersion(answer: string, experiment: string): AssignableVersion {
  const version = parseSdkConfig(JSON.parse(answer)).experiments.get(experiment);
  if (version === undefined) throw new AssayError('ASSAY_NOT_FOUND', `there is no experiment ${experiment}`);
  return version;
}

function attributesOf(given: unknown): Record<string, string> {
  return Object.fromEntries(
    listOf(given).map(text => {
      const at = text.indexOf('=');
      if (at < 1) throw new AssayError('ASSAY_USAGE', `--attribute ${JSON.stringify(text)} is not NAME=VALUE`);
      return [text.slice(0, at), text.slice(at + 1)];
    }),
  );
}

const listOf = (given: unknown): string[] => (Array.isArray(given) ? given.map(String) : []);

const jsonLine = (decide: Decide) => (unit: string): string => `${JSON.stringify({unit_id: unit, variant: decide(unit)})}\n`;

/** The lines of a stream, as many at once as a chunk held; blank ones are passed over. */
async function* linesOf(input: AsyncIterable<Buffer | string>): AsyncIterable<string[]> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  try {
    for await (const chunk of input) {
      const lines = (rest + (typeof chunk === 'string' ? chunk : decoder.write(chunk))).split('\n');
      rest = lines.pop() ?? '';
      yield lines.flatMap(unitOf);
    }
  } catch (error) {
    throw new AssayError('ASSAY_INPUT_UNREADABLE', `stdin cannot be read (${messageOf(error)})`, {cause: error});
  }
  yield unitOf(rest + decoder.end());
}

function unitOf(line: string): string[] {
  const unit = line.endsWith('\r') ? line.slice(0, -1) : line;
  return unit === '' ? [] : [unit];
}

/** Waits when the reader of our output is slower than we are, so memory stays bounded. */
async function write(text: string, {io}: Invocation): Promise<void> {
  if (text === '') return;
  io.out(text);
  if (process.stdout.writableNeedDrain) await once(process.stdout, 'drain');
}
