import {describe, expect, test} from 'vitest';
import {analyzeExperiment} from '../../src/analyze/analyze-experiment.ts';
import {replayVerdict} from '../../src/analyze/replay.ts';
import {checkEvent} from '../../src/avro/check-event.ts';
import {decodeRecord, encodeOutcome, encodeTick, glanceAt, projectOutcome} from '../../src/avro/released.ts';
import type {Clock} from '../../src/core/clock.ts';
import {epochMs} from '../../src/core/units.ts';
import type {LogRecord} from '../../src/log/event-log.ts';
import type {Platform} from '../../src/roles/platform.ts';
import {analysisFromLog} from '../../src/roles/replay-log.ts';
import {openMemoryWarehouse} from '../../src/warehouse/memory/memory-warehouse.ts';
import {outcome, STREAM, T0} from '../worker/worker-world.ts';
import {AUDITED, makeMetric, makeView, VERSIONS} from './fixtures.ts';

const PAIRS = 30;
const CLOCK: Clock = {now: () => epochMs(T0 + 90_000), sleep: async () => undefined};
const codec = {decode: decodeRecord, check: checkEvent, glance: glanceAt, project: projectOutcome, encodeTick, encode: encodeOutcome};

function recordsOf(scoreOf: (item: number, variant: string) => number): LogRecord[] {
  return ['a', 'b'].flatMap((variant, arm) =>
    Array.from({length: PAIRS}, (_, item): LogRecord => {
      const at = epochMs(T0 + item * 100 + arm * 10);
      const event = {...outcome(`u${item}`, at), itemId: `q${item}`, variantHint: {x: variant}, measures: {score: scoreOf(item, variant)}};
      return {partition: 0, offset: BigInt(arm * PAIRS + item), timestamp: epochMs(T0 + 60_000), key: `u${item}`, value: encodeOutcome(event), headers: {}};
    }),
  );
}

/** Nothing but what a replay asks of a platform. */
function platformOver(records: readonly LogRecord[]): Platform {
  const log = {
    describeTopic: async () => ({topic: STREAM.topic, partitions: 1, clock: 'log', logEpoch: 1}),
    offsets: async () => [{partition: 0, start: records[0]?.offset ?? 0n, end: BigInt(2 * PAIRS)}],
    read: async function* ({fromOffset, toOffset}: {fromOffset: bigint; toOffset: bigint}) {
      yield records.filter(({offset}) => offset >= fromOffset && offset < toOffset);
    },
  };
  const closing = {versions: () => []};
  return {log, closing, warehouse: openMemoryWarehouse(), clock: CLOCK, codecOf: async () => codec} as unknown as Platform;
}

const SPAN = [{log_epoch: 1, partition: 0, from: '0', to: String(2 * PAIRS)}];
const scoreOf = (item: number, variant: string): number => (item % 7) / 10 + (variant === 'b' ? (item % 3) / 100 : 0);

async function storedVerdict() {
  const metric = makeMetric({key: 'score', measure: 'score'});
  const view = {...makeView({experiment: 'x', design: 'paired', metrics: [metric]}), experiment: 'x', stream: STREAM.name};
  const facts = await analysisFromLog(platformOver(recordsOf(scoreOf)), {stream: STREAM, offsets: SPAN});
  const verdicts = {latestVerdicts: async () => []};
  const rows = await analyzeExperiment({
    warehouse: {...facts, ...verdicts}, clock: CLOCK, versions: VERSIONS, stream: STREAM.name, view, cut: epochMs(T0 + 61_000), audit: AUDITED,
  });
  const stored = rows[0];
  if (stored === undefined) throw new Error('no verdict');
  const replayOver = async (records: readonly LogRecord[]) => {
    const again = await analysisFromLog(platformOver(records), {stream: STREAM, offsets: stored.offsets});
    return replayVerdict({
      warehouse: {...again, ...verdicts, verdict: async () => stored, ledger: async () => []},
      clock: CLOCK, versions: VERSIONS, verdictId: stored.verdict_id, viewOf: () => view,
    });
  };
  return {stored, replayOver};
}

describe('replay from the log', () => {
  test('the same records give the same bytes', async () => {
    const {stored, replayOver} = await storedVerdict();
    expect(stored).toMatchObject({test: 'paired-t', pairs: PAIRS, offsets: SPAN});
    expect(await replayOver(recordsOf(scoreOf))).toMatchObject({identical: true, precision: 'bytes', reason: null, differences: []});
  });

  test('one changed event is named as the events', async () => {
    const {replayOver} = await storedVerdict();
    const changed = recordsOf((item, variant) => scoreOf(item, variant) + (item === 4 && variant === 'b' ? 0.01 : 0));
    const result = await replayOver(changed);
    expect(result).toMatchObject({identical: false, reason: 'events'});
    expect(result.differences.map(({path}) => path)).toContain('mean_variant');
  });

  test('offsets that the log no longer holds are an error that says what it has', async () => {
    const {replayOver} = await storedVerdict();
    await expect(replayOver(recordsOf(scoreOf).slice(5))).rejects.toThrow(/offsets 5 to 60.*covers epoch 1, offsets 0 to 60; replay it from facts/);
  });
});
