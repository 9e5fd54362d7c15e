import type {Groups} from './groups.ts';

export interface OrderStatistics {
  readonly n: number;
  /** The value of rank 1..n. */
  readonly at: (rank: number) => number;
  /** Type-7 quantile (R's and numpy's default), p in [0, 1]. */
  readonly quantile: (p: number) => number;
}

/** Ranks within grouped values by binary search over running counts; n must be at least 1. */
export function orderStatistics({values, counts, n}: Groups): OrderStatistics {
  const reached = new Float64Array(counts.length);
  let total = 0;
  for (let g = 0; g < counts.length; g++) {
    total += counts[g] as number;
    reached[g] = total;
  }
  const at = (rank: number): number => {
    let low = 0;
    let high = reached.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((reached[middle] as number) >= rank) high = middle;
      else low = middle + 1;
    }
    return values[low] as number;
  };
  const quantile = (p: number): number => {
    const position = (n - 1) * p;
    const below = Math.min(n - 1, Math.floor(position));
    const low = at(below + 1);
    const share = position - below;
    if (share === 0) return low;
    const high = at(Math.min(n, below + 2));
    return low + share * (high - low);
  };
  return {n, at, quantile};
}
