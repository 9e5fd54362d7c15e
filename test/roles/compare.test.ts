/** The comparison table over windows in memory: what `assay compare` prints. */
import {afterEach, describe, expect, test} from 'vitest';
import {bucketOf} from '../../src/core/histogram.ts';
import {type EpochMs, epochMs} from '../../src/core/units.ts';
import {parseDefinitionText, requireDefinition} from '../../src/experiment/definition.ts';
import {compareExperiment} from '../../src/roles/compare.ts';
import {LIVE, NOW, openTestPlatform, type TestPlatform} from '../guard/platform.ts';

const YAML = `
experiment: models
variants: {v1: 60, v2: 40}
control: v1
metrics:
  - {key: error_rate, aggregate: share, status: [server_error], role: guardrail, direction: lower}
  - {key: latency, aggregate: mean, role: guardrail, direction: lower}
  - {key: cost, aggregate: total, role: diagnostic}
guards: [{kind: compare, metric: latency, window: 60s, tolerate: {relative: 0.5}, action: roll_back}]
health: [{metric: error_rate, best: 0, worst: 0.1, weight: 1}, {metric: latency, best: 100, worst: 500, weight: 1}]
`;

let one: TestPlatform | undefined;
afterEach(async () => {
  await one?.close();
  one = undefined;
});

async function open(): Promise<TestPlatform> {
  one = await openTestPlatform();
  const {platform} = one;
  await platform.registry.publish({stream: 'live', definition: requireDefinition(parseDefinitionText(YAML)), author: 'a', reason: 'r'});
  return one;
}

/** A slice of ten seconds from one partition. */
async function slice({warehouse}: TestPlatform, start: EpochMs, {variant, metric, n, mean, sd}: {variant: string; metric: string; n: number; mean: number; sd: number}): Promise<void> {
  await warehouse.insertProvisional('live', [{
    experiment: 'models', phase: 1, variant, metric, dimension: '', dimensionValue: '', sliceStart: start, partition: 0, logEpoch: 1, lastOffset: 1n,
    n, sum: n * mean, m2: sd * sd * (n - 1), min: 0, max: 2 * mean, denominatorSum: 0, extraWeight: 0, extraSum: 0, extraDenominatorSum: 0, histogram: new Map([[bucketOf(mean), n]]),
  }]);
}
const share = (n: number, mean: number) => ({metric: 'error_rate', n, mean, sd: Math.sqrt(mean * (1 - mean))});

describe('the comparison table', () => {
  test('each metric of each treatment beside control: tolerated as its own guard says or by default, and the health of every variant', async () => {
    const {platform, ...rest} = await open();
    for (const start of [NOW - 20_000, NOW - 10_000].map(epochMs)) {
      for (const [variant, errors, latency] of [['v1', 0.01, 120], ['v2', 0.05, 150]] as const) {
        await slice({platform, ...rest}, start, {variant, ...share(5_000, errors)});
        await slice({platform, ...rest}, start, {variant, metric: 'latency', n: 5_000, mean: latency, sd: 40});
      }
    }
    const table = await compareExperiment(platform, {stream: LIVE, experiment: 'models', windowMs: 20_000, to: NOW});
    expect(table).toMatchObject({phase: 1, config_version: 1, control: 'v1', window_start: new Date(NOW - 20_000).toISOString(), window_end: new Date(NOW).toISOString()});
    expect(table.comparisons).toMatchObject([
      {metric: 'error_rate', variant: 'v2', n_control: 10_000, n_variant: 10_000, control: expect.closeTo(0.01, 9), value: expect.closeTo(0.05, 9), relative: expect.closeTo(4, 6), tolerated: 0.0005, state: 'worse'},
      {metric: 'latency', variant: 'v2', difference: expect.closeTo(30, 6), tolerated: 60, state: 'within'},
    ]);
    expect(table.health).toMatchObject([
      {variant: 'v1', score: expect.closeTo((0.9 + 0.95) / 2, 6), grade: 'healthy'},
      {variant: 'v2', score: expect.closeTo((0.5 + 0.875) / 2, 6), grade: 'critical'},
    ]);
  });

  test('a window without data is inconclusive; another experiment is named', async () => {
    const {platform} = await open();
    const table = await compareExperiment(platform, {stream: LIVE, experiment: 'models', windowMs: 60_000, to: NOW});
    expect(table.comparisons.map(({state, n_variant}) => [state, n_variant])).toEqual([['inconclusive', 0], ['inconclusive', 0]]);
    expect(table.health.map(({score, grade}) => [score, grade])).toEqual([[null, null], [null, null]]);
    await expect(compareExperiment(platform, {stream: LIVE, experiment: 'nope', windowMs: 60_000, to: NOW})).rejects.toThrow('stream live has no experiment nope; it has answers, models');
  });
});
