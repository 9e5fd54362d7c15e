import {writeFileSync} from 'node:fs';
import {resolve} from 'node:path';
import {AssayError} from '../../core/errors.ts';
import {REPORT_FORMATS, type ReportFormat, renderReport, requireReport} from '../../roles/reports.ts';
import {defaultStream} from '../../roles/streams.ts';
import {type Command, EXIT, textOption} from '../command.ts';

export const reportCommand: Command = {
  name: 'report',
  arguments: '[experiment]',
  summary: 'render the newest stored verdicts (never recomputes)',
  options: [
    {flags: '--format <format>', describe: `${REPORT_FORMATS.join(', ')} (default markdown)`},
    {flags: '--out <file>', describe: 'write there instead of to stdout'},
  ],
  needs: 'platform',
  run: async invocation => {
    const {args, options, io} = invocation;
    const format = (textOption(options, 'format') ?? (options['json'] === true ? 'json' : 'markdown')) as ReportFormat;
    if (!REPORT_FORMATS.includes(format)) throw new AssayError('ASSAY_USAGE', `--format must be one of ${REPORT_FORMATS.join(', ')}, got ${JSON.stringify(format)}`);
    const platform = await invocation.platform();
    const stream = await defaultStream(platform, textOption(options, 'stream'));
    const text = renderReport(await requireReport(platform, {stream, experiment: args[0] ?? null}), format);
    const file = textOption(options, 'out');
    if (file === undefined) io.out(text.endsWith('\n') ? text : `${text}\n`);
    else {
      writeFileSync(resolve(io.cwd, file), text);
      io.err(`written to ${file}\n`);
    }
    return EXIT.done;
  },
};
