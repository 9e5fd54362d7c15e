import {LRUCache} from 'lru-cache';
import {z} from 'zod';
import type {Language} from '../../config/webhooks.ts';
import {unreachable} from '../../core/assert.ts';
import {epochMs} from '../../core/units.ts';
import type {Verdict} from '../../core/verdict.ts';
import {isChartSignature} from '../../notify/chart-link.ts';
import {buildReport} from '../../report/build-report.ts';
import {textsOf} from '../../report/languages.ts';
import {renderHtml} from '../../report/render-html.ts';
import {renderJson} from '../../report/render-json.ts';
import {renderMarkdown} from '../../report/render-markdown.ts';
import {renderPng} from '../../report/render-png.ts';
import type {Report} from '../../report/report.ts';
import {loadQuery} from '../../warehouse/clickhouse/query-file.ts';
import type {Backend} from '../backend.ts';
import {ProblemError} from '../problem.ts';
import {type Answer, type Route, route} from '../route.ts';
import {REPORT_PAGE_POLICY} from '../security-headers.ts';

const stream = z.string().max(200).optional().describe('Default: live, or the only stream there is.');
const language = z.enum(['en', 'zh']).default('en');

const FORMATS = ['json', 'html', 'markdown', 'png'] as const;
type Format = (typeof FORMATS)[number];
const FORMAT_BY_ENDING: Readonly<Record<string, Format>> = {json: 'json', html: 'html', md: 'markdown', png: 'png'};
const TYPE_BY_FORMAT = {json: 'application/json', html: 'text/html; charset=utf-8', markdown: 'text/markdown; charset=utf-8', png: 'image/png'} as const;
const REPORT_TYPES = Object.values(TYPE_BY_FORMAT).map(type => type.split(';')[0] ?? type);

/** Rows of one analysis: treatments × metrics. */
const ROWS_MAX = 500;
/** Drawing takes half a second of the process, and a chat shows one picture to many people; each has some 50 KB. */
const PICTURES_KEPT = 100;
/** A stored analysis never changes. */
const CACHED = {'cache-control': 'private, max-age=86400, immutable'};

export function reportRoutes(backend: Backend): Route[] {
  const {warehouse, clock, publicUrl, chartSecret = '', stream: streamOf} = backend;
  const pictures = new LRUCache<string, Buffer>({max: PICTURES_KEPT});
  return [
    route({
      method: 'GET',
      path: '/v1/report',
      permission: 'read',
      tag: 'results',
      summary: 'The report of the newest verdicts, as channels get it: JSON, Markdown, a self-contained page, or its main chart.',
      query: z.object({stream, experiment: z.string().min(1, 'name the experiment').max(200).optional(), format: z.enum(FORMATS).default('json'), language}),
      answers: {200: {describe: 'The report.', type: REPORT_TYPES}, 404: {describe: 'Nothing was analysed yet.'}},
      handle: async ({query: {stream: named, experiment = null, format, language: chosen}}) => {
        const verdicts = await warehouse.latestVerdicts((await streamOf(named, experiment ?? undefined)).name, experiment);
        if (verdicts.length === 0) throw new ProblemError({status: 404, title: 'No verdict yet', detail: 'verdicts appear once an experiment has data'});
        return rendered(buildReport(verdicts, {kind: 'on_demand', generatedAt: clock.now(), publicUrl, texts: textsOf(chosen)}), format, chosen);
      },
    }),
    route({
      method: 'GET',
      path: '/v1/reports/:file',
      permission: 'read',
      tag: 'results',
      summary: 'The report of the analysis that a verdict belongs to, whenever it was written: VERDICT.html, .md, .json or .png.',
      query: z.object({language}),
      answers: {200: {describe: 'The report.', type: REPORT_TYPES}, 404: {describe: 'There is no such verdict.'}},
      handle: async ({params, query}) => {
        const {id, format} = fileOf(params['file'] ?? '');
        const answer = await rendered(await reportOf(backend, id, query.language), format, query.language);
        return {...answer, headers: {...answer.headers, ...CACHED}};
      },
    }),
    route({
      method: 'GET',
      path: '/v1/charts/:file',
      permission: 'public',
      tag: 'results',
      summary: 'VERDICT.png, the main chart of its analysis, for whoever holds its signed address: chat services fetch it without a key.',
      query: z.object({language, signature: z.string().max(100).default('')}),
      answers: {200: {describe: 'A picture.', type: 'image/png'}, 404: {describe: 'There is no such chart, or the signature is not its own.'}},
      handle: async ({params, query}) => {
        const {id, format} = fileOf(params['file'] ?? '');
        // The same answer for both: the address alone tells nobody which verdicts there are.
        if (format !== 'png' || !isChartSignature(query.signature, {secret: chartSecret, verdictId: id})) throw missing(id);
        const key = `${query.language} ${id}`;
        const body = pictures.get(key) ?? Buffer.from(await renderPng(await reportOf(backend, id, query.language), textsOf(query.language)));
        pictures.set(key, body);
        return {body, type: TYPE_BY_FORMAT.png, headers: CACHED};
      },
    }),
  ];
}

const missing = (id: string): ProblemError => new ProblemError({status: 404, title: 'Not found', detail: `there is no report of ${id.slice(0, 80)}`});

function fileOf(file: string): {readonly id: string; readonly format: Format} {
  const dot = file.lastIndexOf('.');
  const format = FORMAT_BY_ENDING[file.slice(dot + 1)];
  if (dot > 0 && format !== undefined) return {id: file.slice(0, dot), format};
  throw new ProblemError({status: 404, title: 'Not found', detail: 'name a verdict with .html, .md, .json or .png'});
}

/** The rows that were written together with one, as they stand. */
async function reportOf({warehouse, publicUrl}: Backend, id: string, chosen: Language): Promise<Report> {
  const verdict = await warehouse.verdict(id);
  if (verdict === null) throw missing(id);
  const {stream: of, experiment, created_at: at} = verdict;
  const together = await warehouse.query(loadQuery('verdicts-of-analysis'), {parameters: {stream: of, experiment, created_ms: Date.parse(at)}, rowsMax: ROWS_MAX});
  const rows = together.map(({row}) => JSON.parse(String(row)) as Verdict);
  return buildReport(rows.length === 0 ? [verdict] : rows, {kind: 'on_demand', generatedAt: epochMs(Date.parse(at)), publicUrl, texts: textsOf(chosen)});
}

async function rendered(report: Report, format: Format, chosen: Language): Promise<Answer> {
  const texts = textsOf(chosen);
  const type = TYPE_BY_FORMAT[format];
  switch (format) {
    case 'json':
      return {body: renderJson(report), type};
    case 'markdown':
      return {body: renderMarkdown(report, texts), type};
    case 'html':
      return {body: renderHtml(report, texts), type, headers: {'content-security-policy': REPORT_PAGE_POLICY}};
    case 'png':
      return {body: Buffer.from(await renderPng(report, texts)), type};
    default:
      return unreachable(format);
  }
}
