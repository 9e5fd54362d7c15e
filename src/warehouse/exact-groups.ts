import {unquantise} from '../core/exact.ts';
import type {Metric} from '../core/experiment.ts';
import {columnsOf, type ValueGroups} from './value-groups.ts';
import type {PairGroups} from './warehouse.ts';

/** From exact integer sums to the floating-point values that tests are made of: one division each. */
export type ExactMean = {readonly sumQ: bigint; readonly denominatorQ: bigint};

/** Units of one arm that have the same sums. */
export type UnitSums = ExactMean & {readonly variant: string; readonly units: number};

/** Σ/n, or Σnumerator/Σdenominator of a ratio. */
export function meanOf({sumQ, denominatorQ}: ExactMean, metric: Metric): number {
  const denominator = metric.aggregate === 'ratio' ? unquantise(denominatorQ, metric.scale) : Number(denominatorQ);
  return unquantise(sumQ, metric.scale) / denominator + 0;
}

export function unitGroupsOf(rows: readonly UnitSums[], metric: Metric): ValueGroups {
  const groups = new Map<number, Record<string, number>>();
  for (const row of rows) {
    const value = meanOf(row, metric);
    const counts = groups.get(value) ?? {};
    counts[row.variant] = (counts[row.variant] ?? 0) + row.units;
    groups.set(value, counts);
  }
  return columnsOf([...groups].sort(([a], [b]) => a - b).map(([value, counts]) => ({value, counts})));
}

/** What pairs come down to, before steps are divided by the grid. */
export type PairSteps = Omit<PairGroups, 'differences'> & {
  readonly groups: {readonly steps: Float64Array; readonly counts: Float64Array} | null;
};

export function pairGroupsOf({groups, ...sums}: PairSteps): PairGroups {
  const unit = 10 ** sums.digits;
  const counts = groups?.counts ?? [];
  const differences = groups === null ? null : Array.from(groups.steps, (steps, i) => ({difference: steps / unit, count: counts[i] ?? 0}));
  return {...sums, differences};
}

/** The mean of an item's outcomes in one arm as analysis-pairs.sql has it: one rounding a division, no decimal text. */
export function itemMean({sumQ, denominatorQ}: ExactMean, {aggregate, scale}: Metric): number {
  return Number(sumQ) / 10 ** scale / (Number(denominatorQ) / (aggregate === 'ratio' ? 10 ** scale : 1)) + 0;
}

/** Decimals that a double keeps of values up to `largest`. */
export function gridDigits(largest: number): number {
  if (largest === 0) return 0;
  // From the shortest decimal form: a logarithm is off by one ulp at powers of ten.
  const [digits, exponent] = largest.toExponential().split('e');
  return Math.min(300, 15 - (Number(exponent) + (digits === '1' ? 0 : 1)));
}
