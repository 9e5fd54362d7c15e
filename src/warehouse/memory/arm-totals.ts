import {quantise} from '../../core/exact.ts';
import {hasDistribution, type Metric} from '../../core/experiment.ts';
import {WEIGHT_ONE} from '../../core/sampling.ts';
import {epochMs} from '../../core/units.ts';
import type {ArmSampling, ArmTotals} from '../warehouse.ts';
import {type EventWeights, isMixed, outcomeWeight} from './event-weights.ts';
import type {ScopedValue} from './scoped-outcomes.ts';

type UnitSums = {sum: bigint; denominator: bigint; least: bigint};

export type ArmFacts = {
  readonly metric: Metric;
  readonly values: readonly ScopedValue[];
  /** Exposed units of the arm; undefined in paired experiments, where they are those with an outcome. */
  readonly units: ReadonlySet<string> | undefined;
  readonly weights: EventWeights;
};

/** Sums over the units of one arm, by plain loops. */
export function armTotalsOf({metric, values, units: exposed, weights}: ArmFacts): Omit<ArmTotals, 'variant'> {
  const mixed = isMixed(weights);
  const isValued = hasDistribution(metric);
  const units = new Map<string, UnitSums>();
  let [sumSquaresQ, plainSumQ, outcomesWeight] = [0n, 0n, 0n];
  for (const {outcome, value, denominator} of values) {
    const w = BigInt(outcomeWeight(outcome, weights));
    const unit = units.get(outcome.unitId) ?? {sum: 0n, denominator: 0n, least: w};
    const q = quantise(value, metric.scale);
    const d = metric.aggregate === 'ratio' ? quantise(denominator, metric.scale) : 1n;
    sumSquaresQ += isValued || (metric.aggregate === 'share' && !mixed) ? q * q : 0n;
    plainSumQ += isValued ? q : 0n;
    outcomesWeight += w;
    unit.sum += mixed ? q * w : q;
    unit.denominator += mixed ? d * w : d;
    if (w < unit.least) unit.least = w;
    units.set(outcome.unitId, unit);
  }
  const entries = [...units];
  const total = (of: (unit: UnitSums, weight: bigint) => bigint): bigint =>
    entries.reduce((sum, [id, unit]) => sum + of(unit, exposed === undefined ? unit.least : BigInt(weights.exposed.get(id) ?? 0)), 0n);
  const times = values.map(({outcome}) => outcome.eventTs);
  const sampling = (): ArmSampling => {
    const ofUnits = exposed === undefined ? entries.map(([, {least}]) => least) : [...exposed].map(id => BigInt(weights.exposed.get(id) ?? 0));
    return {
      outcomesWeight,
      unitsWeight: ofUnits.reduce((sum, w) => sum + w, 0n),
      mixed: !mixed ? null : {
        unitsWeightSquares: ofUnits.reduce((sum, w) => sum + w * w, 0n),
        exposedCrossQ: total(({sum}, w) => sum * w),
        answered: total(({least}) => least),
        answeredSquares: total(({least}) => least * least),
        answeredCross: total(({least}, w) => least * w),
        plainSumQ,
      },
    };
  };
  return {
    units: exposed?.size ?? units.size,
    unitsWithOutcome: units.size,
    outcomes: values.length,
    sumQ: total(({sum}) => sum),
    sumSquaresQ,
    denominatorQ: total(({denominator}) => denominator),
    unitSumSquaresQ: total(({sum}) => sum * sum),
    unitDenominatorSquaresQ: total(({denominator}) => denominator * denominator),
    unitCrossQ: total(({sum, denominator}) => sum * denominator),
    eventFrom: times.length === 0 ? null : epochMs(times.reduce<number>((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY)),
    eventTo: times.length === 0 ? null : epochMs(times.reduce<number>((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)),
    ...(mixed || weights.low !== WEIGHT_ONE ? {sampling: sampling()} : {}),
  };
}
