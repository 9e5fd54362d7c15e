import {setTimeout as sleep} from 'node:timers/promises';
import type {Stream} from '../../core/streams.ts';
import {workerGroup} from '../../core/streams.ts';
import {countEvents, type Fault, type FaultRun, startOf, tamper, type Verdict, verdictOf} from './fault.ts';
import {FAILPOINTS} from './failpoints.ts';
import {type Planned, steadyHistory} from './history.ts';
import {type Lab, LATENESS_MS, SESSION_MS, SLICE_MS} from './lab.ts';
import {type Proc, until} from './processes.ts';

export type Prepared = {readonly stream: Stream; readonly planned: Planned[]};

/** A stream of its own with an ordinary bad day's events, not yet sent. */
export async function prepare({lab, seed}: Pick<FaultRun, 'lab' | 'seed'>, name: string, given: {readonly events: number; readonly partitions?: number}): Promise<Prepared> {
  const {events, partitions = 6} = given;
  const startTs = startOf(seed);
  const stream = await lab.openStream(`${name}-${seed}`, {partitions, startTs, isPaired: true});
  const planned = steadyHistory({
    seed, events, partitions, units: Math.max(20, Math.floor(events / 25)), startTs, lengthMs: 10 * 60_000, sliceMs: SLICE_MS, latenessMs: LATENESS_MS,
  });
  return {stream, planned};
}

/** Kills a random one of three workers again and again while events come in; each is started anew. */
async function killWhileProducing(run: FaultRun, {stream, planned}: Prepared, given: {readonly kills: number; readonly pauseMs: number}): Promise<number> {
  const {lab, rng} = run;
  const {kills, pauseMs} = given;
  const workers = [0, 1, 2].map(() => lab.worker(stream));
  const perSecond = countEvents(planned) / ((kills * pauseMs) / 1000);
  const produced = lab.produce(stream, planned, {perSecond});
  let done = 0;
  for (; done < kills; done++) {
    await sleep(pauseMs * (0.5 + rng.next()));
    const victim = Math.floor(rng.next() * workers.length);
    await workers[victim]?.kill();
    workers[victim] = lab.worker(stream);
  }
  await produced;
  await lab.drained(stream);
  await Promise.all(workers.map(worker => worker.stop()));
  return done;
}

const sigkillWorkers: Fault = {
  name: 'sigkill',
  title: 'SIGKILL of random workers',
  brokers: 1,
  run: async run => {
    const {lab, isLong} = run;
    const prepared = await prepare(run, 'sigkill', {events: isLong ? 1_000_000 : 20_000});
    const [times, control] = await Promise.all([
      killWhileProducing(run, prepared, {kills: isLong ? 100 : 8, pauseMs: isLong ? 6_000 : 3_000}),
      earlyAckControl(run),
    ]);
    return verdictOf(await lab.settle(prepared.stream, prepared.planned), {times, control});
  },
};

/** The planted bug: a worker that acknowledges before the rows are durable, killed when its offset has moved. */
async function earlyAckControl({lab, seed}: FaultRun): Promise<Verdict['control']> {
  const {stream, planned} = await prepare({lab, seed}, 'sigkill-bug', {events: 2_000});
  await lab.produce(stream, planned);
  await lab.worker(stream, ['--bug', 'early-ack', '--fail-at', 'after-commit']).exited;
  const worker = lab.worker(stream);
  await lab.drained(stream);
  await worker.stop();
  return {what: 'a worker that commits before rows are durable', isCaught: await lab.isWrong(stream, planned)};
}

const killPoints: Fault = {
  name: 'killpoints',
  title: 'kill at each row of the table in DESIGN §4',
  brokers: 1,
  run: async run => {
    const {lab, isLong} = run;
    const {stream, planned} = await prepare(run, 'killpoints', {events: isLong ? 100_000 : 6_000});
    const parts = FAILPOINTS.length;
    const errors: string[] = [];
    for (const [index, point] of FAILPOINTS.entries()) {
      const share = planned.slice(Math.floor((index * planned.length) / parts), Math.floor(((index + 1) * planned.length) / parts));
      await lab.produce(stream, share);
      const worker = lab.worker(stream, ['--fail-at', point, '--nth', '1']);
      const code = await Promise.race([worker.exited, sleep(60_000).then(() => 'alive' as const)]);
      if (code !== null) errors.push(`the worker was to be killed ${point}, but ended with ${code}`);
    }
    const {times, errors: closingErrors} = await killWhileClosing(lab, stream);
    const settled = await lab.settle(stream, planned);
    const control = await tamper(lab, stream, settled);
    return verdictOf(settled, {times: parts + times, moreErrors: [...errors, ...closingErrors], control});
  },
};

/** The closer is killed when its rows are written and their marker is not. */
async function killWhileClosing(lab: Lab, stream: Stream): Promise<{times: number; errors: string[]}> {
  const worker = lab.worker(stream);
  await lab.drained(stream);
  await worker.stop();
  const way = await lab.openWay('closer');
  lab.planFault(way, {fault: {kind: 'hang'}, count: 1_000, match: 'INSERT INTO closings'});
  const closer = lab.closer(stream, way);
  const before = Number((await lab.sql.rows(`SELECT toUInt32(count()) FROM slices WHERE stream = '${stream.name}'`))[0]?.[0] ?? 0);
  const rows = async (): Promise<number> => Number((await lab.sql.rows(`SELECT toUInt32(count()) FROM slices WHERE stream = '${stream.name}'`))[0]?.[0] ?? 0);
  await until('the closer to write slices', 60_000, async () => (await rows()) > before);
  await sleep(500);
  await closer.kill();
  lab.clearFaults(way);
  const marks = Number((await lab.sql.rows(`SELECT toUInt32(count()) FROM closings WHERE stream = '${stream.name}'`))[0]?.[0] ?? 0);
  return {times: 1, errors: marks === 0 ? [] : ['a slice was closed although its closer was killed before the marker']};
}

const zombie: Fault = {
  name: 'zombie',
  title: 'SIGSTOP for 3 × session timeout, then SIGCONT',
  brokers: 1,
  run: async run => {
    const {lab, isLong, rng} = run;
    const {stream, planned} = await prepare(run, 'zombie', {events: isLong ? 200_000 : 8_000});
    const workers = [lab.worker(stream), lab.worker(stream)];
    const rounds = isLong ? 10 : 2;
    const frozenMs = 3 * SESSION_MS;
    const woken = new AbortController();
    const produced = trickle(lab, {stream, planned}, woken.signal);
    const errors: string[] = [];
    const backMs: number[] = [];
    await until('both workers to have partitions', 180_000, async () => (await membersOf(lab, stream)) > 0);
    for (let round = 0; round < rounds; round++) {
      const victim = Math.floor(rng.next() * 2);
      const worker = workers[victim];
      if (worker === undefined) continue;
      worker.freeze();
      await sleep(frozenMs);
      worker.thaw();
      const {code, ms} = await recovered(worker, () => lab.ground.clock.now());
      if (code === 'silent') errors.push(`round ${round}: neither consumed again within 30 s nor ended within 10 s`);
      backMs.push(ms);
      if (!worker.isRunning) workers[victim] = lab.worker(stream);
    }
    woken.abort();
    await produced;
    await lab.drained(stream);
    await Promise.all(workers.map(worker => worker.stop()));
    const settled = await lab.settle(stream, planned);
    const control = await tamper(lab, stream, settled);
    return verdictOf(settled, {times: rounds, control, moreErrors: errors, figures: `back within ${(Math.max(...backMs) / 1000).toFixed(1)} s`});
  },
};

/** A few records at a time for as long as it matters, so that whoever comes back finds something to read; then the rest. */
async function trickle(lab: Lab, {stream, planned}: Prepared, signal: AbortSignal): Promise<void> {
  const few = 25;
  let at = 0;
  for (; !signal.aborted && at < planned.length; at += few) {
    await lab.produce(stream, planned.slice(at, at + few));
    await sleep(100);
  }
  await lab.produce(stream, planned.slice(at));
}

/** Consumes again within 30 s of waking, or is gone within 10 s. */
async function recovered(worker: Proc, now: () => number): Promise<{code: 'consumes' | 'ended' | 'silent'; ms: number}> {
  const startedAt = now();
  const before = worker.commits;
  const isBack = await until('the zombie', 30_000, () => !worker.isRunning || worker.commits > before).then(() => true, () => false);
  const ms = now() - startedAt;
  if (worker.isRunning) return {code: isBack ? 'consumes' : 'silent', ms};
  return {code: ms <= 10_000 ? 'ended' : 'silent', ms};
}

/** Partitions with a committed offset: the group is at work. */
async function membersOf({ground}: Lab, stream: Stream): Promise<number> {
  return (await ground.log.committed(stream.topic, workerGroup(stream.name))).filter(offset => offset !== null).length;
}

const brokerRestart: Fault = {
  name: 'broker',
  title: 'SIGKILL of the only broker, restart',
  brokers: 1,
  isAlone: true,
  run: async run => {
    const {lab, isLong} = run;
    const {stream, planned} = await prepare(run, 'broker', {events: isLong ? 200_000 : 8_000});
    const workers = [lab.keep(stream), lab.keep(stream)];
    const rounds = isLong ? 5 : 1;
    const produced = lab.produce(stream, planned, {perSecond: countEvents(planned) / (rounds * 14)});
    for (let round = 0; round < rounds; round++) {
      await sleep(5_000);
      await lab.brokers.kill();
      await sleep(3_000);
      await lab.brokers.restart();
    }
    await produced;
    const drainMs = await lab.drained(stream);
    const restarts = workers.reduce((sum, worker) => sum + worker.restarts, 0);
    await Promise.all(workers.map(worker => worker.stop()));
    const settled = await lab.settle(stream, planned);
    const control = await tamper(lab, stream, settled);
    const figures = `caught up ${(drainMs / 1000).toFixed(1)} s after the last event, ${restarts} workers gave up and were started again`;
    return verdictOf(settled, {times: rounds, control, figures});
  },
};

const leaderLoss: Fault = {
  name: 'leader',
  title: 'leader loss, three brokers, replication 3, min ISR 2',
  brokers: 3,
  run: async run => {
    const {lab, isLong} = run;
    const {stream, planned} = await prepare(run, 'leader', {events: isLong ? 200_000 : 8_000});
    const workers = [lab.keep(stream), lab.keep(stream)];
    const rounds = isLong ? 6 : 2;
    const produced = lab.produce(stream, planned, {perSecond: countEvents(planned) / (rounds * 12)});
    for (let round = 0; round < rounds; round++) {
      await sleep(4_000);
      const broker = 1 + (round % 3);
      await lab.brokers.kill(broker);
      await sleep(4_000);
      await lab.brokers.restart(broker);
    }
    await produced;
    await lab.drained(stream);
    await Promise.all(workers.map(worker => worker.stop()));
    const settled = await lab.settle(stream, planned);
    return verdictOf(settled, {times: rounds, control: await tamper(lab, stream, settled)});
  },
};

const rebalanceStorm: Fault = {
  name: 'storm',
  title: 'rebalance storm: members join and leave every second',
  brokers: 1,
  run: async run => {
    const {lab, isLong, rng} = run;
    const {stream, planned} = await prepare(run, 'storm', {events: isLong ? 200_000 : 8_000});
    const steady = lab.worker(stream);
    const rounds = isLong ? 60 : 6;
    const produced = lab.produce(stream, planned, {perSecond: countEvents(planned) / (rounds * 2)});
    const guests: Proc[] = [];
    for (let round = 0; round < rounds; round++) {
      guests.push(lab.worker(stream));
      await sleep(1_000 + 2_000 * rng.next());
      if (guests.length > 2) await guests.shift()?.stop();
    }
    await produced;
    await lab.drained(stream);
    await Promise.all([steady, ...guests].map(worker => worker.stop()));
    const settled = await lab.settle(stream, planned);
    return verdictOf(settled, {times: rounds, control: await tamper(lab, stream, settled)});
  },
};

/** Every number of partitions with every number of workers: each partition has exactly one reader. */
const matrix: Fault = {
  name: 'matrix',
  title: 'partitions × workers',
  brokers: 1,
  run: async run => {
    const {lab, isLong} = run;
    const cells = isLong ? [6, 8, 12].flatMap(p => [1, 2, 3, 4, 5, 6].map(m => [p, m] as const)) : ([[8, 3], [6, 4]] as const);
    const verdicts: Verdict[] = [];
    for (const [partitions, members] of cells) {
      const {stream, planned} = await prepare(run, `matrix-${partitions}-${members}`, {events: 3_000, partitions});
      const workers = Array.from({length: members}, () => lab.worker(stream));
      await lab.produce(stream, planned);
      await lab.drained(stream);
      await Promise.all(workers.map(worker => worker.stop()));
      const settled = await lab.settle(stream, planned);
      const control = verdicts.length === 0 ? await tamper(lab, stream, settled) : {what: '', isCaught: true};
      verdicts.push(verdictOf(settled, {times: 1, control, moreErrors: settled.errors.map(error => `P=${partitions} M=${members}: ${error}`)}));
    }
    const cellNames = cells.map(([p, m]) => `${p}×${m}`).join(', ');
    return {
      times: cells.length,
      expected: `cells ${cellNames} exact`,
      found: `${verdicts.filter(({errors}) => errors.length === 0).length} of ${cells.length} exact`,
      errors: verdicts.flatMap(({errors}) => errors),
      control: verdicts[0]?.control ?? {what: '', isCaught: false},
    };
  },
};

export const PROCESS_FAULTS: readonly Fault[] = [sigkillWorkers, killPoints, zombie, brokerRestart, leaderLoss, rebalanceStorm, matrix];
