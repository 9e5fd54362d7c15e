import {AssayError} from '../../core/errors.ts';
import {isFixable, retryDeadLetters} from '../../worker/retry-dead-letters.ts';
import {type Command, EXIT, textOption} from '../command.ts';
import {formatTable} from '../table.ts';

const LISTED_MAX = 1_000;
const RETRIED_MAX = 100_000;

export const deadLettersCommand: Command = {
  name: 'dead-letters',
  arguments: '[action]',
  summary: '`list` records that could not be facts, or `retry` those that a second look may accept',
  options: [{flags: '--code <code>', describe: 'only this reason'}],
  needs: 'platform',
  run: async invocation => {
    const {args, options, io} = invocation;
    const action = args[0] ?? 'list';
    if (action !== 'list' && action !== 'retry') throw new AssayError('ASSAY_USAGE', `dead-letters knows list and retry, not ${JSON.stringify(action)}`);
    const {warehouse, log, registry} = await invocation.platform();
    const filter = {stream: textOption(options, 'stream') ?? null, code: textOption(options, 'code') ?? null};
    const letters = await warehouse.deadLetters({...filter, limit: action === 'list' ? LISTED_MAX : RETRIED_MAX});
    if (action === 'retry') {
      const report = await retryDeadLetters(letters, {log, streams: [...registry.snapshot().streams.values()]});
      io.out(options['json'] === true ? `${JSON.stringify({sent: report.sent, left_alone: report.leftAlone})}\n` : `${report.sent} sent again, ${report.leftAlone} left alone\n`);
      return EXIT.done;
    }
    const rows = letters.map(letter => ({
      stream: letter.stream,
      partition: letter.partition,
      offset: letter.offset,
      arrival_ts: letter.arrival_ts,
      code: letter.code,
      fixable: isFixable(letter),
      message: letter.message,
      key: letter.key,
      bytes: letter.value.byteLength,
      value_base64: Buffer.from(letter.value).toString('base64'),
    }));
    io.out(options['json'] === true ? `${JSON.stringify(rows)}\n` : formatTable(rows.map(({value_base64: _, ...row}) => row)));
    return EXIT.done;
  },
};
