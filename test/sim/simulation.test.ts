import {beforeAll, describe, expect, test} from 'vitest';
import {simPorts} from '../../src/roles/sim.ts';
import {BUG_NAMES} from '../../src/simulate/faults/planted-bugs.ts';
import {runSeed, runSeeds} from '../../src/simulate/faults/run-seed.ts';
import type {SimPorts} from '../../src/simulate/faults/sim-ports.ts';

describe('simulation of the real worker and closer', () => {
  let ports: SimPorts;
  beforeAll(async () => {
    ports = await simPorts();
  });

  test('whatever crashes, repeats, is late or loses its answer: facts, books and slices are exact', {timeout: 300_000}, async () => {
    const report = await runSeeds({firstSeed: 1, seeds: 200, ports});
    expect(report.failed.map(({seed, errors}) => ({seed, errors: errors.slice(0, 3)}))).toEqual([]);
    expect(report.facts).toBeGreaterThan(5_000);
    expect(report.crashes).toBeGreaterThan(50);
    expect(report.late).toBeGreaterThan(500);
  });

  test('a seed is one history: run twice it is the same', {timeout: 60_000}, async () => {
    expect(await runSeed(7, ports)).toEqual(await runSeed(7, ports));
  });

  test.each(BUG_NAMES)('the planted bug %s is noticed within 100 seeds', {timeout: 300_000}, async bug => {
    const report = await runSeeds({firstSeed: 1, seeds: 100, ports, bug, isFailFast: true});
    expect(report.failed).toHaveLength(1);
  });
});
