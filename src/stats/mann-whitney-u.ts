import {armOf, type PairedGroups, readTwoSamples, type TwoSamples} from './groups.ts';
import {exactPValue, normalPValue} from './inference.ts';
import {attempt, type Outcome, refuse} from './outcome.ts';
import {rankSum} from './rank-sum.ts';
import {requireAtLeast} from './read-input.ts';
import {type Alternative, alternative, bool, oneOf, readOptions} from './read-options.ts';
import {selectPair} from './select-pair.ts';
import {continuityCorrection} from './wilcoxon-signed-rank.ts';

export interface MannWhitneyUOptions {
  readonly alternative: Alternative;
  /** `auto`: exact when both arms have up to 50 observations. */
  readonly method: 'auto' | 'exact' | 'asymptotic';
  readonly continuity: boolean;
}

export interface MannWhitneyUResult {
  readonly nA: number;
  readonly nB: number;
  readonly method: 'exact' | 'asymptotic';
  /** U of arm a. */
  readonly statistic: number;
  readonly u1: number;
  readonly u2: number;
  /** Only with the asymptotic method. */
  readonly z?: number;
  readonly pValue: number;
  /** commonLanguage: share of pairs in which a is above b, ties counting half. */
  readonly effectSize: {readonly rankBiserial: number; readonly commonLanguage: number};
  /** Median of all a − b, in the unit of the data. */
  readonly hodgesLehmann: number;
}

/**
 * Mann–Whitney U for two independent arms, from observations or from groups
 * {value, nA, nB}. Errors: `non_finite`, `insufficient_data` (an empty arm),
 * `zero_variance` (all values tied), `invalid_argument`.
 * Source: Mann and Whitney (1947); exact distribution conditional on ties; agrees with scipy `mannwhitneyu`.
 */
export function mannWhitneyU(
  input: TwoSamples,
  options?: Partial<MannWhitneyUOptions>,
): Outcome<MannWhitneyUResult> {
  return attempt(() => {
    const chosen = readOptions<MannWhitneyUOptions>(options, {
      alternative,
      method: oneOf(['auto', 'exact', 'asymptotic'], 'auto'),
      continuity: bool(true),
    });
    const groups = readTwoSamples(input);
    const {nA, nB} = groups;
    requireAtLeast(nA, 1, 'a');
    requireAtLeast(nB, 1, 'b');
    const {u1, ties, largest} = countWins(groups);
    if (largest === nA + nB)
      refuse(
        'zero_variance',
        'all values of a and b are equal: nothing can be ranked; report that the arms agree',
      );
    const pairs = nA * nB;
    return {
      nA,
      nB,
      statistic: u1,
      u1,
      u2: pairs - u1,
      ...significance(groups, {u1, ties}, chosen),
      effectSize: {rankBiserial: (2 * u1) / pairs - 1, commonLanguage: u1 / pairs},
      hodgesLehmann: selectPair.medianDifference(present(groups, 'a'), present(groups, 'b'), pairs),
    };
  });
}

interface Wins {
  readonly u1: number;
  /** Σ (t³ − t) over tie groups. */
  readonly ties: number;
}

function countWins({values, countsA, countsB}: PairedGroups): Wins & {largest: number} {
  let [u1, ties, largest, below] = [0, 0, 0, 0];
  for (let g = 0; g < values.length; g++) {
    const a = countsA[g] as number;
    const b = countsB[g] as number;
    u1 += a * (below + b / 2);
    below += b;
    ties += (a + b) ** 3 - (a + b);
    largest = Math.max(largest, a + b);
  }
  return {u1, ties, largest};
}

function significance(
  groups: PairedGroups,
  {u1, ties}: Wins,
  options: MannWhitneyUOptions,
): {method: 'exact' | 'asymptotic'; pValue: number; z?: number} {
  const {nA, nB} = groups;
  if (options.method === 'exact' || (options.method === 'auto' && nA <= 50 && nB <= 50)) {
    if (!rankSum.isFeasible(nA, nB, ties > 0)) {
      refuse(
        'invalid_argument',
        `method is exact with arms of ${nA} and ${nB}: that takes too long; use asymptotic`,
      );
    }
    return {method: 'exact', pValue: exactPValue(rankSum.tails(groups, u1), options.alternative)};
  }
  const all = nA + nB;
  const variance = ((nA * nB) / 12) * (all + 1 - ties / (all * (all - 1)));
  const centred = u1 - (nA * nB) / 2;
  const correction = options.continuity ? continuityCorrection(centred, options.alternative) : 0;
  const z = (centred - correction) / Math.sqrt(variance);
  return {method: 'asymptotic', z, pValue: normalPValue(z, options.alternative)};
}

/** Groups that occur in one arm. */
function present(groups: PairedGroups, arm: 'a' | 'b'): {values: Float64Array; counts: Float64Array} {
  const {values, counts} = armOf(groups, arm);
  return {
    values: values.filter((_, g) => (counts[g] as number) > 0),
    counts: counts.filter(count => count > 0),
  };
}
