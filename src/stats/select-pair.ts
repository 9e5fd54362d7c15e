/**
 * The k-th smallest of all pairwise sums or differences without listing them.
 * Counting the pairs at or below a bound is one walk down a staircase, because
 * rounded addition is monotone; bisecting the bound over the doubles themselves
 * needs at most 64 walks and ends exactly on a value that occurs. O(n) memory.
 */
export const selectPair = {walshAverage, difference, medianWalshAverage, medianDifference};

interface Column {
  /** Ascending. */
  readonly values: Float64Array;
  readonly counts: Float64Array;
}

/** k-th smallest, k from 1, of (x_i + x_j)/2 over i <= j. */
function walshAverage({values, counts}: Column, k: number): number {
  const reached = runningTotals(counts);
  const size = values.length;
  const countUpTo = (bound: number): number => {
    let pairs = 0;
    let right = size - 1;
    for (let left = 0; left < size; left++) {
      const value = values[left] as number;
      while (right >= left && value + (values[right] as number) > bound) right--;
      if (right < left) break;
      const own = counts[left] as number;
      pairs += own * ((reached[right] as number) - (reached[left] as number)) + (own * (own + 1)) / 2;
    }
    return pairs;
  };
  const low = 2 * (values[0] as number);
  const high = 2 * (values[size - 1] as number);
  return smallestReaching(countUpTo, k, {low, high}) / 2;
}

/** k-th smallest, k from 1, of a_i − b_j. */
function difference(a: Column, b: Column, k: number): number {
  const reached = runningTotals(b.counts);
  const all = reached.at(-1) as number;
  const size = b.values.length;
  const countUpTo = (bound: number): number => {
    let pairs = 0;
    let skipped = 0;
    for (let i = 0; i < a.values.length; i++) {
      const value = a.values[i] as number;
      while (skipped < size && value - (b.values[skipped] as number) > bound) skipped++;
      if (skipped === size) break;
      pairs += (a.counts[i] as number) * (all - (skipped === 0 ? 0 : (reached[skipped - 1] as number)));
    }
    return pairs;
  };
  const low = (a.values[0] as number) - (b.values[size - 1] as number);
  const high = (a.values.at(-1) as number) - (b.values[0] as number);
  return smallestReaching(countUpTo, k, {low, high});
}

function medianWalshAverage(column: Column, n: number): number {
  return middle((n * (n + 1)) / 2, k => walshAverage(column, k));
}

function medianDifference(a: Column, b: Column, pairs: number): number {
  return middle(pairs, k => difference(a, b, k));
}

function middle(size: number, select: (k: number) => number): number {
  const lower = select(Math.floor((size + 1) / 2));
  return size % 2 === 1 ? lower : (lower + select(size / 2 + 1)) / 2;
}

function smallestReaching(
  countUpTo: (bound: number) => number,
  k: number,
  range: {readonly low: number; readonly high: number},
): number {
  let low = toOrder(range.low);
  let high = toOrder(range.high);
  while (low < high) {
    const between = low + (high - low) / 2n;
    if (countUpTo(fromOrder(between)) >= k) high = between;
    else low = between + 1n;
  }
  return fromOrder(low);
}

const bits = new DataView(new ArrayBuffer(8));

/** Integers in the order of the doubles; −0 and 0 are the same. */
function toOrder(value: number): bigint {
  bits.setFloat64(0, Math.abs(value));
  const magnitude = bits.getBigInt64(0);
  return value < 0 ? -magnitude : magnitude;
}

function fromOrder(order: bigint): number {
  bits.setBigInt64(0, order < 0n ? -order : order);
  const magnitude = bits.getFloat64(0);
  return order < 0n ? -magnitude : magnitude;
}

function runningTotals(counts: Float64Array): Float64Array {
  let total = 0;
  return counts.map(count => {
    total += count;
    return total;
  });
}
