import {messageOf} from '../../core/errors.ts';
import {seededRng} from '../../core/rng.ts';
import {type Fault, type FaultResult, isExact} from './fault.ts';
import type {RealPorts} from './ground.ts';
import {DATA_FAULTS} from './data-faults.ts';
import {FORGET_FAULTS} from './forget-faults.ts';
import {EMBEDDED_FAULTS} from './embedded-faults.ts';
import {Lab} from './lab.ts';
import {LOG_FAULTS} from './log-faults.ts';
import {POISON_FAULTS} from './poison-faults.ts';
import {PROCESS_FAULTS} from './process-faults.ts';
import {TOPIC_FAULTS} from './topic-faults.ts';
import {WAREHOUSE_FAULTS} from './warehouse-faults.ts';

export const FAULTS: readonly Fault[] = [...PROCESS_FAULTS, ...WAREHOUSE_FAULTS, ...DATA_FAULTS, ...POISON_FAULTS, ...FORGET_FAULTS, ...LOG_FAULTS, ...TOPIC_FAULTS];

export type FaultsRequest = {
  readonly ports: RealPorts;
  /** Empty: all. */
  readonly only: readonly string[];
  readonly isLong: boolean;
  readonly seed: number;
  readonly note: (line: string) => void;
  readonly onResult: (result: FaultResult) => void;
};

const ERRORS_SHOWN_MAX = 8;
/** Most of a fault's time is waiting: for a group to settle, for a session to run out. */
const AT_ONCE_MAX = 5;

/** Runs the chosen faults, those that need the same brokers in one lab. */
export async function runFaults(request: FaultsRequest): Promise<FaultResult[]> {
  const ofThree: FaultResult[] = [];
  const ofOne = await runLab(1, request, async () => void ofThree.push(...(await runLab(3, request))));
  return [...ofOne, ...ofThree, ...(await runEmbedded(request))];
}

const isChosen = ({only}: FaultsRequest, {name}: {readonly name: string}): boolean => only.length === 0 || only.includes(name);

/** @param whenIdle begins once no more faults wait in this lab, and runs beside those that must be alone in it */
async function runLab(brokers: 1 | 3, request: FaultsRequest, whenIdle = async (): Promise<void> => undefined): Promise<FaultResult[]> {
  const results: FaultResult[] = [];
  const faults = FAULTS.filter(fault => fault.brokers === brokers && isChosen(request, fault));
  if (faults.length === 0) {
    await whenIdle();
    return results;
  }
  const lab = await Lab.open({ports: request.ports, brokers, note: request.note});
  try {
    const runIn = async (fault: Fault): Promise<void> => {
      results.push(await runOne(fault, request, rng => fault.run({lab, seed: request.seed, isLong: request.isLong, rng})));
    };
    const [alone, others] = [faults.filter(fault => fault.isAlone === true), faults.filter(fault => fault.isAlone !== true)];
    const lanes = Array.from({length: AT_ONCE_MAX}, async () => {
      for (let fault = others.shift(); fault !== undefined; fault = others.shift()) await runIn(fault);
    });
    const runAlone = async (): Promise<void> => {
      for (const fault of alone) await runIn(fault);
    };
    await Promise.all([Promise.all(lanes).then(runAlone), Promise.race(lanes).then(whenIdle)]);
  } finally {
    await lab.close();
  }
  return results;
}

async function runEmbedded(request: FaultsRequest): Promise<FaultResult[]> {
  const results: FaultResult[] = [];
  for (const fault of EMBEDDED_FAULTS.filter(one => isChosen(request, one))) {
    const missing = await fault.missing();
    if (missing !== null) {
      request.note(`${fault.name}: skipped, ${missing}`);
      continue;
    }
    results.push(await runOne(fault, request, rng => fault.run({ports: request.ports, seed: request.seed, isLong: request.isLong, rng, note: request.note})));
  }
  return results;
}

async function runOne(
  {name, title}: Pick<Fault, 'name' | 'title'>,
  {ports, seed, note, onResult}: FaultsRequest,
  run: (rng: ReturnType<typeof seededRng>) => ReturnType<Fault['run']>,
): Promise<FaultResult> {
  note(`${name}: ${title} (seed ${seed})`);
  const startedAt = ports.clock.now();
  const verdict = await run(seededRng(seed)).catch((error: unknown) => ({
    times: 0, expected: 'a run to its end', found: messageOf(error), errors: [messageOf(error)], control: {what: 'not reached', isCaught: false},
  }));
  const result = {...verdict, fault: name, title, seed, seconds: (ports.clock.now() - startedAt) / 1000};
  for (const error of verdict.errors.slice(0, ERRORS_SHOWN_MAX)) note(`  ${name}: ${error}`);
  if (verdict.errors.length > ERRORS_SHOWN_MAX) note(`  ${name}: and ${verdict.errors.length - ERRORS_SHOWN_MAX} more`);
  onResult(result);
  return result;
}

/** One row of the table. */
export function resultRow(result: FaultResult): string {
  const {fault, title, times, expected, found, control, seconds, seed} = result;
  const exact = isExact(result) ? 'yes' : 'NO';
  const planted = `control ${control.isCaught ? 'caught' : 'MISSED'}: ${control.what}`;
  return `${fault.padEnd(11)} | ${String(times).padStart(5)} | exact ${exact.padEnd(3)} | ${title}\n${''.padEnd(11)} | expected ${expected}\n${''.padEnd(11)} | found    ${found}\n${''.padEnd(11)} | ${planted} (seed ${seed}, ${seconds.toFixed(0)} s)`;
}

export function summaryLine(results: readonly FaultResult[]): string {
  const exact = results.filter(isExact).length;
  const caught = results.filter(({control}) => control.isCaught).length;
  const times = results.reduce((sum, result) => sum + result.times, 0);
  return `${results.length} faults, ${times} times injected: ${exact} exact, ${results.length - exact} not; ${caught} of ${results.length} planted bugs and alterations caught`;
}
