import {workerGroup} from '../../core/streams.ts';
import {epochMs} from '../../core/units.ts';
import {type Fault, startOf, tamper, verdictOf} from './fault.ts';
import {HistoryMaker, type Planned, SERIAL_HEADER} from './history.ts';
import {type Lab, LATENESS_MS, readEntries, SLICE_MS} from './lab.ts';
import {prepare, type Prepared} from './process-faults.ts';

const RSS_MIB_MAX = 512;

async function consumeAll(lab: Lab, {stream, planned}: Prepared): Promise<{readonly code: number | null; readonly rssMiB: number}> {
  const worker = lab.worker(stream);
  let rssMiB = 0;
  const watch = setInterval(() => (rssMiB = Math.max(rssMiB, worker.rssMiB())), 50);
  await lab.produce(stream, planned);
  await lab.drained(stream);
  clearInterval(watch);
  return {code: await worker.stop(), rssMiB};
}

/** Retention was faster than the group: what was lost is counted and named, the rest is exact. */
const below: Fault = {
  name: 'below',
  title: "the committed offset lies below the log's start",
  brokers: 1,
  run: async run => {
    const {lab, isLong} = run;
    const {stream, planned} = await prepare(run, 'below', {events: isLong ? 100_000 : 6_000});
    const half = Math.floor(planned.length / 2);
    const first = await consumeAll(lab, {stream, planned: planned.slice(0, half)});
    await lab.produce(stream, planned.slice(half));
    const {entries} = await readEntries(lab.ground, stream, planned);
    const committed = await lab.ground.log.committed(stream.topic, workerGroup(stream.name));
    const lost = 37;
    for (const partition of [0, 3]) await lab.surgery.deleteBelow(stream.topic, {partition, offset: (committed[partition] ?? 0n) + BigInt(lost)});
    const worker = lab.worker(stream);
    await lab.drained(stream);
    const codes = [first.code, await worker.stop()];
    const gaps = new Map([[0, lost], [3, lost]]);
    const isLost = ({partition, offset}: (typeof entries)[number]): boolean => gaps.has(partition) && offset >= (committed[partition] ?? 0n) && offset < (committed[partition] ?? 0n) + BigInt(lost);
    const settled = await lab.settle(stream, planned, {read: {entries: entries.filter(entry => !isLost(entry)), missing: 0}, gaps});
    const moreErrors = codes.filter(code => code !== 0).map(code => `a worker ended with ${code}`);
    return verdictOf(settled, {times: 2 * lost, control: await tamper(lab, stream, settled), moreErrors, figures: `${2 * lost} lost offsets in the ledger as gaps`});
  },
};

/** A record of some kilobytes that unpacks to far more than a worker may hold. */
const bomb: Fault = {
  name: 'bomb',
  title: 'gzip records that unpack to 200 MB each',
  brokers: 1,
  run: async run => {
    const {lab, seed} = run;
    const make = new HistoryMaker(seed, 6);
    const startTs = startOf(seed);
    const stream = await lab.openStream(`bomb-${seed}`, {startTs, partitions: 6});
    const send = (from: number, to: number): readonly Planned[] => {
      const at = make.records.length;
      for (let serial = from; serial < to; serial++) {
        const eventTs = startTs + serial * 20;
        const unitId = `u${make.below(100)}`;
        make.send(serial % 4 === 0 ? make.exposure({unitId, eventTs}) : make.outcome({unitId, eventTs}), eventTs);
      }
      return make.records.slice(at);
    };
    make.tickAll(startTs - 1);
    const worker = lab.worker(stream);
    let rssMiB = 0;
    const watch = setInterval(() => (rssMiB = Math.max(rssMiB, worker.rssMiB())), 50);
    await lab.produce(stream, [...make.records]);
    await lab.produce(stream, send(0, 1_500));
    const bombs = 3;
    for (let partition = 0; partition < bombs; partition++) {
      const timestamp = epochMs(startTs + 30_000);
      const headers = {[SERIAL_HEADER]: `${make.records.length}`};
      make.records.push({key: null, value: new Uint8Array(0), partition, timestamp, headers, what: {kind: 'dead', code: 'undecodable'}});
      await lab.surgery.appendBomb(stream.topic, {partition, bytes: 200 * 1024 * 1024, timestamp, headers});
    }
    await lab.produce(stream, send(1_500, 3_000));
    const at = make.records.length;
    make.tickAll(startTs + 60_000 + SLICE_MS + LATENESS_MS + 1);
    await lab.produce(stream, make.records.slice(at));
    await lab.drained(stream);
    clearInterval(watch);
    const code = await worker.stop();
    const entries = await bombEntries(lab, {stream, planned: make.records});
    const settled = await lab.settle(stream, make.records, {read: entries});
    const moreErrors = code === 0 ? [] : [`the worker ended with ${code}`];
    if (rssMiB > RSS_MIB_MAX) moreErrors.push(`the worker took ${rssMiB.toFixed(0)} MiB, the limit is ${RSS_MIB_MAX}`);
    return verdictOf(settled, {times: bombs, control: await tamper(lab, stream, settled), moreErrors, figures: `worker at most ${rssMiB.toFixed(0)} MiB`});
  },
};

/** The log's reader passes over what cannot be unpacked, so the bombs' places are the holes it leaves. */
async function bombEntries(lab: Lab, {stream, planned}: Prepared) {
  const {entries} = await readEntries(lab.ground, stream, planned);
  const found = entries.map(({partition, offset}) => `${partition}/${offset}`);
  const known = new Set(found);
  const bombs = planned.filter(({what}) => what.kind === 'dead');
  for (const {partition, timestamp, what, value} of bombs) {
    const {end = 0n} = (await lab.ground.log.offsets(stream.topic))[partition] ?? {};
    for (let offset = 0n; offset < end; offset++) if (!known.has(`${partition}/${offset}`)) entries.push({partition, offset, appendTs: timestamp, what, value});
  }
  return {entries, missing: planned.length - entries.length};
}

export const LOG_FAULTS: readonly Fault[] = [below, bomb];
