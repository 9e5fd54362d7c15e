import {setTimeout as sleep} from 'node:timers/promises';
import {encodeOutcome} from '../../avro/released.ts';
import {assign} from '../../assign/assign.ts';
import {currentOf} from '../../experiment/state.ts';
import {workerGroup} from '../../core/streams.ts';
import {epochMs} from '../../core/units.ts';
import {type Fault, type FaultRun, startOf, tamper, type Verdict, verdictOf} from './fault.ts';
import {HistoryMaker, SPLIT, variantOf} from './history.ts';
import {type Lab, LATENESS_MS, SLICE_MS} from './lab.ts';
import {prepare, type Prepared} from './process-faults.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const PARTITIONS = 6;
const RSS_MIB_MAX = 512;

type Build = (make: HistoryMaker, at: {readonly startTs: number; readonly scale: number}) => number;

/** A fault that lies in the records alone: `build` makes them and says how many are at fault. */
function dataFault(name: string, title: string, build: Build, given: {readonly maxAgeMs?: number; readonly workers?: number} = {}): Fault {
  return {
    name,
    title,
    brokers: 1,
    run: async run => {
      const {lab, seed, isLong} = run;
      const startTs = startOf(seed);
      const make = new HistoryMaker(seed, PARTITIONS);
      make.tickAll(startTs - 1);
      const times = build(make, {startTs, scale: isLong ? 20 : 1});
      const last = make.records.reduce((max, {timestamp}) => Math.max(max, timestamp), startTs);
      make.tickAll(last + SLICE_MS + LATENESS_MS + 61_000);
      const stream = await lab.openStream(`${name}-${seed}`, {startTs, partitions: PARTITIONS, maxAgeMs: given.maxAgeMs ?? null});
      return consume(run, {stream, planned: make.records}, {times, count: given.workers ?? 2});
    },
  };
}

async function consume({lab}: FaultRun, {stream, planned}: Prepared, {times, count}: {times: number; count: number}): Promise<Verdict> {
  const workers = Array.from({length: count}, () => lab.worker(stream));
  let rss = 0;
  const watch = setInterval(() => (rss = Math.max(rss, ...workers.map(worker => worker.rssMiB()))), 100);
  await lab.produce(stream, planned);
  await lab.drained(stream);
  clearInterval(watch);
  const codes = await Promise.all(workers.map(worker => worker.stop()));
  const settled = await lab.settle(stream, planned);
  const moreErrors = codes.filter(code => code !== 0).map(code => `a worker ended with ${code}`);
  if (rss > RSS_MIB_MAX) moreErrors.push(`a worker took ${rss.toFixed(0)} MiB, the limit is ${RSS_MIB_MAX}`);
  return verdictOf(settled, {times, control: await tamper(lab, stream, settled), moreErrors, figures: `workers at most ${rss.toFixed(0)} MiB`});
}

const duplicates = dataFault('duplicates', 'producer duplicates up to 48 h apart, one id with two payloads', (make, {startTs, scale}) => {
  const first = [];
  for (let serial = 0; serial < 3_000 * scale; serial++) {
    const unitId = `u${make.below(200)}`;
    const at = startTs + serial * 20;
    first.push(make.send(serial % 4 === 0 ? make.exposure({unitId, eventTs: at}) : make.outcome({unitId, eventTs: at}), at));
  }
  let times = 0;
  for (const afterMs of [1_000 * 60 * scale, HOUR_MS * 2, DAY_MS, 2 * DAY_MS]) {
    make.tickAll(startTs + afterMs);
    for (const event of first) {
      if (make.rng.next() > 0.2) continue;
      const isOther = make.rng.next() < 0.3;
      if (isOther && event.kind === 'outcome') make.send({...event, measures: {score: 1_000}, eventTs: epochMs(event.eventTs + make.below(3 * HOUR_MS))}, startTs + afterMs);
      else make.send(event, startTs + afterMs);
      times++;
    }
  }
  return times;
});

const order = dataFault('order', 'outcome before its exposure, the earlier exposure last, crossovers revealed late', (make, {startTs, scale}) => {
  const units = 600 * scale;
  for (let unit = 0; unit < units; unit++) for (let n = 0; n < 3; n++) make.send(make.outcome({unitId: `u${unit}`, eventTs: startTs + 60_000 + make.below(120_000)}), startTs + 180_000);
  make.tickAll(startTs + 600_000);
  const eventTs = (): number => startTs + 30_000 + make.below(60_000);
  for (let unit = 0; unit < units; unit++) make.send(make.exposure({unitId: `u${unit}`, eventTs: eventTs() + 60_000}), startTs + 900_000);
  make.tickAll(startTs + 1_200_000);
  for (let unit = 0; unit < units; unit += 2) make.send(make.exposure({unitId: `u${unit}`, eventTs: eventTs() - 25_000}), startTs + 1_500_000);
  for (let unit = 0; unit < units; unit += 7) {
    const other = variantOf(`u${unit}`) === 'c' ? 't' : 'c';
    make.send(make.exposure({unitId: `u${unit}`, eventTs: startTs + 170_000, variant: other}), startTs + 1_800_000);
  }
  return units;
});

const lateness = dataFault('late', 'lateness beyond L, up to 20 days', (make, {startTs, scale}) => {
  for (let unit = 0; unit < 100; unit++) make.send(make.exposure({unitId: `u${unit}`, eventTs: startTs - 21 * DAY_MS}), startTs);
  const times = 1_500 * scale;
  for (let serial = 0; serial < times; serial++) {
    const at = startTs + serial * 100;
    if (serial % 200 === 0) make.tickAll(at);
    const lateMs = serial % 3 === 0 ? make.below(2_000) : serial % 3 === 1 ? make.below(10 * 60_000) : make.below(20 * DAY_MS);
    make.send(make.outcome({unitId: `u${make.below(100)}`, eventTs: at - lateMs}), at);
  }
  return times;
}, {workers: 1});

const clock = dataFault(
  'clock',
  'producers whose clocks are off by up to ± 10 years',
  (make, {startTs, scale}) => {
    let times = 0;
    for (let serial = 0; serial < 4_000 * scale; serial++) {
      const at = startTs + serial * 50;
      const unitId = `u${make.below(100)}`;
      const isPoison = serial % 5 === 0;
      const offMs = isPoison ? Math.round((make.rng.next() - 0.5) * 20 * 365 * DAY_MS) : -make.below(2_000);
      const event = serial % 4 === 1 ? make.exposure({unitId, eventTs: at + offMs}) : make.outcome({unitId, eventTs: at + offMs});
      if (isPoison && serial % 2 === 0 && Math.abs(offMs) > DAY_MS + 10_000) {
        // The id was made by a right clock, event_ts by a wrong one.
        const {eventId} = make.outcome({unitId, eventTs: at});
        make.sendDead(unitId, encodeOutcome({...make.outcome({unitId, eventTs: at + offMs}), eventId}), {at, code: 'id_time_mismatch'});
      } else make.send(event, at);
      times += Number(isPoison);
    }
    return times;
  },
  {maxAgeMs: 30 * DAY_MS, workers: 1},
);

const behind = dataFault('behind', 'a leader whose clock runs up to an hour behind, and back', (make, {startTs, scale}) => {
  let times = 0;
  for (let serial = 0; serial < 6_000 * scale; serial++) {
    const now = startTs + serial * 100;
    const isBehind = Math.floor(serial / 500) % 3 === 1;
    const at = isBehind ? now - make.below(HOUR_MS) : now;
    if (serial % 300 === 0) make.tickAll(at);
    const unitId = `u${make.below(150)}`;
    make.send(serial % 5 === 0 ? make.exposure({unitId, eventTs: now - 500}) : make.outcome({unitId, eventTs: now - make.below(3_000)}), at);
    times += Number(isBehind);
  }
  return times;
}, {workers: 1});

const cardinality = dataFault('cardinality', 'cardinality attack: every event brings new names; one hot unit', (make, {startTs, scale}) => {
  const times = 10_000 * scale;
  for (let serial = 0; serial < times; serial++) {
    const at = startTs + serial * 4;
    if (serial % 1_000 === 0) make.tickAll(at);
    const unitId = serial % 3 === 0 ? 'hot' : `u${serial}`;
    const attributes = {region: `r${serial % 2_000}`, [`key-${serial}`]: `value-${serial}`};
    if (serial % 10 === 0) make.send(make.exposure({unitId, eventTs: at, attributes}), at);
    else if (serial % 10 === 1) make.send(make.exposure({unitId, eventTs: at, experiment: `experiment-${serial}`, variant: `variant-${serial}`}), at);
    else make.send(make.outcome({unitId, eventTs: at, attributes, measures: {score: serial / 1_000, [`measure-${serial}`]: 1}, variantHint: {[`hint-${serial}`]: 'x'}}), at);
  }
  return times;
}, {workers: 1});

/** From offset 0 once more, after everything was closed: nothing may change by a byte. */
const replay: Fault = {
  name: 'replay',
  title: 'full replay from offset 0, the closed slices compared byte by byte',
  brokers: 1,
  run: async run => {
    const {lab, isLong} = run;
    const prepared = await prepare(run, 'replay', {events: isLong ? 200_000 : 5_000});
    const {stream, planned} = prepared;
    const first = lab.worker(stream);
    await lab.produce(stream, planned);
    await lab.drained(stream);
    await first.stop();
    await lab.closeAll(stream);
    const bytes = await sliceBytes(lab, stream.name);
    await rewind(lab, prepared);
    const workers = [lab.worker(stream), lab.worker(stream)];
    await lab.drained(stream);
    await Promise.all(workers.map(worker => worker.stop()));
    const settled = await lab.settle(stream, planned);
    const moreErrors = (await sliceBytes(lab, stream.name)) === bytes ? [] : ['closed slices are not byte-identical'];
    const control = await tamper(lab, stream, settled);
    return verdictOf(settled, {times: 1, control, moreErrors, figures: `${bytes.length} bytes of slices identical`});
  },
};

const sliceBytes = ({sql}: Lab, name: string): Promise<string> =>
  sql.run(`SELECT * FROM slices_latest WHERE stream = '${name}' ORDER BY ALL FORMAT TSV`);

/** Moves the group's offsets to 0, as an operator does who wants everything read again. */
export async function rewind({ground}: Lab, {stream}: Prepared): Promise<void> {
  const consumer = await ground.log.openConsumer({topic: stream.topic, group: workerGroup(stream.name), batchRecordsMax: 1, bufferBytesMax: 1 << 20});
  for (;;) {
    const event = await consumer.next(30_000);
    if (event?.type !== 'assigned') continue;
    await consumer.commit(event.partitions.map(({partition}) => ({partition, offset: 0n})));
    break;
  }
  await consumer.close();
}

const phases: Fault = {
  name: 'phases',
  title: 'weights changed, rolled back and stepped while units return',
  brokers: 1,
  run: async run => {
    const {lab, seed, isLong} = run;
    const startTs = startOf(seed);
    const stream = await lab.openStream(`phases-${seed}`, {startTs, partitions: PARTITIONS});
    const make = new HistoryMaker(seed, PARTITIONS);
    const weights = [{c: 50, t: 50}, {c: 80, t: 20}, {c: 50, t: 50}, {c: 95, t: 5}, {c: 80, t: 20}, {c: 1, t: 99}];
    const stretchMs = 120_000;
    for (const [index, step] of weights.entries()) {
      const from = startTs + index * stretchMs;
      if (index > 0) await lab.publish(stream, {experiment: SPLIT, design: 'split', weights: step, validFrom: epochMs(from)});
      await lab.ground.registry.caughtUp();
      const version = currentOf(lab.ground.registry.snapshot(), stream.name, SPLIT);
      if (version === undefined) throw new Error('the experiment was not published');
      for (let serial = 0; serial < (isLong ? 20_000 : 1_500); serial++) {
        const unitId = `u${make.below(400)}`;
        const at = from + Math.floor((serial * stretchMs) / (isLong ? 20_000 : 1_500));
        if (serial % 150 === 0) make.tickAll(at);
        const {variant, phase, configVersion} = assign(version, {unitId});
        if (serial % 3 === 0) make.send(make.exposure({unitId, eventTs: at, variant, phase, configVersion}), at);
        else make.send(make.outcome({unitId, eventTs: at}), at);
      }
    }
    make.tickAll(startTs + weights.length * stretchMs + SLICE_MS + LATENESS_MS + 1);
    const verdict = await consume(run, {stream, planned: make.records}, {times: weights.length - 1, count: 2});
    const crossed = await lab.sql.rows(`SELECT toUInt32(count()) FROM (SELECT unit_id FROM exposures FINAL WHERE stream = '${stream.name}' GROUP BY unit_id, phase HAVING uniqExact(variant) > 1)`);
    const phasesSeen = await lab.sql.rows(`SELECT toUInt32(uniqExact(phase)) FROM slices_latest WHERE stream = '${stream.name}' AND experiment = '${SPLIT}'`);
    const errors = [...verdict.errors];
    if (Number(crossed[0]?.[0]) !== 0) errors.push(`${crossed[0]?.[0]} units crossed over within a phase`);
    if (Number(phasesSeen[0]?.[0]) !== weights.length) errors.push(`slices of ${phasesSeen[0]?.[0]} phases, must be ${weights.length}`);
    return {...verdict, errors, found: `${verdict.found}; ${phasesSeen[0]?.[0]} phases with data, ${crossed[0]?.[0]} crossovers`};
  },
};

/** Nothing but ticks in seven of eight partitions of the live stream; its slices close all the same. */
const idle: Fault = {
  name: 'idle',
  title: '7 of 8 partitions of the live stream idle',
  brokers: 1,
  run: async run => {
    const {lab, seed, isLong} = run;
    const stream = await lab.openLiveStream();
    const make = new HistoryMaker(seed, stream.partitions);
    const {clock: now} = lab.ground;
    for (let serial = 0; serial < (isLong ? 20_000 : 2_000); serial++) {
      const at = now.now();
      make.send(serial % 4 === 0 ? make.exposure({unitId: 'only', eventTs: at}) : make.outcome({unitId: 'only', eventTs: at + serial}), at);
    }
    const sentAt = now.now();
    const worker = lab.worker(stream);
    await lab.produce(stream, make.records);
    const lastSlice = Math.max(...make.records.map(({what}) => ('eventTs' in what ? what.eventTs : 0))) + SLICE_MS;
    const closer = lab.closer(stream);
    await lab.closedThrough(stream, lastSlice, 90_000);
    const closedMs = now.now() - sentAt;
    await closer.kill();
    await worker.stop();
    await sleep(100);
    const settled = await lab.settle(stream, make.records);
    const ticks = await lab.sql.rows(`SELECT toUInt32(count()), toUInt32(uniqExact(partition)) FROM arrivals FINAL WHERE stream = 'live' AND kind = 'tick'`);
    const figures = `closed ${(closedMs / 1000).toFixed(1)} s after the last event (slice ${SLICE_MS / 1000} s, L ${LATENESS_MS / 1000} s); ${ticks[0]?.[0]} ticks in ${ticks[0]?.[1]} partitions`;
    return verdictOf(settled, {times: 7, control: await tamper(lab, stream, settled), figures});
  },
};

export const DATA_FAULTS: readonly Fault[] = [duplicates, order, lateness, clock, behind, cardinality, replay, phases, idle];
