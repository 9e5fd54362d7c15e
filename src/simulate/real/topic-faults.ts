import type {Stream} from '../../core/streams.ts';
import {type Fault, startOf, tamper, verdictOf} from './fault.ts';
import {HistoryMaker, type Planned, SERIAL_HEADER, variantOf} from './history.ts';
import {type Lab, LATENESS_MS, readEntries, SLICE_MS} from './lab.ts';
import {until} from './processes.ts';

const PARTITIONS = 6;
const MORE_PARTITIONS = 10;
const LENGTH_MS = 60_000;

/**
 * Two stretches of one history, the second perhaps over more partitions. It repeats events of the
 * first, and its outcomes follow from exposures of the first.
 */
function twoStretches(seed: number, given: {readonly events: number; readonly partitions: number}): {readonly first: Planned[]; readonly second: Planned[]} {
  const [before, after] = [new HistoryMaker(seed, PARTITIONS), new HistoryMaker(seed + 1, given.partitions)];
  const startTs = startOf(seed);
  const units = Math.max(20, given.events / 25);
  const stepMs = LENGTH_MS / given.events;
  const sent = [];
  before.tickAll(startTs - 1);
  after.tickAll(startTs + LENGTH_MS);
  for (let serial = 0; serial < 2 * given.events; serial++) {
    const make = serial < given.events ? before : after;
    const at = Math.floor(startTs + serial * stepMs);
    const unitId = `u${make.below(units)}`;
    const repeated = sent[make.below(sent.length)];
    if (serial % 50 === 7 && repeated !== undefined) make.send(repeated, at);
    else sent.push(make.send(serial % 4 === 0 ? make.exposure({unitId, eventTs: at, variant: variantOf(unitId)}) : make.outcome({unitId, eventTs: at - make.below(2_000)}), at));
    if (serial % 500 === 0) make.tickAll(at);
  }
  after.tickAll(startTs + 2 * LENGTH_MS + SLICE_MS + LATENESS_MS + 1);
  const count = before.records.length;
  return {first: before.records, second: after.records.map((record, index) => ({...record, headers: {[SERIAL_HEADER]: String(count + index)}}))};
}

/** Units change partitions, and the group must notice the new ones. */
const added: Fault = {
  name: 'added',
  title: 'partitions added to a topic under running workers',
  brokers: 1,
  run: async ({lab, seed, isLong}) => {
    const {first, second} = twoStretches(seed, {events: isLong ? 50_000 : 3_000, partitions: MORE_PARTITIONS});
    const stream = await lab.openStream(`added-${seed}`, {startTs: startOf(seed), partitions: PARTITIONS});
    const workers = [lab.worker(stream), lab.worker(stream)];
    await lab.produce(stream, first);
    await lab.drained(stream);
    await lab.surgery.addPartitions(stream.topic, MORE_PARTITIONS);
    await until('the new partitions to be there', 30_000, async () => (await lab.ground.log.offsets(stream.topic).catch(() => [])).length === MORE_PARTITIONS);
    await lab.reopen();
    await lab.produce(stream, second);
    const drainMs = await lab.drained(stream);
    const codes = await Promise.all(workers.map(worker => worker.stop()));
    const settled = await lab.settle(stream, [...first, ...second]);
    const moreErrors = codes.filter(code => code !== 0).map(code => `a worker ended with ${code}`);
    const figures = `${MORE_PARTITIONS - PARTITIONS} partitions found and read within ${(drainMs / 1000).toFixed(1)} s`;
    return verdictOf(settled, {times: MORE_PARTITIONS - PARTITIONS, control: await tamper(lab, stream, settled), moreErrors, figures});
  },
};

/** Offsets begin anew; what was counted before stays counted, and a repeat of it is a duplicate. */
const recreated: Fault = {
  name: 'recreated',
  title: 'a topic deleted and made again under running workers',
  brokers: 1,
  run: async ({lab, seed, isLong}) => {
    const {first, second} = twoStretches(seed, {events: isLong ? 50_000 : 3_000, partitions: PARTITIONS});
    const stream = await lab.openStream(`recreated-${seed}`, {startTs: startOf(seed), partitions: PARTITIONS});
    const planned = [...first, ...second];
    const workers = [lab.worker(stream), lab.worker(stream)];
    await lab.produce(stream, first);
    await lab.drained(stream);
    const before = await readEntries(lab.ground, stream, planned);
    // Workers that stand still meanwhile meet the new topic at the offsets of the old one, and no error.
    const isUnseen = seed % 2 === 0;
    if (isUnseen) for (const worker of workers) worker.freeze();
    await makeAgain(lab, stream);
    await lab.produce(stream, second);
    if (isUnseen) for (const worker of workers) worker.thaw();
    const drainMs = await lab.drained(stream);
    const ended = workers.filter(({isRunning}) => !isRunning).length;
    await Promise.all(workers.map(worker => worker.stop()));
    const after = await readEntries(lab.ground, stream, planned);
    const entries = [...before.entries, ...after.entries.map(entry => ({...entry, logEpoch: 2}))];
    const settled = await lab.settle(stream, planned, {read: {entries, missing: before.missing + after.missing - planned.length}});
    const moreErrors = ended === 0 ? [] : [`${ended} workers ended by themselves`];
    const figures = `${isUnseen ? 'while the workers stood still; ' : ''}read on within ${(drainMs / 1000).toFixed(1)} s`;
    return verdictOf(settled, {times: 1, control: await tamper(lab, stream, settled), moreErrors, figures});
  },
};

async function makeAgain(lab: Lab, stream: Stream): Promise<void> {
  await lab.surgery.deleteTopic(stream.topic);
  await until('the topic to be gone', 30_000, async () => (await lab.ground.log.describeTopic(stream.topic)) === undefined);
  await lab.reopen();
  await lab.ground.log.createTopic({topic: stream.topic, partitions: stream.partitions, clock: 'producer', retentionMs: null});
}

export const TOPIC_FAULTS: readonly Fault[] = [added, recreated];
