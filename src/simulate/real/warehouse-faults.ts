import {setTimeout as sleep} from 'node:timers/promises';
import {countEvents, type Fault, type FaultRun, tamper, type Verdict, verdictOf} from './fault.ts';
import type {ProxyMode} from './fault-proxy.ts';
import type {PlannedFault} from './planned-fault.ts';
import {prepare} from './process-faults.ts';

const RSS_MIB_MAX = 512;

const ENGINE_FAULTS: readonly PlannedFault[] = [
  {fault: {kind: 'refuse'}, count: 3, match: 'INSERT INTO `outcomes`'},
  {fault: {kind: 'status', status: 500, body: 'Code: 1002. DB::Exception: planned'}, count: 3, match: 'INSERT INTO `exposures`'},
  {fault: {kind: 'exception', engineCode: 252, message: 'Too many parts (3000)'}, count: 4, match: 'INSERT INTO `outcomes`'},
  {fault: {kind: 'lost-answer'}, count: 3, match: 'INSERT INTO `outcomes`'},
  {fault: {kind: 'lost-answer'}, count: 3, match: 'INSERT INTO `arrivals`'},
  {fault: {kind: 'hang'}, count: 1, match: 'INSERT INTO `exposures`'},
];

/** Faults of the engine's answers, then of the connection, while events come in. */
const sink: Fault = {
  name: 'clickhouse',
  title: 'ClickHouse refuses, hangs, answers 500 and "too many parts", answers are lost after success',
  brokers: 1,
  run: async run => {
    const {lab, isLong, rng} = run;
    const {stream, planned} = await prepare(run, 'sink', {events: isLong ? 200_000 : 10_000});
    const way = await lab.openWay('sink');
    const workers = [lab.worker(stream, [], way), lab.worker(stream, [], way)];
    const rounds = isLong ? 10 : 1;
    const produced = lab.produce(stream, planned, {perSecond: countEvents(planned) / (rounds * 25)});
    let times = 0;
    for (let round = 0; round < rounds; round++) {
      for (const fault of ENGINE_FAULTS) {
        lab.planFault(way, fault);
        times += fault.count;
        await sleep(1_000 + 1_000 * rng.next());
      }
      for (const mode of ['refuse', 'lose-answers', 'hang'] satisfies ProxyMode[]) {
        way.proxy.set(mode);
        await sleep(2_000);
        way.proxy.set('pass');
        await sleep(1_500);
      }
    }
    await produced;
    lab.clearFaults(way);
    const drainMs = await lab.drained(stream);
    await Promise.all(workers.map(worker => worker.stop()));
    const settled = await lab.settle(stream, planned);
    const figures = `${way.proxy.disturbed} bytes, answers and connections disturbed; caught up in ${(drainMs / 1000).toFixed(1)} s`;
    return verdictOf(settled, {times: times + 3 * rounds, control: await lostAnswerControl(run), figures});
  },
};

/** The planted bug: a worker that takes a failed insert for a done one. */
async function lostAnswerControl(run: FaultRun): Promise<Verdict['control']> {
  const {lab} = run;
  const {stream, planned} = await prepare(run, 'sink-bug', {events: 3_000});
  const way = await lab.openWay('sink-bug');
  lab.planFault(way, {fault: {kind: 'status', status: 500, body: 'planned'}, count: 1, match: 'INSERT INTO `outcomes`'});
  const worker = lab.worker(stream, ['--bug', 'early-ack'], way);
  await lab.produce(stream, planned);
  await lab.drained(stream);
  await sleep(3_000);
  await worker.stop();
  lab.clearFaults(way);
  return {what: 'a worker that takes a failed insert for a done one', isCaught: await lab.isWrong(stream, planned)};
}

/** Every answer of the engine waits; producers send five times what that lets through. */
const slowSink: Fault = {
  name: 'slow',
  title: 'slow sink, producers at 5 ×',
  brokers: 1,
  run: async run => {
    const {lab, isLong} = run;
    const {stream, planned} = await prepare(run, 'slow', {events: isLong ? 500_000 : 30_000});
    const way = await lab.openWay('slow');
    way.proxy.set('slow', 2_000);
    const worker = lab.worker(stream, [], way);
    let rssMax = 0;
    let isOver = false;
    const watching = (async () => {
      while (!isOver) {
        rssMax = Math.max(rssMax, worker.rssMiB());
        await sleep(100);
      }
    })();
    await lab.produce(stream, planned);
    await sleep(isLong ? 600_000 : 12_000);
    way.proxy.set('pass');
    const drainMs = await lab.drained(stream);
    isOver = true;
    await watching;
    await worker.stop();
    const settled = await lab.settle(stream, planned);
    const errors = rssMax <= RSS_MIB_MAX ? [] : [`the worker took ${rssMax.toFixed(0)} MiB, the limit is ${RSS_MIB_MAX}`];
    const figures = `at most ${rssMax.toFixed(0)} MiB, caught up in ${(drainMs / 1000).toFixed(1)} s`;
    return verdictOf(settled, {times: 1, moreErrors: errors, figures, control: await tamper(lab, stream, settled)});
  },
};

export const WAREHOUSE_FAULTS: readonly Fault[] = [sink, slowSink];
