import {type Command, EXIT, textOption} from '../command.ts';
import {formatTable} from '../table.ts';

export const queryCommand: Command = {
  name: 'query',
  arguments: '<sql>',
  summary: 'one read-only statement against the warehouse',
  options: [{flags: '--rows <n>', describe: 'give up beyond this many rows (default 1000000)'}],
  needs: 'platform',
  run: async invocation => {
    const {args, options, io} = invocation;
    const {warehouse} = await invocation.platform();
    const stream = textOption(options, 'stream');
    const rowsMax = Number(options['rows'] ?? 1_000_000);
    const rows = await warehouse.query(args[0] ?? '', {rowsMax, secondsMax: 60, ...(stream === undefined ? {} : {stream})});
    io.out(options['json'] === true ? `${JSON.stringify(rows)}\n` : formatTable(rows));
    return EXIT.done;
  },
};
