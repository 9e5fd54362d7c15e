import {describe, expect, test} from 'vitest';
import {selectPair} from '../../src/stats/select-pair.ts';

const SEEDS = [1, 2, 3, 4, 5, 6];

function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Ascending distinct values with counts: whole numbers, decimals, far offsets, clumps and far outliers. */
function columnOf(next: () => number, kind: number) {
  const draws = Array.from({length: 1 + Math.floor(next() * 24)}, () => {
    if (kind === 0) return Math.round(next() * 6 - 3);
    if (kind === 1) return Math.round(next() * 1_000) / 100 - 5;
    if (kind === 2) return 1e9 + next();
    if (kind === 3) return next() < 0.1 ? (next() - 0.5) * 1e12 : next() * 1e-9;
    return (next() - 0.5) * 2;
  });
  const values = Float64Array.from(new Set(draws)).sort();
  return {values, counts: Float64Array.from(values, () => 1 + Math.floor(next() * 3))};
}

const listed = ({values, counts}: ReturnType<typeof columnOf>): number[] => [...values].flatMap((value, i) => Array.from({length: counts[i] ?? 0}, () => value));

describe('the k-th of all pairs', () => {
  test.each(SEEDS)('is the k-th of a list of them, for every k (seed %i)', seed => {
    const next = random(seed);
    for (let round = 0; round < 40; round++) {
      const [a, b] = [columnOf(next, round % 5), columnOf(next, round % 5)];
      const [x, y] = [listed(a), listed(b)];
      const averages = x.flatMap((value, i) => x.slice(i).map(other => (value + other) / 2)).sort((p, q) => p - q);
      for (const [index, expected] of averages.entries()) expect(selectPair.walshAverage(a, index + 1)).toBe(expected);
      const differences = x.flatMap(value => y.map(other => value - other)).sort((p, q) => p - q);
      for (const [index, expected] of differences.entries()) expect(selectPair.difference(a, b, index + 1)).toBe(expected);
    }
  });

  test.each(SEEDS)('the median is that of a list of them (seed %i)', seed => {
    const next = random(seed + 100);
    const middleOf = (sorted: readonly number[]): number => ((sorted[Math.ceil(sorted.length / 2) - 1] ?? Number.NaN) + (sorted[Math.floor(sorted.length / 2)] ?? Number.NaN)) / 2;
    for (let round = 0; round < 60; round++) {
      const [a, b] = [columnOf(next, round % 5), columnOf(next, round % 5)];
      const [x, y] = [listed(a), listed(b)];
      expect(selectPair.medianWalshAverage(a, x.length)).toBe(middleOf(x.flatMap((value, i) => x.slice(i).map(other => (value + other) / 2)).sort((p, q) => p - q)));
      expect(selectPair.medianDifference(a, b, x.length * y.length)).toBe(middleOf(x.flatMap(value => y.map(other => value - other)).sort((p, q) => p - q)));
    }
  });
});
