import type {Stream} from '../core/streams.ts';
import {AssayError} from '../core/errors.ts';
import {buildReport} from '../report/build-report.ts';
import {renderHtml} from '../report/render-html.ts';
import {renderJson} from '../report/render-json.ts';
import {renderMarkdown} from '../report/render-markdown.ts';
import {renderPng} from '../report/render-png.ts';
import type {Report} from '../report/report.ts';
import {ENGLISH, type Texts} from '../report/texts.ts';
import type {Platform} from './platform.ts';

export const TEXT_FORMATS = ['html', 'markdown', 'json'] as const;
export type TextFormat = (typeof TEXT_FORMATS)[number];
/** `png` is the main chart, for a chat. */
export const REPORT_FORMATS = [...TEXT_FORMATS, 'png'] as const;
export type ReportFormat = (typeof REPORT_FORMATS)[number];
export {renderPng};

type Asked = {readonly stream: string; readonly experiment: string | null; readonly texts?: Texts};

/** The report of the newest stored verdicts; null when there is none yet. */
export async function currentReport(
  {warehouse, clock, config}: Pick<Platform, 'warehouse' | 'clock' | 'config'>,
  {stream, experiment, texts = ENGLISH}: Asked,
): Promise<Report | null> {
  const verdicts = await warehouse.latestVerdicts(stream, experiment);
  if (verdicts.length === 0) return null;
  return buildReport(verdicts, {kind: 'on_demand', generatedAt: clock.now(), publicUrl: config.text('reports.public_url'), texts});
}

export function renderReport(report: Report, format: TextFormat, texts: Texts = ENGLISH): string {
  if (format === 'json') return renderJson(report);
  return format === 'markdown' ? renderMarkdown(report, texts) : renderHtml(report, texts);
}

/** @throws AssayError ASSAY_NOT_FOUND when nothing was analysed yet. */
export async function requireReport(platform: Platform, of: {readonly stream: Stream; readonly experiment: string | null; readonly texts?: Texts}): Promise<Report> {
  const report = await currentReport(platform, {...of, stream: of.stream.name});
  if (report !== null) return report;
  const what = of.experiment === null ? `stream ${of.stream.name}` : `experiment ${of.experiment} in stream ${of.stream.name}`;
  throw new AssayError('ASSAY_NOT_FOUND', `there is no verdict of ${what} yet; run \`assay analyze EXPERIMENT\` first`);
}
