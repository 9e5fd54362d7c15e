import type {Tails} from './signed-rank.ts';

export interface RankSumGroups {
  /** Observations of arm a and of both arms per distinct value, ascending. */
  readonly countsA: ArrayLike<number>;
  readonly countsB: ArrayLike<number>;
}

/**
 * Exact distribution of Mann–Whitney's U given the ties: every choice of n1 of
 * the N pooled observations is equally likely.
 */
export const rankSum = {
  isFeasible,
  tails,
  /** P(U <= u) for n1 and n2 observations without ties. */
  cdf(u: number, n1: number, n2: number): number {
    if (u < 0) return 0;
    if (u >= n1 * n2) return 1;
    const row = countChoices(new Array<number>(n1 + n2).fill(1), {chosen: n1, rest: n2, unit: 1});
    return shares(row, Math.floor(u)).lower;
  },
};

/** Additions of about four seconds, on tables of about 100 MB. */
const COST_MAX = 4e9;

/** Counts of more than 1000 items would leave the doubles, and the work grows with the fourth power. */
function isFeasible(n1: number, n2: number, hasTies: boolean): boolean {
  const cost = ((n1 + n2) * Math.min(n1, n2) * n1 * n2 * (hasTies ? 2 : 1)) / 3;
  return n1 + n2 <= 1000 && cost <= COST_MAX;
}

/** Both tails of U of arm a at `u1`, conditional on the group sizes. */
function tails(groups: RankSumGroups, u1: number): Tails {
  const sizes: number[] = [];
  let n1 = 0;
  let n2 = 0;
  for (let g = 0; g < groups.countsA.length; g++) {
    const a = groups.countsA[g] as number;
    const b = groups.countsB[g] as number;
    n1 += a;
    n2 += b;
    if (a + b > 0) sizes.push(a + b);
  }
  // U is whole without ties and may be a half with them.
  const unit = sizes.some(size => size > 1) ? 2 : 1;
  // The smaller arm makes the smaller table; U of the other arm mirrors it.
  if (n1 <= n2) return shares(countChoices(sizes, {chosen: n1, rest: n2, unit}), u1 * unit);
  const mirrored = shares(countChoices(sizes, {chosen: n2, rest: n1, unit}), (n1 * n2 - u1) * unit);
  return {lower: mirrored.upper, upper: mirrored.lower};
}

interface Choice {
  readonly chosen: number;
  readonly rest: number;
  /** 2 when U is counted in halves. */
  readonly unit: number;
}

/**
 * rows[k][s]: ways to have chosen k of the items so far with U = s/unit. Choosing
 * j of a group of g, after `before` items of which k were chosen, adds
 * j·(before − k) for the smaller ones left out and j·(g − j)/2 for the tied ones.
 */
function countChoices(sizes: readonly number[], {chosen, rest, unit}: Choice): Float64Array {
  const rows = Array.from({length: chosen + 1}, (_, k) => new Float64Array(unit * k * rest + 1));
  (rows[0] as Float64Array)[0] = 1;
  let before = 0;
  for (const size of sizes) {
    for (let target = Math.min(chosen, before + size); target >= 1; target--) {
      if (before + size - target > rest) break;
      let ways = 1;
      for (let j = 1; j <= Math.min(size, target); j++) {
        ways = (ways * (size - j + 1)) / j;
        const k = target - j;
        const left = before - k;
        if (left < 0 || left > rest) continue;
        const shift = unit * j * left + (unit * j * (size - j)) / 2;
        addShifted(rows[target] as Float64Array, rows[k] as Float64Array, {
          shift,
          ways,
          length: unit * k * left + 1,
        });
      }
    }
    before += size;
  }
  return rows[chosen] as Float64Array;
}

function addShifted(
  target: Float64Array,
  source: Float64Array,
  how: {shift: number; ways: number; length: number},
): void {
  const {shift, ways, length} = how;
  for (let s = 0; s < length; s++) {
    const count = source[s] as number;
    if (count !== 0) target[s + shift] = (target[s + shift] as number) + ways * count;
  }
}

function shares(row: Float64Array, observed: number): Tails {
  let below = 0;
  for (let s = 0; s < observed; s++) below += row[s] as number;
  let above = 0;
  for (let s = row.length - 1; s > observed; s--) above += row[s] as number;
  const at = row[observed] ?? 0;
  const total = below + at + above;
  return {lower: Math.min(1, (below + at) / total), upper: Math.min(1, (above + at) / total)};
}
