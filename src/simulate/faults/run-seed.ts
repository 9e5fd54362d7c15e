import {type Verification, checkWorld} from './check-world.ts';
import {type BugName, plantedBug} from './planted-bugs.ts';
import type {SimPorts} from './sim-ports.ts';
import {SimWorld} from './sim-world.ts';

export type SeedResult = Verification & {readonly seed: number; readonly crashes: number; readonly records: number};

/** One seed from its first event to the verdict of the oracle. The same seed gives the same result. */
export async function runSeed(seed: number, ports: SimPorts, bug?: BugName): Promise<SeedResult> {
  const world = new SimWorld(seed, ports, bug === undefined ? {} : plantedBug(bug, ports.placeOutcome));
  try {
    await world.run();
    const verification = await checkWorld(world);
    return {seed, crashes: world.crashes, records: world.history.length, ...verification};
  } catch (error) {
    const errors = [...world.broken, String(error)];
    return {seed, crashes: world.crashes, records: world.history.length, errors, facts: 0, late: 0, slices: 0};
  }
}

export type SimReport = {
  readonly seeds: number;
  readonly failed: readonly SeedResult[];
  readonly records: number;
  readonly facts: number;
  readonly late: number;
  readonly crashes: number;
};

export type SimOptions = {
  readonly firstSeed: number;
  readonly seeds: number;
  readonly ports: SimPorts;
  readonly bug?: BugName;
  /** Stop at the first failure. */
  readonly isFailFast?: boolean;
  readonly onResult?: (result: SeedResult) => void;
};

export async function runSeeds({firstSeed, seeds, ports, bug, isFailFast = false, onResult}: SimOptions): Promise<SimReport> {
  const total = {seeds: 0, records: 0, facts: 0, late: 0, crashes: 0};
  const failed: SeedResult[] = [];
  for (let seed = firstSeed; seed < firstSeed + seeds; seed++) {
    const result = await runSeed(seed, ports, bug);
    total.seeds++;
    total.records += result.records;
    total.facts += result.facts;
    total.late += result.late;
    total.crashes += result.crashes;
    if (result.errors.length > 0) failed.push(result);
    onResult?.(result);
    if (isFailFast && failed.length > 0) break;
  }
  return {...total, failed};
}
