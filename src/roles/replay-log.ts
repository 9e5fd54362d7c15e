import {AssayError} from '../core/errors.ts';
import type {Stream} from '../core/streams.ts';
import type {Verdict} from '../core/verdict.ts';
import {openMemoryWarehouse} from '../warehouse/memory/memory-warehouse.ts';
import type {AnalysisStore, Warehouse} from '../warehouse/warehouse.ts';
import {decodeBatch} from '../worker/decode-batch.ts';
import {Forgotten} from '../worker/forgotten.ts';
import {startCursor} from '../worker/partition-cursor.ts';
import {PendingRows} from '../worker/pending-rows.ts';
import {openRecordHasher} from '../worker/record-hasher.ts';
import type {Platform} from './platform.ts';

/** Facts of a replay lie in memory, about 1 kB each; beyond it the facts in the warehouse must do. */
export const REPLAY_RECORDS_MAX = 2_000_000;

type Span = Verdict['offsets'][number];

/**
 * The analysis port over nothing but the records that a verdict covers: each is read from
 * the log again, decoded as a worker does, and counted by the loops of the memory adapter,
 * which share no SQL with what made the verdict. Only the text of the SQL comes from the warehouse.
 * @throws AssayError ASSAY_NOT_FOUND when the log no longer holds the offsets, ASSAY_CONFIG_INVALID beyond {@link REPLAY_RECORDS_MAX}.
 */
export async function analysisFromLog(platform: Platform, {stream, offsets}: {readonly stream: Stream; readonly offsets: readonly Span[]}): Promise<AnalysisStore> {
  const {closing, warehouse} = platform;
  await requireSpans(platform, {stream, offsets});
  const memory = openMemoryWarehouse();
  await memory.mirrorStream(stream);
  await memory.mirrorVersions(closing.versions(stream.name));
  for (const span of offsets) await loadSpan(platform, {stream, span, memory});
  return {...memory, explainSql: (...asked) => warehouse.explainSql(...asked)};
}

async function requireSpans({log}: Platform, {stream, offsets}: {readonly stream: Stream; readonly offsets: readonly Span[]}): Promise<void> {
  const records = offsets.reduce((sum, {from, to}) => sum + Number(BigInt(to) - BigInt(from)), 0);
  if (records > REPLAY_RECORDS_MAX) {
    throw new AssayError('ASSAY_CONFIG_INVALID', `the verdict covers ${records} records of the log, at most ${REPLAY_RECORDS_MAX} are read again; replay it from facts, without --from-log`);
  }
  const info = await log.describeTopic(stream.topic);
  const held = info === undefined ? [] : await log.offsets(stream.topic);
  for (const {log_epoch, partition, from, to} of offsets) {
    const own = held.find(known => known.partition === partition);
    const isHeld = own !== undefined && own.start <= BigInt(from) && own.end >= BigInt(to);
    if (isHeld && info?.logEpoch === log_epoch) continue;
    const has = own === undefined ? 'nothing' : `epoch ${info?.logEpoch}, offsets ${own.start} to ${own.end}`;
    throw new AssayError('ASSAY_NOT_FOUND', `the log has ${has} of ${stream.topic}/${partition}, the verdict covers epoch ${log_epoch}, offsets ${from} to ${to}; replay it from facts, without --from-log`);
  }
}

type Loading = {readonly stream: Stream; readonly span: Span; readonly memory: Warehouse};

async function loadSpan(platform: Platform, {stream, span, memory}: Loading): Promise<void> {
  const {log, warehouse, clock} = platform;
  const codec = await platform.codecOf(stream.topic);
  const hasher = await openRecordHasher();
  const forgotten = new Forgotten({stream: stream.name, warehouse, hasher, codec});
  await forgotten.refresh(clock.now(), () => undefined);
  const at = {logEpoch: span.log_epoch, partition: span.partition};
  const startOffset = BigInt(span.from);
  let cursor = startCursor({...at, startOffset}, await warehouse.arrivalHigh({stream: stream.name, ...at, belowOffset: startOffset}));
  for await (const records of log.read({topic: stream.topic, partition: span.partition, fromOffset: startOffset, toOffset: BigInt(span.to)})) {
    await codec.prepare?.(records.map(({value}) => value));
    const rows = new PendingRows(at, {codec, hasher});
    ({cursor} = decodeBatch(cursor, records, {codec, hasher, maxAgeMs: stream.maxAgeMs, rows}));
    const {exposures, outcomes, deadLetters, arrivals} = rows;
    await memory.insertFacts(forgotten.withoutForgotten({stream: stream.name, exposures, outcomes, deadLetters, arrivals}));
  }
}
