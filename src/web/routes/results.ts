import {z} from 'zod';
import type {Stream} from '../../core/streams.ts';
import {type EpochMs, epochMs} from '../../core/units.ts';
import type {Verdict} from '../../core/verdict.ts';
import {loadQuery} from '../../warehouse/clickhouse/query-file.ts';
import type {ReadStore, WindowRow} from '../../warehouse/warehouse.ts';
import type {Backend} from '../backend.ts';
import {ProblemError} from '../problem.ts';
import {fromCursor, json, paging, type Route, route, toCursor, wholeNumber} from '../route.ts';

const VERDICT = z.looseObject({verdict_id: z.string(), experiment: z.string(), metric: z.string(), variant: z.string(), decision: z.string()});
const WINDOW = z.object({
  experiment: z.string(), phase: z.number(), variant: z.string(), metric: z.string(), window_start: z.string(), window_end: z.string(), n: z.number(), estimated_n: z.number(), sum: z.number(), mean: z.number(),
  sd: z.number().nullable(), min: z.number(), max: z.number(), p50: z.number(), p95: z.number(), p99: z.number(), status: z.enum(['provisional', 'closed']), revision: z.number(),
});
const POINT = z.object({
  analysed_ms: z.number(), data_to: z.string(), phase: z.number(), config_version: z.number(), decision: z.string(), n_control: z.number(), n_variant: z.number(),
  effect: z.number().nullable(), ci_low: z.number().nullable(), ci_high: z.number().nullable(), cs_low: z.number().nullable(), cs_high: z.number().nullable(),
});
const stream = z.string().max(200).optional().describe('Default: live, or the only stream there is.');
const experiment = z.string().min(1, 'name the experiment').max(200);

/** Windows of one request: more would keep the engine busy for others. */
const WINDOWS_MAX = 2_000;
const TREND_POINTS_MAX = 1_000;

export const resultRoutes = (backend: Backend): Route[] => [...verdictRoutes(backend), windowRoute(backend)];

function verdictRoutes({warehouse, stream: streamOf}: Backend): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/verdicts',
      permission: 'read',
      tag: 'results',
      summary: 'The newest verdict of every metric and treatment, by experiment.',
      query: z.object({stream, experiment: experiment.optional(), ...paging(1_000, 500)}),
      answers: {200: {describe: 'A page of verdict rows: complete evidence.', schema: z.object({verdicts: z.array(VERDICT), next_cursor: z.string().nullable()})}},
      handle: async ({query}) => {
        const {name} = await streamOf(query.stream, query.experiment);
        const after = fromCursor(query.cursor, z.tuple([z.string(), z.string(), z.string()]));
        const rows = await warehouse.latestVerdicts(name, query.experiment ?? null);
        const rest = rows.map(row => ({row, key: keyOf(row)})).filter(({key}) => after === null || key > JSON.stringify(after)).sort((a, b) => (a.key < b.key ? -1 : 1));
        const page = rest.slice(0, query.limit);
        return json({verdicts: page.map(({row}) => row), next_cursor: rest.length > page.length ? toCursor(JSON.parse(page.at(-1)?.key ?? '[]')) : null});
      },
    }),
    route({
      method: 'GET',
      path: '/v1/verdicts/:verdict',
      permission: 'read',
      tag: 'results',
      summary: 'One verdict row, whenever it was written.',
      answers: {200: {describe: 'The row.', schema: VERDICT}, 404: {describe: 'There is none.'}},
      handle: async ({params}) => {
        const verdict = await warehouse.verdict(params['verdict'] ?? '');
        if (verdict === null) throw new ProblemError({status: 404, title: 'Not found', detail: `there is no verdict ${params['verdict']}`});
        return json(verdict);
      },
    }),
    route({
      method: 'GET',
      path: '/v1/trend',
      permission: 'read',
      tag: 'results',
      summary: 'How one effect and its confidence sequence went from analysis to analysis.',
      query: z.object({stream, experiment, metric: z.string().min(1, 'name the metric'), variant: z.string().min(1, 'name the variant'), points: wholeNumber(2, TREND_POINTS_MAX).default(500)}),
      answers: {200: {describe: 'Oldest first; thinned evenly to `points`.', schema: z.object({points: z.array(POINT)})}},
      handle: async ({query}) => {
        const {name} = await streamOf(query.stream, query.experiment);
        const {experiment, metric, variant, points} = query;
        const rows = await warehouse.query(loadQuery('verdict-trend'), {parameters: {stream: name, experiment, metric, variant, points}, rowsMax: TREND_POINTS_MAX + 1});
        return json({points: rows});
      },
    }),
  ];
}

const keyOf = ({experiment, metric, variant}: Verdict): string => JSON.stringify([experiment, metric, variant]);

/** A time in a query. */
export const instant = z.string().transform((text, context) => {
  const at = /^\d+$/.test(text) ? Number(text) : Date.parse(text);
  if (Number.isFinite(at)) return epochMs(at);
  context.addIssue({code: 'custom', message: 'write an ISO 8601 time or milliseconds since 1970'});
  return z.NEVER;
});

function windowRoute({warehouse, stream: streamOf}: Backend): Route {
  return route({
    method: 'GET',
    path: '/v1/windows',
    permission: 'read',
    tag: 'results',
    summary: 'Sliding windows of one experiment, newest first: per variant and metric n, mean, spread and quantiles.',
    query: z.object({
      stream,
      experiment,
      size_s: wholeNumber(1, 31 * 86_400).default(60).describe('Length of a window; a multiple of the base slice.'),
      slide_s: wholeNumber(1, 31 * 86_400).default(10).describe('A window begins this often; a multiple of the base slice.'),
      from: instant.optional().describe('Windows that end after this. Default: an hour, at least 60 slides and as many windows as are given at once, before `to`.'),
      to: instant.optional().describe('Windows that end no later. Default: the newest there is.'),
      metric: z.string().optional(),
      variant: z.string().optional(),
      ...paging(20_000, 5_000),
    }),
    answers: {200: {describe: 'A page. `closed` windows are recomputed from facts; `provisional` ones still fill.', schema: z.object({stream: z.string(), windows: z.array(WINDOW), next_cursor: z.string().nullable()})}},
    handle: async ({query}) => {
      const of = await streamOf(query.stream, query.experiment);
      const span = await windowSpan(warehouse, of, query);
      const rows = span === null ? [] : await warehouse.windows({stream: of.name, experiment: query.experiment, sizeMs: query.size_s * 1000, slideMs: query.slide_s * 1000, ...span});
      const after = fromCursor(query.cursor, z.string());
      const keyed = rows
        .filter(row => (query.metric === undefined || row.metric === query.metric) && (query.variant === undefined || row.variant === query.variant))
        .map(row => ({row, key: windowKey(row)}))
        .sort((a, b) => (a.key < b.key ? -1 : 1))
        .filter(({key}) => after === null || key > after);
      const page = keyed.slice(0, query.limit);
      return json({stream: of.name, windows: page.map(({row}) => toWindow(row)), next_cursor: keyed.length > page.length ? toCursor(page.at(-1)?.key) : null});
    },
  });
}

type WindowQuery = {readonly experiment: string; readonly size_s: number; readonly slide_s: number; readonly from?: EpochMs | undefined; readonly to?: EpochMs | undefined};

/** @throws ProblemError when size or slide do not fit the stream, or too many windows are asked for. */
export async function windowSpan(warehouse: ReadStore, stream: Stream, query: WindowQuery): Promise<{readonly from: EpochMs; readonly to: EpochMs} | null> {
  const baseS = stream.sliceMs / 1000;
  if (query.size_s % baseS !== 0 || query.slide_s % baseS !== 0) {
    throw new ProblemError({status: 400, title: 'The query is wrong', detail: `size_s and slide_s must be multiples of the base slice, which is ${baseS} s in stream ${stream.name}`});
  }
  const newest = query.to ?? (await newestEnd(warehouse, {stream, experiment: query.experiment, sizeMs: query.size_s * 1000}));
  if (newest === null) return null;
  const slideMs = query.slide_s * 1000;
  const from = query.from ?? epochMs(newest - Math.min(WINDOWS_MAX * slideMs, Math.max(3_600_000, 60 * slideMs)));
  const windows = (newest - from) / (query.slide_s * 1000);
  if (windows > WINDOWS_MAX) {
    throw new ProblemError({status: 400, title: 'The query is wrong', detail: `from and to span ${Math.ceil(windows)} windows, at most ${WINDOWS_MAX} are given at once; ask for less or for a larger slide_s`});
  }
  return {from, to: newest};
}

/** Where the newest window ends that holds the newest slice. */
export async function newestEnd(warehouse: ReadStore, {stream, experiment, sizeMs}: {readonly stream: Stream; readonly experiment: string; readonly sizeMs: number}): Promise<EpochMs | null> {
  const [row] = await warehouse.query(loadQuery('newest-slice'), {parameters: {stream: stream.name, experiment}});
  const at = Number(row?.['newest_ms'] ?? 0);
  return at === 0 ? null : epochMs(at + Math.max(stream.sliceMs, sizeMs));
}

/** Newest first, then by name. */
const windowKey = ({window_end, phase, variant, metric}: WindowRow): string => JSON.stringify([1e15 - window_end, 1e6 - phase, metric, variant]);

export const toWindow = ({stream: _, ...row}: WindowRow): z.infer<typeof WINDOW> => ({
  ...row,
  window_start: new Date(row.window_start).toISOString(),
  window_end: new Date(row.window_end).toISOString(),
});
