import {z} from 'zod';
import {LIVE_STREAM} from '../../core/streams.ts';
import {loadQuery} from '../../warehouse/clickhouse/query-file.ts';
import type {Backend} from '../backend.ts';
import {below, json, pageOf, paging, placeOf, type Route, route, wholeNumber} from '../route.ts';

const stream = z.string().max(200).optional().describe('Default: live, or the only stream there is.');
const STREAM = z.object({name: z.string(), kind: z.string(), topic: z.string(), lateness_ms: z.number(), slice_ms: z.number(), partitions: z.number()});
const STATE = z.object({
  stream: z.string(),
  partitions: z.array(z.object({
    partition: z.number(), log_epoch: z.number(), first_offset: z.string(), end_offset: z.string(), committed_offset: z.string(), lag_records: z.number(), progress: z.string().nullable(),
  })),
  lag_records: z.number(),
  progress: z.string().nullable(),
  closed_through: z.string().nullable(),
  revised_cut: z.string().nullable(),
  paused_seconds: z.number().nullable().describe('Of the workers in this process; null where it has none.'),
  audit: z.object({mismatch: z.number().nullable(), slices_checked: z.number(), checked_at: z.string().nullable()}).nullable().describe('Stored slices recomputed from facts; mismatch must be 0.'),
  versions: z.record(z.string(), z.string()),
});
const LEDGER_ROWS_MAX = 10_000;

export const pipelineRoutes = (backend: Backend): Route[] => [...stateRoutes(backend), ...bookRoutes(backend)];

const stateRoutes = (backend: Backend): Route[] => [
  route({
    method: 'GET',
    path: '/v1/streams',
    permission: 'read',
    tag: 'pipeline',
    summary: 'Every stream there is.',
    answers: {200: {describe: 'Live first.', schema: z.object({streams: z.array(STREAM), default: z.string().nullable()})}},
    handle: async () => {
      const streams = [...backend.registry.snapshot().streams.values()].sort((a, b) => (a.name === LIVE_STREAM ? -1 : b.name === LIVE_STREAM || a.name > b.name ? 1 : -1));
      const standing = await backend.stream().then(({name}) => name, () => null);
      return json({
        streams: streams.map(({name, kind, topic, latenessMs, sliceMs, partitions}) => ({name, kind, topic, lateness_ms: latenessMs, slice_ms: sliceMs, partitions})),
        default: standing,
      });
    },
  }),
  route({
    method: 'GET',
    path: '/v1/pipeline',
    permission: 'read',
    tag: 'pipeline',
    summary: 'Where the events of a stream are: lag and progress per partition, what is closed, paused seconds.',
    query: z.object({stream}),
    answers: {200: {describe: 'The state now.', schema: STATE}},
    handle: async ({query}) => json(await backend.pipeline(await backend.stream(query.stream))),
  }),
  route({
    method: 'GET',
    path: '/v1/throughput',
    permission: 'read',
    tag: 'pipeline',
    summary: 'Records per minute of arrival.',
    query: z.object({stream, minutes: wholeNumber(1, 1_440).default(60)}),
    answers: {200: {describe: 'Newest minute first.', schema: z.object({minutes: z.array(z.object({minute_ms: z.number(), records: z.number(), dead_letters: z.number()}))})}},
    handle: async ({query}) => {
      const {name} = await backend.stream(query.stream);
      return json({minutes: await backend.warehouse.query(loadQuery('arrivals-per-minute'), {parameters: {stream: name, minutes: query.minutes}, rowsMax: 2_000})});
    },
  }),
];

const bookRoutes = (backend: Backend): Route[] => [
  route({
    method: 'GET',
    path: '/v1/ledger',
    permission: 'read',
    tag: 'pipeline',
    summary: 'The books per partition: appended = accepted + duplicate + dead-lettered + forgotten.',
    query: z.object({stream}),
    answers: {200: {describe: 'mismatch is 0 when they balance.', schema: z.object({partitions: z.array(z.looseObject({partition: z.number(), mismatch: z.number()})), mismatch: z.number()})}},
    handle: async ({query}) => {
      const {name} = await backend.stream(query.stream);
      const rows = await backend.warehouse.query('SELECT * FROM v_ledger_all WHERE stream = {stream:String} ORDER BY log_epoch, partition', {parameters: {stream: name}, rowsMax: LEDGER_ROWS_MAX});
      const partitions = rows.map(row => Object.fromEntries(Object.entries(row).filter(([key]) => key !== 'stream').map(([key, value]) => [key, Number(value)])));
      return json({partitions, mismatch: partitions.reduce((sum, row) => sum + (row['mismatch'] ?? 0), 0)});
    },
  }),
  route({
    method: 'GET',
    path: '/v1/dead-letters',
    permission: 'read',
    tag: 'pipeline',
    summary: 'Records that could not be processed, kept with their reason.',
    query: z.object({stream, code: z.string().max(100).optional(), ...paging(1_000, 100)}),
    answers: {200: {describe: 'Without the raw bytes; `assay dead-letters` shows them.', schema: z.object({dead_letters: z.array(z.looseObject({code: z.string(), message: z.string()})), next_cursor: z.string().nullable()})}},
    handle: async ({query}) => {
      const {name} = await backend.stream(query.stream);
      const {limit, code = null} = query;
      const place = placeOf(query.cursor);
      const found = await backend.warehouse.deadLetters({stream: name, code, limit: limit + 1, ...below(place)});
      const {page, next_cursor} = pageOf(found, {limit, place, timeOf: ({arrival_ts: at}) => at});
      return json({dead_letters: page.map(({value, ...row}) => ({...row, bytes: value.length})), next_cursor});
    },
  }),
];
