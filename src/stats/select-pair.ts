/**
 * The k-th smallest of all pairwise sums or differences without listing them.
 * Counting the pairs at or below a bound is one walk down a staircase, because
 * rounded addition is monotone. The bound is found by interpolation between
 * counts; once few values are left between the bounds they are listed and the
 * wanted one is picked, so the result is a value that occurs. O(n) memory.
 */
export const selectPair = {walshAverage, difference, medianWalshAverage, medianDifference};

interface Column {
  /** Ascending. */
  readonly values: Float64Array;
  readonly counts: Float64Array;
}

/**
 * Entries of the table are listed, and sorted, once no more of them are left, per value: a walk costs less than to sort
 * one entry a value. Where many pairs have the same value few are not reached, and more are listed.
 */
const LISTED_PER_VALUE = 1;
const LISTED_EARLY = 1 / 64;
const EARLY_TURNS = 12;

/** Bounds with low < wanted ≤ high: how many pairs and how many entries of the table are at or below each. */
interface Table {
  /** Pairs with a value ≤ bound, and entries (i, j) of the table that hold them. */
  readonly upTo: (bound: number) => {readonly pairs: number; readonly entries: number};
  /** Entries with low < value ≤ high, as values and their pairs. */
  readonly between: (low: number, high: number) => {readonly value: number; readonly pairs: number}[];
  /** The smallest value above a bound. */
  readonly after: (bound: number) => number;
  readonly low: number;
  readonly high: number;
  /** Entries that may be listed. */
  readonly listed: number;
}

/** k-th smallest, k from 1, of (x_i + x_j)/2 over i <= j. */
function walshAverage(column: Column, k: number): number {
  return smallestReaching(sumsOf(column), k) / 2;
}

/** x_i + x_j over i <= j. */
function sumsOf({values, counts}: Column): Table {
  const reached = runningTotals(counts);
  const size = values.length;
  const upTo = (bound: number) => {
    let [pairs, entries] = [0, 0];
    let right = size - 1;
    for (let left = 0; left < size; left++) {
      const value = values[left] as number;
      while (right >= left && value + (values[right] as number) > bound) right--;
      if (right < left) break;
      const own = counts[left] as number;
      pairs += own * ((reached[right] as number) - (reached[left] as number)) + (own * (own + 1)) / 2;
      entries += right - left + 1;
    }
    return {pairs, entries};
  };
  const between = (low: number, high: number) => {
    const found: {value: number; pairs: number}[] = [];
    let right = size - 1;
    for (let left = 0; left < size; left++) {
      const value = values[left] as number;
      while (right >= left && value + (values[right] as number) > high) right--;
      if (right < left) break;
      const own = counts[left] as number;
      for (let at = right; at >= left && value + (values[at] as number) > low; at--) {
        found.push({value: value + (values[at] as number), pairs: at === left ? (own * (own + 1)) / 2 : own * (counts[at] as number)});
      }
    }
    return found;
  };
  const after = (bound: number) => {
    let least = Number.POSITIVE_INFINITY;
    let right = size - 1;
    for (let left = 0; left < size; left++) {
      const value = values[left] as number;
      while (right >= 0 && value + (values[right] as number) > bound) right--;
      const next = Math.max(left, right + 1);
      if (next < size) least = Math.min(least, value + (values[next] as number));
    }
    return least;
  };
  const low = 2 * (values[0] as number);
  const high = 2 * (values[size - 1] as number);
  return {upTo, between, after, low, high, listed: LISTED_PER_VALUE * size};
}

/** k-th smallest, k from 1, of a_i − b_j. */
function difference(a: Column, b: Column, k: number): number {
  return smallestReaching(differencesOf(a, b), k);
}

/** a_i − b_j. */
function differencesOf(a: Column, b: Column): Table {
  const reached = runningTotals(b.counts);
  const all = reached.at(-1) as number;
  const size = b.values.length;
  const upTo = (bound: number) => {
    let [pairs, entries, skipped] = [0, 0, 0];
    for (let i = 0; i < a.values.length; i++) {
      const value = a.values[i] as number;
      while (skipped < size && value - (b.values[skipped] as number) > bound) skipped++;
      if (skipped === size) break;
      pairs += (a.counts[i] as number) * (all - (skipped === 0 ? 0 : (reached[skipped - 1] as number)));
      entries += size - skipped;
    }
    return {pairs, entries};
  };
  const between = (low: number, high: number) => {
    const found: {value: number; pairs: number}[] = [];
    let skipped = 0;
    for (let i = 0; i < a.values.length; i++) {
      const value = a.values[i] as number;
      while (skipped < size && value - (b.values[skipped] as number) > high) skipped++;
      for (let at = skipped; at < size && value - (b.values[at] as number) > low; at++) {
        found.push({value: value - (b.values[at] as number), pairs: (a.counts[i] as number) * (b.counts[at] as number)});
      }
    }
    return found;
  };
  const after = (bound: number) => {
    let least = Number.POSITIVE_INFINITY;
    let skipped = 0;
    for (let i = 0; i < a.values.length; i++) {
      const value = a.values[i] as number;
      while (skipped < size && value - (b.values[skipped] as number) > bound) skipped++;
      if (skipped > 0) least = Math.min(least, value - (b.values[skipped - 1] as number));
    }
    return least;
  };
  const low = (a.values[0] as number) - (b.values[size - 1] as number);
  const high = (a.values.at(-1) as number) - (b.values[0] as number);
  return {upTo, between, after, low, high, listed: LISTED_PER_VALUE * (size + a.values.length)};
}

function medianWalshAverage(column: Column, n: number): number {
  return middle((n * (n + 1)) / 2, sumsOf(column)) / 2;
}

function medianDifference(a: Column, b: Column, pairs: number): number {
  return middle(pairs, differencesOf(a, b));
}

/** Of the two in the middle the second is the first again, or the next value that occurs. */
function middle(size: number, table: Table): number {
  const half = Math.floor((size + 1) / 2);
  const lower = smallestReaching(table, half);
  if (size % 2 === 1) return lower;
  return (lower + (table.upTo(lower).pairs > half ? lower : table.after(lower))) / 2;
}

function smallestReaching(table: Table, k: number): number {
  const first = table.upTo(table.low);
  if (first.pairs >= k) return table.low;
  let below = {bound: table.low, ...first};
  let reaching = {bound: table.high, ...table.upTo(table.high)};
  for (let turn = 0; reaching.entries - below.entries > table.listed * (turn < EARLY_TURNS ? LISTED_EARLY : 1); turn++) {
    const bound = nextBound(below, reaching, {k, turn});
    // Neighbouring doubles: what is left between them is one value.
    if (bound <= below.bound || bound >= reaching.bound) return reaching.bound;
    const at = {bound, ...table.upTo(bound)};
    if (at.pairs >= k) reaching = at;
    else below = at;
  }
  let pairs = below.pairs;
  for (const entry of table.between(below.bound, reaching.bound).sort((x, y) => x.value - y.value)) {
    pairs += entry.pairs;
    if (pairs >= k) return entry.value;
  }
  return reaching.bound;
}

interface Reached {
  readonly bound: number;
  readonly pairs: number;
}

/** Where a straight line between the counts would reach k; every third time the middle of the doubles, so that it ends. */
function nextBound(below: Reached, reaching: Reached, {k, turn}: {readonly k: number; readonly turn: number}): number {
  const share = (k - below.pairs) / (reaching.pairs - below.pairs);
  const along = below.bound + (reaching.bound - below.bound) * share;
  if (turn % 3 !== 2 && along > below.bound && along < reaching.bound) return along;
  const low = toOrder(below.bound);
  return fromOrder(low + (toOrder(reaching.bound) - low) / 2n);
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
