import fc from 'fast-check';
import {describe, expect, it} from 'vitest';
import {ksTwoSample} from '../../src/stats/ks-two-sample.ts';
import {mannWhitneyU} from '../../src/stats/mann-whitney-u.ts';
import {wilcoxonSignedRank, type ZeroMethod} from '../../src/stats/wilcoxon-signed-rank.ts';

// The exact distributions against plain enumeration. fast-check prints the seed of a failing run.

/** Few distinct values, so that ties are common. */
const likert = (minLength: number, maxLength: number) =>
  fc.array(fc.integer({min: -3, max: 3}), {minLength, maxLength});

function midRanks(values: readonly number[]): number[] {
  return values.map(value => {
    const below = values.filter(other => other < value).length;
    const equal = values.filter(other => other === value).length;
    return below + (equal + 1) / 2;
  });
}

/** All subsets of 0..n−1 as bit masks. */
function masks(n: number): number[] {
  return Array.from({length: 2 ** n}, (_, mask) => mask);
}

function choose(values: readonly number[], mask: number): number[] {
  return values.filter((_, i) => (mask & (1 << i)) !== 0);
}

const total = (values: readonly number[]): number => values.reduce((all, value) => all + value, 0);

function shareOf(values: readonly number[], holds: (value: number) => boolean): number {
  return values.filter(holds).length / values.length;
}

describe('exact distributions equal full enumeration', () => {
  it.each<ZeroMethod>(['wilcox', 'pratt', 'zsplit'])(
    'signed rank with ties and zeros, zeros by %s',
    zeroMethod => {
      fc.assert(
        fc.property(likert(1, 9), differences => {
          const nonZero = differences.filter(d => d !== 0);
          fc.pre(nonZero.length > 0);
          const kept = zeroMethod === 'wilcox' ? nonZero : differences;
          const ranks = midRanks(kept.map(Math.abs)).filter((_, i) => kept[i] !== 0);
          const observed = total(ranks.filter((_, i) => (nonZero[i] as number) > 0));
          const sums = masks(ranks.length).map(mask => total(choose(ranks, mask)));
          const upper = shareOf(sums, sum => sum >= observed);
          const lower = shareOf(sums, sum => sum <= observed);
          const p = (alternative: 'two-sided' | 'greater' | 'less') => {
            const result = wilcoxonSignedRank({differences}, {alternative, zeroMethod, method: 'exact'});
            return result.status === 'ok' ? result.pValue : Number.NaN;
          };
          expect(p('greater')).toBeCloseTo(upper, 12);
          expect(p('less')).toBeCloseTo(lower, 12);
          expect(p('two-sided')).toBeCloseTo(Math.min(1, 2 * Math.min(upper, lower)), 12);
        }),
      );
    },
  );

  it('rank sum with ties', () => {
    fc.assert(
      fc.property(likert(1, 5), likert(1, 6), (a, b) => {
        const pooled = [...a, ...b];
        fc.pre(new Set(pooled).size > 1);
        const ranks = midRanks(pooled);
        const observed = total(ranks.slice(0, a.length));
        const sums = masks(pooled.length)
          .map(mask => choose(ranks, mask))
          .filter(chosen => chosen.length === a.length)
          .map(total);
        const greater = mannWhitneyU({a, b}, {alternative: 'greater'});
        const less = mannWhitneyU({a, b}, {alternative: 'less'});
        expect(greater.status === 'ok' && greater.pValue).toBeCloseTo(
          shareOf(sums, sum => sum >= observed),
          12,
        );
        expect(less.status === 'ok' && less.pValue).toBeCloseTo(
          shareOf(sums, sum => sum <= observed),
          12,
        );
      }),
    );
  });

  it('Kolmogorov–Smirnov with ties', () => {
    fc.assert(
      fc.property(likert(1, 5), likert(1, 6), (a, b) => {
        const pooled = [...a, ...b];
        const distance = (mask: number): number => {
          const inA = pooled.map((_, i) => (mask & (1 << i)) !== 0);
          const gaps = pooled.map(bound => {
            const countA = pooled.filter((value, i) => inA[i] && value <= bound).length;
            const countB = pooled.filter((value, i) => !inA[i] && value <= bound).length;
            return Math.abs(countA * b.length - countB * a.length);
          });
          return Math.max(...gaps);
        };
        const observed = distance(2 ** a.length - 1);
        const all = masks(pooled.length)
          .filter(mask => choose(pooled, mask).length === a.length)
          .map(distance);
        const result = ksTwoSample({a, b});
        expect(result.status === 'ok' && result.statistic).toBeCloseTo(observed / (a.length * b.length), 14);
        expect(result.status === 'ok' && result.pValue).toBeCloseTo(
          shareOf(all, value => value >= observed),
          12,
        );
      }),
    );
  });

  it('Hodges–Lehmann estimates equal the median of all pairs', () => {
    const values = fc.array(fc.double({min: -1e6, max: 1e6, noNaN: true}), {minLength: 1, maxLength: 30});
    const median = (list: readonly number[]): number => {
      const sorted = [...list].sort((x, y) => x - y);
      const at = (i: number): number => sorted[i] as number;
      const half = sorted.length >> 1;
      return sorted.length % 2 === 1 ? at(half) : (at(half - 1) + at(half)) / 2;
    };
    fc.assert(
      fc.property(values, values, (a, b) => {
        fc.pre(new Set([...a, ...b]).size > 1 && a.some(x => x !== 0));
        const shift = mannWhitneyU({a, b});
        expect(shift.status === 'ok' && shift.hodgesLehmann).toBeCloseTo(
          median(a.flatMap(x => b.map(y => x - y))),
          6,
        );
        const walsh = a.flatMap((x, i) => a.slice(i).map(y => (x + y) / 2));
        const location = wilcoxonSignedRank({differences: a});
        fc.pre(location.status === 'ok');
        expect(location.status === 'ok' && location.hodgesLehmann).toBeCloseTo(median(walsh), 6);
      }),
    );
  });
});

describe('large samples', () => {
  it('100 000 pairs, without listing the 5e9 pairwise means, take well under a second', () => {
    // A linear congruential generator with a fixed seed: 7.
    let state = 7;
    const next = (): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state / 2 ** 32;
    };
    const differences = Float64Array.from({length: 100_000}, () => next() + next() - 0.99);
    const started = performance.now();
    const result = wilcoxonSignedRank({differences});
    expect(performance.now() - started).toBeLessThan(3000);
    expect(result).toMatchObject({status: 'ok', method: 'asymptotic', n: 100_000});
    expect(result.status === 'ok' && result.hodgesLehmann).toBeCloseTo(0.01, 2);
  });

  it('200 pairs can be tested exactly: all positive gives 2/2^200', () => {
    const differences = Array.from({length: 200}, (_, i) => i + 0.5);
    const result = wilcoxonSignedRank({differences}, {method: 'exact'});
    expect(result.status === 'ok' && result.pValue).toBe(2 ** -199);
  });

  it('a million zeros leave the exact Pratt test feasible', () => {
    const groups = [
      {difference: 0, count: 1_000_000},
      {difference: 1, count: 20},
      {difference: -2, count: 12},
      {difference: 3, count: 18},
    ];
    const exact = wilcoxonSignedRank({groups}, {zeroMethod: 'pratt', method: 'exact'});
    const approximate = wilcoxonSignedRank({groups}, {zeroMethod: 'pratt', method: 'asymptotic'});
    if (exact.status !== 'ok' || approximate.status !== 'ok') throw new Error('both must be computable');
    expect(exact.pValue / approximate.pValue).toBeCloseTo(1, 1);
  });
});
