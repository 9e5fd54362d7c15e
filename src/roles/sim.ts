import {availableParallelism} from 'node:os';
import {parseArgs} from 'node:util';
import {isMainThread, parentPort, Worker, workerData} from 'node:worker_threads';
import {MemoryEventLog} from '../log/memory/memory-event-log.ts';
import {BUG_NAMES, type BugName} from '../simulate/faults/planted-bugs.ts';
import {runSeeds, type SeedResult} from '../simulate/faults/run-seed.ts';
import type {SimPorts} from '../simulate/faults/sim-ports.ts';
import {placeOutcome} from '../warehouse/memory/attribute-outcome.ts';
import {openMemoryWarehouse} from '../warehouse/memory/memory-warehouse.ts';
import {openRecordHasher} from '../worker/record-hasher.ts';
import {SYSTEM_CLOCK} from './system.ts';

const ERRORS_SHOWN_MAX = 5;
/** Below this a thread costs more than it saves. */
const SEEDS_PER_THREAD_MIN = 50;

type Task = {readonly firstSeed: number; readonly seeds: number; readonly bug: BugName | null};

/** The memory adapters behind the simulation's ports. */
export async function simPorts(): Promise<SimPorts> {
  return {
    makeLog: clock => new MemoryEventLog({clock}),
    makeWarehouse: options => openMemoryWarehouse(options),
    placeOutcome,
    hasher: await openRecordHasher(),
  };
}

/**
 * `npm run sim -- --seeds 10000 [--first-seed S] [--bug NAME]`: exit code 1 when a seed
 * fails. `--seeds 1 --first-seed S` replays one.
 */
export async function simulate(args: readonly string[], write: (line: string) => void): Promise<number> {
  const {values} = parseArgs({
    args: [...args],
    options: {seeds: {type: 'string', default: '1000'}, 'first-seed': {type: 'string', default: '1'}, bug: {type: 'string'}},
  });
  const bug = BUG_NAMES.find(name => name === values.bug);
  if (values.bug !== undefined && bug === undefined) {
    write(`there is no bug ${values.bug}; known: ${BUG_NAMES.join(', ')}`);
    return 2;
  }
  const startedAt = SYSTEM_CLOCK.now();
  const total = {seeds: 0, failed: 0, records: 0, facts: 0, late: 0, crashes: 0};
  const task = {firstSeed: Number(values['first-seed']), seeds: Number(values.seeds), bug: bug ?? null};
  await Promise.all(
    shares(task).map(share =>
      runShare(share, result => {
        total.seeds++;
        for (const name of ['records', 'facts', 'late', 'crashes'] as const) total[name] += result[name];
        if (result.errors.length === 0) return;
        total.failed++;
        showFailure(result, {bug: task.bug, write});
      }),
    ),
  );
  const seconds = (SYSTEM_CLOCK.now() - startedAt) / 1000;
  const {seeds, failed, records, facts, late, crashes} = total;
  write(
    `${seeds} seeds, ${failed} failed: ${records} records, ${facts} facts, ${late} late, ${crashes} crashes ` +
      `in ${seconds.toFixed(1)} s (${Math.round((60 * seeds) / seconds)} seeds a minute)`,
  );
  return failed === 0 ? 0 : 1;
}

function showFailure({seed, errors}: SeedResult, {bug, write}: {bug: BugName | null; write: (line: string) => void}): void {
  const replay = `npm run sim -- --seeds 1 --first-seed ${seed}${bug === null ? '' : ` --bug ${bug}`}`;
  write(`seed ${seed} failed; replay with: ${replay}`);
  for (const error of errors.slice(0, ERRORS_SHOWN_MAX)) write(`  ${error}`);
}

/** One share per core; a hunt for a planted bug stops at its first catch and stays in one piece. */
function shares({firstSeed, seeds, bug}: Task): Task[] {
  const threads = bug === null ? Math.min(availableParallelism(), Math.ceil(seeds / SEEDS_PER_THREAD_MIN)) : 1;
  const size = Math.ceil(seeds / Math.max(1, threads));
  const tasks: Task[] = [];
  for (let first = firstSeed; first < firstSeed + seeds; first += size) {
    tasks.push({firstSeed: first, seeds: Math.min(size, firstSeed + seeds - first), bug});
  }
  return tasks;
}

async function runShare(task: Task, onResult: (result: SeedResult) => void): Promise<void> {
  if (task.bug !== null || task.seeds < SEEDS_PER_THREAD_MIN) return runHere(task, onResult);
  await new Promise<void>((resolve, reject) => {
    const thread = new Worker(new URL(import.meta.url), {workerData: task});
    thread.on('message', onResult);
    thread.once('error', reject);
    thread.once('exit', code => (code === 0 ? resolve() : reject(new Error(`a simulation thread exited with ${code}`))));
  });
}

async function runHere({firstSeed, seeds, bug}: Task, onResult: (result: SeedResult) => void): Promise<void> {
  const options = {firstSeed, seeds, ports: await simPorts(), onResult};
  await runSeeds(bug === null ? options : {...options, bug, isFailFast: true});
}

if (!isMainThread && parentPort !== null) {
  const port = parentPort;
  await runHere(workerData as Task, result => port.postMessage(result));
} else if (import.meta.filename === process.argv[1]) {
  process.exitCode = await simulate(process.argv.slice(2), line => process.stdout.write(`${line}\n`));
}
