import {type PairedGroups, readTwoSamples, type TwoSamples} from './groups.ts';
import {kolmogorovSf} from './kolmogorov.ts';
import {attempt, type Outcome, refuse} from './outcome.ts';
import {requireAtLeast} from './read-input.ts';
import {oneOf, readOptions} from './read-options.ts';

export interface KsTwoSampleOptions {
  /** `auto`: exact when nA·nB is below 10 000, as in R. */
  readonly method: 'auto' | 'exact' | 'asymptotic';
}

export interface KsTwoSampleResult {
  readonly nA: number;
  readonly nB: number;
  readonly method: 'exact' | 'asymptotic';
  /** D, the largest distance between the two empirical distributions, 0 to 1. */
  readonly statistic: number;
  readonly pValue: number;
}

/** Lattice cells of about four seconds. */
const EXACT_CELLS_MAX = 1e9;

/**
 * Two-sided Kolmogorov–Smirnov test that two samples come from one distribution,
 * from observations or groups {value, nA, nB}.
 * Errors: `non_finite`, `insufficient_data` (an empty arm), `invalid_argument`.
 * Source: Smirnov (1939), exact paths conditional on ties (Schröer and Trenkler 1995); agrees with R `ks.test`.
 */
export function ksTwoSample(
  input: TwoSamples,
  options?: Partial<KsTwoSampleOptions>,
): Outcome<KsTwoSampleResult> {
  return attempt(() => {
    const {method} = readOptions<KsTwoSampleOptions>(options, {
      method: oneOf(['auto', 'exact', 'asymptotic'], 'auto'),
    });
    const groups = readTwoSamples(input);
    const {nA, nB} = groups;
    requireAtLeast(nA, 1, 'a');
    requireAtLeast(nB, 1, 'b');
    const distance = largestDistance(groups);
    const statistic = distance / (nA * nB);
    if (method === 'exact' || (method === 'auto' && nA * nB < 10_000)) {
      if (nA * nB > EXACT_CELLS_MAX) {
        refuse(
          'invalid_argument',
          `method is exact with arms of ${nA} and ${nB}: that takes too long; use asymptotic`,
        );
      }
      return {nA, nB, method: 'exact', statistic, pValue: exactTail(groups, distance)};
    }
    const lambda = Math.sqrt((nA / (nA + nB)) * nB) * statistic;
    return {nA, nB, method: 'asymptotic', statistic, pValue: kolmogorovSf(lambda)};
  });
}

/** max |i·nB − j·nA| over the ends of tie groups: D·nA·nB, a whole number, so that comparing is exact. */
function largestDistance({values, countsA, countsB, nA, nB}: PairedGroups): number {
  let [i, j, largest] = [0, 0, 0];
  for (let g = 0; g < values.length; g++) {
    i += countsA[g] as number;
    j += countsB[g] as number;
    largest = Math.max(largest, Math.abs(i * nB - j * nA));
  }
  return largest;
}

/**
 * P(D >= d): the share of lattice paths from (0,0) to (nA,nB) that reach the
 * distance at the end of a tie group. share[j] at row i is the share among the
 * paths to (i,j); it starts at 1 where the distance is reached, and only adds
 * positive terms, so far tails keep their digits.
 */
function exactTail(groups: PairedGroups, distance: number): number {
  const {nA, nB} = groups;
  const isGroupEnd = groupEnds(groups);
  const share = new Float64Array(nB + 1);
  for (let i = 0; i <= nA; i++) {
    for (let j = 0; j <= nB; j++) {
      if (isGroupEnd[i + j] === 1 && Math.abs(i * nB - j * nA) >= distance) {
        share[j] = 1;
        continue;
      }
      const fromA = i === 0 ? 0 : (i / (i + j)) * (share[j] as number);
      const fromB = j === 0 ? 0 : (j / (i + j)) * (share[j - 1] as number);
      share[j] = fromA + fromB;
    }
  }
  return Math.min(1, share[nB] as number);
}

function groupEnds({countsA, countsB, nA, nB}: PairedGroups): Uint8Array {
  const ends = new Uint8Array(nA + nB + 1);
  ends[0] = 1;
  let reached = 0;
  for (let g = 0; g < countsA.length; g++) {
    reached += (countsA[g] as number) + (countsB[g] as number);
    ends[reached] = 1;
  }
  return ends;
}
