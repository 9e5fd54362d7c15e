import {writeFileSync} from 'node:fs';
import {resolve} from 'node:path';
import {LANGUAGES, type Language} from '../../config/webhooks.ts';
import {AssayError} from '../../core/errors.ts';
import {textsOf} from '../../report/languages.ts';
import {REPORT_FORMATS, type ReportFormat, renderPng, renderReport, requireReport} from '../../roles/reports.ts';
import {defaultStream} from '../../roles/streams.ts';
import {type Command, EXIT, textOption} from '../command.ts';

export const reportCommand: Command = {
  name: 'report',
  arguments: '[experiment]',
  summary: 'render the newest stored verdicts (never recomputes)',
  options: [
    {flags: '--format <format>', describe: `${REPORT_FORMATS.join(', ')} (default markdown); png is the main chart, for a chat`},
    {flags: '--language <language>', describe: `of its texts: ${LANGUAGES.join(', ')} (default en)`},
    {flags: '--out <file>', describe: 'write there instead of to stdout; png needs it'},
  ],
  needs: 'platform',
  run: async invocation => {
    const {args, options, io} = invocation;
    const format = (textOption(options, 'format') ?? (options['json'] === true ? 'json' : 'markdown')) as ReportFormat;
    if (!REPORT_FORMATS.includes(format)) throw new AssayError('ASSAY_USAGE', `--format must be one of ${REPORT_FORMATS.join(', ')}, got ${JSON.stringify(format)}`);
    const language = (textOption(options, 'language') ?? 'en') as Language;
    if (!LANGUAGES.includes(language)) throw new AssayError('ASSAY_USAGE', `--language must be one of ${LANGUAGES.join(', ')}, got ${JSON.stringify(language)}`);
    const file = textOption(options, 'out');
    if (format === 'png' && file === undefined) throw new AssayError('ASSAY_USAGE', '--format png writes a picture: name its file with --out');
    const texts = textsOf(language);
    const platform = await invocation.platform();
    const stream = await defaultStream(platform, textOption(options, 'stream'), args[0]);
    const report = await requireReport(platform, {stream, experiment: args[0] ?? null, texts});
    const rendered = format === 'png' ? await renderPng(report, texts) : renderReport(report, format, texts);
    if (file !== undefined) {
      writeFileSync(resolve(io.cwd, file), rendered);
      io.err(`written to ${file}\n`);
    } else if (typeof rendered === 'string') io.out(rendered.endsWith('\n') ? rendered : `${rendered}\n`);
    return EXIT.done;
  },
};
