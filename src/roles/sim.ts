import {parseArgs} from 'node:util';
import {MemoryEventLog} from '../log/memory/memory-event-log.ts';
import {BUG_NAMES, type BugName} from '../simulate/faults/planted-bugs.ts';
import {runSeeds} from '../simulate/faults/run-seed.ts';
import type {SimPorts} from '../simulate/faults/sim-ports.ts';
import {placeOutcome} from '../warehouse/memory/attribute-outcome.ts';
import {openMemoryWarehouse} from '../warehouse/memory/memory-warehouse.ts';
import {openRecordHasher} from '../worker/record-hasher.ts';
import {SYSTEM_CLOCK} from './system.ts';

const ERRORS_SHOWN_MAX = 5;

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
  const report = await runSeeds({
    firstSeed: Number(values['first-seed']),
    seeds: Number(values.seeds),
    ports: await simPorts(),
    isFailFast: bug !== undefined,
    ...optional(bug),
    onResult: ({seed, errors}) => {
      if (errors.length === 0) return;
      write(`seed ${seed} failed; replay with: npm run sim -- --seeds 1 --first-seed ${seed}${bug === undefined ? '' : ` --bug ${bug}`}`);
      for (const error of errors.slice(0, ERRORS_SHOWN_MAX)) write(`  ${error}`);
    },
  });
  const seconds = (SYSTEM_CLOCK.now() - startedAt) / 1000;
  const {seeds, failed, records, facts, late, crashes} = report;
  write(
    `${seeds} seeds, ${failed.length} failed: ${records} records, ${facts} facts, ${late} late, ${crashes} crashes ` +
      `in ${seconds.toFixed(1)} s (${Math.round((60 * seeds) / seconds)} seeds a minute)`,
  );
  return failed.length === 0 ? 0 : 1;
}

const optional = (bug: BugName | undefined): {bug?: BugName} => (bug === undefined ? {} : {bug});

if (process.argv[1] !== undefined && import.meta.filename === process.argv[1]) {
  process.exitCode = await simulate(process.argv.slice(2), line => process.stdout.write(`${line}\n`));
}
