/** Unit ids stored as keyed hashes: attribution is what it is without them, and forgetting works by them. */
import {describe, expect, test} from 'vitest';
import {decodeRecord} from '../../src/avro/released.ts';
import {Closer} from '../../src/closing/closer.ts';
import {loadConfig} from '../../src/config/load.ts';
import {seededRng} from '../../src/core/rng.ts';
import {DEAD_LETTERS_TOPIC, LIVE_TOPIC} from '../../src/core/streams.ts';
import {NO_METRICS, SILENT_LOGGER} from '../../src/core/telemetry.ts';
import {epochMs} from '../../src/core/units.ts';
import {topicCodecs} from '../../src/roles/codecs.ts';
import {unitIdHasher, withUnitId} from '../../src/roles/unit-ids.ts';
import {type HistoryEntry, judge} from '../../src/simulate/faults/oracle.ts';
import {simConfig, simVersions} from '../../src/simulate/faults/sim-experiments.ts';
import type {EventCodec} from '../../src/worker/event-codec.ts';
import {runWorker} from '../../src/worker/worker.ts';
import {exposure, GROUP, openWorld, outcome, outcomesIn, send, STREAM, T0, type World} from './worker-world.ts';

const CONFIG = loadConfig({env: {ASSAY_PRIVACY_HASH_UNIT_IDS: 'true', ASSAY_PRIVACY_HASH_KEY: 'a key of this test'}});
const hashOf = unitIdHasher(CONFIG);
const UNITS = 40;

/** One life of a worker with this codec while `body` runs. */
async function withWorker(world: World, codec: EventCodec, body: () => Promise<void>): Promise<void> {
  const stop = new AbortController();
  const ended = runWorker({...world.options(stop.signal), codec});
  await body();
  stop.abort();
  expect(await ended).toEqual({reason: 'stopped'});
}

/** Exposures and outcomes in any order, crossovers and repeats among them. */
async function sendHistory({log, clock}: World, seed: number): Promise<void> {
  const rng = seededRng(seed);
  for (let round = 0; round < 12; round++) {
    const events = Array.from({length: 30}, () => {
      const unitId = `unit-${Math.floor(rng.next() * UNITS)}`;
      const at = epochMs(clock.now() - Math.floor(rng.next() * 4_000));
      const variant = rng.next() < 0.05 || unitId.length % 2 === 0 ? 'c' : 't';
      return rng.next() < 0.3 ? exposure(unitId, at, {variant}) : outcome(unitId, at, {measures: {score: Math.floor(rng.next() * 1_000) / 8, cost: 1}, attributes: {region: 'eu'}});
    });
    await send(log, ...events, ...events.slice(0, 3));
    await clock.sleep(700);
  }
}

async function historyIn({log}: World): Promise<HistoryEntry[]> {
  const entries: HistoryEntry[] = [];
  for (const {partition, start, end} of await log.offsets(LIVE_TOPIC)) {
    for await (const records of log.read({topic: LIVE_TOPIC, partition, fromOffset: start, toOffset: end})) {
      for (const {offset, timestamp, value} of records) {
        const decoded = decodeRecord(value);
        entries.push({partition, offset, appendTs: timestamp, what: !decoded.ok ? 'rubbish' : decoded.event.kind === 'tick' ? 'tick' : decoded.event});
      }
    }
  }
  return entries;
}

/** Closes everything and compares with the oracle, which reads the ids as they were sent. @returns what is stored, and what must be */
async function slicesOf(codec: EventCodec, seed: number): Promise<{readonly stored: readonly string[]; readonly right: readonly string[]; readonly units: readonly string[]}> {
  const world = await openWorld();
  const {log, warehouse, clock, views} = world;
  const config = simConfig(STREAM, simVersions(T0, null), () => clock.now());
  const closer = new Closer({log, warehouse, config, clock, logger: SILENT_LOGGER, metrics: NO_METRICS});
  return world.run(async () => {
    await withWorker(world, codec, async () => {
      await sendHistory(world, seed);
      await clock.sleep(10_000);
      await closer.closeAll(STREAM);
    });
    const rows = (await Promise.all(views.map(({experiment}) => warehouse.closedSlices('live', experiment)))).flat().filter(({n}) => n > 0);
    const {slices} = judge({history: await historyIn(world), views, sliceMs: STREAM.sliceMs, latenessMs: STREAM.latenessMs, maxAgeMs: Number(STREAM.maxAgeMs)});
    return {
      stored: rows.map(row => `${row.experiment}/${row.sliceStart}/${row.phase}/${row.variant}/${row.metric}/${row.dimension}/${row.dimensionValue} ${row.n} ${row.sumQ} ${row.sumSquaresQ} ${row.min} ${row.max}`).sort(),
      right: [...slices].map(([key, {n, sum, squares, min, max}]) => `${key} ${n} ${sum} ${squares} ${min} ${max}`).sort(),
      units: [...new Set(await outcomesIn(warehouse))],
    };
  });
}

describe('privacy.hash_unit_ids', () => {
  const seed = Date.now() % 1_000_000;

  test(`every slice is exact and no id is stored as it came (seed ${seed})`, {timeout: 60_000}, async () => {
    const {stored, right, units} = await slicesOf(await topicCodecs(CONFIG)(LIVE_TOPIC), seed);
    expect(right.length).toBeGreaterThan(20);
    expect(stored).toEqual(right);
    expect(units.length).toBeGreaterThan(UNITS / 2);
    for (const unit of units) expect(unit).toMatch(/^[0-9a-f]{32}$/);
  });

  test(`the comparison notices a hash that makes two units one (seed ${seed})`, {timeout: 60_000}, async () => {
    const codec = await topicCodecs(CONFIG)(LIVE_TOPIC);
    const {stored, right} = await slicesOf({...codec, decode: bytes => withUnitId(codec.decode(bytes), hash => hash.slice(0, 1))}, seed);
    expect(stored).not.toEqual(right);
  });

  test('a replay stores no dead letter of a forgotten unit again: neither one told by its key, nor one told by its content', async () => {
    const world = await openWorld();
    const {log, warehouse, clock} = world;
    const codec = await topicCodecs(CONFIG)(LIVE_TOPIC);
    const future = epochMs(T0 + 600_000);
    const letters = async (): Promise<string[]> => (await warehouse.deadLetters({stream: 'live', code: null, limit: 20})).map(({key, code}) => `${key} ${code}`).sort();
    await world.run(async () => {
      await withWorker(world, codec, async () => {
        await send(log, outcome('gone', T0), outcome('stays', T0), outcome('gone', future), outcome('stays', future), Uint8Array.of(1, 2, 3));
        await log.append(LIVE_TOPIC, [{key: 'gone', value: Uint8Array.of(4, 5)}]);
        await clock.sleep(3_000);
      });
      expect(await letters()).toEqual(['gone from_future', 'gone undecodable', 'rubbish undecodable', 'stays from_future']);
      const tombstone = await warehouse.writeTombstone({stream: 'live', unitId: hashOf('gone'), reason: ''});
      await warehouse.eraseUnit({stream: 'live', unitId: hashOf('gone'), logKey: 'gone', forgottenTs: tombstone?.forgottenTs ?? epochMs(0)});
      expect(await letters()).toEqual(['rubbish undecodable', 'stays from_future']);
      for (const partition of [0, 1]) await log.setCommitted({topic: LIVE_TOPIC, group: GROUP, partition, offset: 0n});
      await withWorker(world, codec, () => clock.sleep(3_000));
      expect(await letters()).toEqual(['rubbish undecodable', 'stays from_future']);
      expect(await outcomesIn(warehouse)).toEqual([hashOf('stays')]);
    });
  });

  test('a letter under a key of its own is told by the unit in it', async () => {
    const world = await openWorld();
    const {log, warehouse, clock} = world;
    const codec = await topicCodecs(CONFIG)(LIVE_TOPIC);
    const letterOf = (unitId: string): {key: string; value: Uint8Array} => ({key: `order of ${unitId}`, value: codec.encode(outcome(unitId, epochMs(T0 + 600_000)))});
    await world.run(async () => {
      await log.append(LIVE_TOPIC, [letterOf('gone'), letterOf('stays')]);
      await withWorker(world, codec, () => clock.sleep(3_000));
      await warehouse.writeTombstone({stream: 'live', unitId: hashOf('gone'), reason: ''});
      for (const partition of [0, 1]) await log.setCommitted({topic: LIVE_TOPIC, group: GROUP, partition, offset: 0n});
      await withWorker(world, codec, () => clock.sleep(3_000));
      const keys: (string | null)[] = [];
      for await (const records of log.read({topic: DEAD_LETTERS_TOPIC, partition: 0, fromOffset: 0n, toOffset: 3n})) keys.push(...records.map(({key}) => key));
      expect(keys.sort()).toEqual(['order of gone', 'order of stays', 'order of stays']);
      expect((await log.offsets(DEAD_LETTERS_TOPIC))[0]?.end).toBe(3n);
    });
  });
});
