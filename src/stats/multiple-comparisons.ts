import {attempt, type Outcome, refuse} from './outcome.ts';
import {type Numbers, readNumbers, readRecord, requireFinite} from './read-input.ts';
import {oneOf, openFraction, readOptions} from './read-options.ts';

export type Correction = 'bh' | 'by' | 'holm' | 'bonferroni';

export interface MultipleComparisonsOptions {
  /** Benjamini–Hochberg, Benjamini–Yekutieli (false discovery rate); Holm, Bonferroni (family-wise error). */
  readonly method: Correction;
  readonly alpha: number;
}

export interface MultipleComparisonsResult {
  /** In the order of the input, at most 1, monotone in the p-values. */
  readonly adjusted: readonly number[];
  /** adjusted <= alpha. */
  readonly rejected: readonly boolean[];
}

/**
 * Adjusts p-values for the number of comparisons. Errors: `non_finite`, `invalid_argument` (outside [0, 1]).
 * Source: Holm (1979), Benjamini and Hochberg (1995), Benjamini and Yekutieli (2001); agrees with R `p.adjust`.
 */
export function multipleComparisons(
  input: {readonly pValues: Numbers},
  options?: Partial<MultipleComparisonsOptions>,
): Outcome<MultipleComparisonsResult> {
  return attempt(() => {
    const {method, alpha} = readOptions<MultipleComparisonsOptions>(options, {
      method: oneOf<Correction>(['bh', 'by', 'holm', 'bonferroni'], 'bh'),
      alpha: openFraction(0.05),
    });
    const pValues = readNumbers(readRecord(input, 'input')['pValues'], 'pValues');
    requireFinite(pValues, 'pValues');
    pValues.forEach((p, i) => {
      if (p < 0 || p > 1) refuse('invalid_argument', `pValues[${i}] is ${p}: a p-value lies between 0 and 1`);
    });
    const adjusted = adjust(Array.from(pValues), method);
    return {adjusted, rejected: adjusted.map(p => p <= alpha)};
  });
}

function adjust(pValues: readonly number[], method: Correction): number[] {
  const m = pValues.length;
  if (method === 'bonferroni') return pValues.map(p => Math.min(1, p * m));
  const order = pValues.map((_, i) => i).sort((i, j) => (pValues[i] as number) - (pValues[j] as number));
  const adjusted = new Array<number>(m);
  if (method === 'holm') {
    let largest = 0;
    order.forEach((at, rank) => {
      largest = Math.max(largest, Math.min(1, (pValues[at] as number) * (m - rank)));
      adjusted[at] = largest;
    });
    return adjusted;
  }
  const factor = method === 'by' ? order.reduce((all, _, rank) => all + 1 / (rank + 1), 0) : 1;
  let smallest = 1;
  for (let rank = m; rank >= 1; rank--) {
    const at = order[rank - 1] as number;
    smallest = Math.min(smallest, ((pValues[at] as number) * m * factor) / rank);
    adjusted[at] = smallest;
  }
  return adjusted;
}
