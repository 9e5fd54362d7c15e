import {describe, expect, test} from 'vitest';
import {bucketOf, histogramQuantile} from '../../src/core/histogram.ts';
import {seededRng} from '../../src/core/rng.ts';
import {WindowStatistics} from '../../src/warehouse/window-statistics.ts';

const SEED = Date.now() % 1_000_000;

type Answer = {readonly value: number; readonly rate: number};

function windowOf(answers: readonly Answer[]) {
  const counts = new Map<number, number>();
  const extra = new Map<number, {bucket: number; weight: number; squares: number}>();
  let [sum, weights] = [0, 0];
  for (const {value, rate} of answers) {
    const [bucket, weight] = [bucketOf(value), 1e6 / rate];
    counts.set(bucket, (counts.get(bucket) ?? 0) + 1);
    sum += value * weight;
    weights += weight;
    if (rate === 1) continue;
    const known = extra.get(bucket) ?? {bucket, weight: 0, squares: 0};
    extra.set(bucket, {bucket, weight: known.weight + weight - 1e6, squares: known.squares + weight * weight - 1e12});
  }
  const values = answers.map(({value}) => value);
  const n = values.length;
  const plain = values.reduce((total, value) => total + value, 0) / n;
  const sd = Math.sqrt(values.reduce((total, value) => total + (value - plain) ** 2, 0) / (n - 1));
  const statistics = new WindowStatistics({counts: [...counts], extra: [...extra.values()], min: Math.min(...values), max: Math.max(...values)});
  return {statistics, counts: [...counts], n, mean: sum / weights, sd, plain, errors: statistics.errors({n, mean: sum / weights, sd})};
}

describe('a window', () => {
  test(`of one rate is that of what was sent (SEED=${SEED})`, () => {
    const rng = seededRng(SEED);
    const values = Array.from({length: 500}, () => 1 + rng.next() ** 3 * 40);
    const [full, tenth] = [1, 0.1].map(rate => windowOf(values.map(value => ({value, rate}))));
    if (full === undefined || tenth === undefined) throw new Error('two windows');
    const bounds = {min: Math.min(...values), max: Math.max(...values)};
    for (const p of [0.5, 0.95, 0.99]) expect(full.statistics.quantile(p)).toBe(histogramQuantile(full.counts, p, bounds));
    expect(full.errors.mean).toBe(full.sd / Math.sqrt(500));
    for (const p of [0.501, 0.9501, 0.9901]) expect(tenth.statistics.quantile(p)).toBe(full.statistics.quantile(p));
    for (const name of ['mean', 'p50', 'p95'] as const) expect(tenth.errors[name] / full.errors[name]).toBeCloseTo(1, name === 'mean' ? 4 : 0);
  });

  /** The later half of the answers are higher and spread wider, and a tenth of them is sent. */
  test(`of several rates is that of the whole, and its errors are what it is wrong by; without weights it is neither (SEED=${SEED})`, () => {
    const rng = seededRng(SEED + 1);
    const truth = {mean: (1.5 + 6) / 2, p95: 8 - 4 * 0.1};
    const found: {mean: number; p95: number; errors: {mean: number; p95: number}; plain: number; plainError: number}[] = [];
    for (let run = 0; run < 400; run += 1) {
      const answers: Answer[] = [];
      for (let at = 0; at < 2_000; at += 1) {
        if (at % 2 === 0) answers.push({value: 1 + rng.next(), rate: 1});
        else if (rng.next() < 0.1) answers.push({value: 4 + 4 * rng.next(), rate: 0.1});
      }
      const {statistics, mean, errors, plain, sd, n} = windowOf(answers);
      found.push({mean, p95: statistics.quantile(0.95), errors, plain, plainError: sd / Math.sqrt(n)});
    }
    const average = (of: (run: (typeof found)[number]) => number): number => found.reduce((sum, run) => sum + of(run), 0) / found.length;
    const spread = (of: (run: (typeof found)[number]) => number): number => Math.sqrt(average(run => (of(run) - average(of)) ** 2));
    expect(average(({mean}) => mean)).toBeCloseTo(truth.mean, 1);
    expect(Math.abs(average(({p95}) => p95) / truth.p95 - 1)).toBeLessThan(0.015);
    // Standard errors against the spread of 400 windows, which is itself known within 4 % (one sigma). Somewhat
    // larger is right: which answers come at which rate is fixed here, and the errors take it for chance.
    expect(average(({errors}) => errors.mean) / spread(({mean}) => mean)).toBeGreaterThan(0.85);
    expect(average(({errors}) => errors.mean) / spread(({mean}) => mean)).toBeLessThan(1.25);
    expect(average(({errors}) => errors.p95) / spread(({p95}) => p95)).toBeGreaterThan(0.7);
    expect(average(({errors}) => errors.p95) / spread(({p95}) => p95)).toBeLessThan(1.4);
    expect(Math.abs(average(({plain}) => plain) - truth.mean)).toBeGreaterThan(1);
    expect(average(({plainError}) => plainError) / spread(({mean}) => mean)).toBeLessThan(0.6);
  });

  test('a share weighs, too, also where all outcomes of a window agree', () => {
    const half = windowOf([...Array.from({length: 100}, () => ({value: 0, rate: 1})), ...Array.from({length: 10}, () => ({value: 1, rate: 0.1}))]);
    expect(half.mean).toBe(0.5);
    // Σw²(x − ½)² / (Σw)², the fails by themselves.
    expect(half.errors.mean).toBeCloseTo(Math.sqrt((100 * 0.25 + 10 * 100 * 0.25) / 200 ** 2), 3);
    const same = windowOf([{value: 1, rate: 1}, {value: 1, rate: 0.5}]);
    expect([same.mean, same.errors.mean, same.statistics.quantile(0.95)]).toEqual([1, 0, 1]);
  });
});
