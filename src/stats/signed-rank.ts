/**
 * Exact distribution of the signed-rank sum W⁺: each rank is in it with
 * probability 1/2, whatever the ranks are. That covers ties (mid-ranks, doubled
 * to be whole) and Pratt's ranks too.
 */
export const signedRank = {
  /** Whether the exact distribution of these doubled ranks fits the tables: 2^1000 is as far as doubles count. */
  isFeasible(n: number, doubledTotal: number): boolean {
    return n <= 1000 && (doubledTotal <= TABLE_MAX || n <= 60);
  },
  tails,
  /** P(W <= w) for ranks 1..n. */
  cdf(w: number, n: number): number {
    if (w < 0) return 0;
    const total = (n * (n + 1)) / 2;
    return w >= total ? 1 : tails(doubledRanks(n), 2 * Math.floor(w)).lower;
  },
  quantile,
};

export interface Tails {
  /** P(X <= observed). */
  readonly lower: number;
  /** P(X >= observed). */
  readonly upper: number;
}

/** Cells of a table of 32 MB; n = 1000 without zeros needs a quarter of it. */
const TABLE_MAX = 4_000_000;

/** `doubled`: twice the rank of every non-zero difference; `observed`: twice W⁺. O(n · total rank sum). */
function tails(doubled: ArrayLike<number>, observed: number): Tails {
  const n = doubled.length;
  let step = 2;
  let total = 0;
  for (let i = 0; i < n; i++) {
    const rank = doubled[i] as number;
    if (rank % 2 !== 0) step = 1;
    total += rank;
  }
  const countUpTo = total / step <= TABLE_MAX ? plainCounts(doubled, step, total) : offsetCounts(doubled);
  // Symmetric: P(W >= w) = P(W <= total − w).
  const scale = 2 ** -n;
  return {
    lower: Math.min(1, countUpTo(observed) * scale),
    upper: Math.min(1, countUpTo(total - observed) * scale),
  };
}

/** Subsets with a rank sum up to the bound. */
type CountUpTo = (bound: number) => number;

function plainCounts(doubled: ArrayLike<number>, step: number, total: number): CountUpTo {
  const counts = countSubsets(doubled, step, total / step);
  return bound => cumulative(counts, Math.floor(bound / step));
}

/**
 * With many zeros Pratt's ranks are a large offset plus small ranks. Counting by
 * size k and small sum keeps the table small: W = k·offset + sum.
 */
function offsetCounts(doubled: ArrayLike<number>): CountUpTo {
  const offset = Math.min(...Array.from(doubled));
  const small = Array.from(doubled, rank => rank - offset);
  const size = small.reduce((all, rank) => all + rank, 0);
  const rows = Array.from({length: small.length + 1}, () => new Float64Array(size + 1));
  (rows[0] as Float64Array)[0] = 1;
  small.forEach((rank, taken) => {
    for (let k = taken; k >= 0; k--) {
      const from = rows[k] as Float64Array;
      const to = rows[k + 1] as Float64Array;
      for (let s = size; s >= rank; s--) to[s] = (to[s] as number) + (from[s - rank] as number);
    }
  });
  return bound => rows.reduce((all, row, k) => all + cumulative(row, Math.floor(bound - k * offset)), 0);
}

function countSubsets(ranks: ArrayLike<number>, step: number, size: number): Float64Array {
  const counts = new Float64Array(size + 1);
  counts[0] = 1;
  let reached = 0;
  for (let i = 0; i < ranks.length; i++) {
    const rank = (ranks[i] as number) / step;
    reached += rank;
    for (let s = reached; s >= rank; s--) counts[s] = (counts[s] as number) + (counts[s - rank] as number);
  }
  return counts;
}

function cumulative(counts: Float64Array, last: number): number {
  let total = 0;
  for (let s = 0; s <= last && s < counts.length; s++) total += counts[s] as number;
  return total;
}

/** Smallest w with P(W <= w) >= p, with R's guard of 10 epsilons (qsignrank). */
function quantile(p: number, n: number): number {
  const total = (n * (n + 1)) / 2;
  const counts = countSubsets(doubledRanks(n), 2, total);
  const scale = 2 ** -n;
  const isLower = p <= 0.5;
  const target = isLower ? p - 10 * Number.EPSILON : 1 - p + 10 * Number.EPSILON;
  let reached = 0;
  for (let w = 0; w <= total; w++) {
    reached += (counts[w] as number) * scale;
    if (isLower ? reached >= target : reached > target) return isLower ? w : total - w;
  }
  return total;
}

function doubledRanks(n: number): number[] {
  return Array.from({length: n}, (_, i) => 2 * (i + 1));
}
