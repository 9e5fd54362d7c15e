import {WEIGHT_ONE} from '../../core/sampling.ts';
import {epochMs} from '../../core/units.ts';
import type {ArmSampling, ArmTotals} from '../warehouse.ts';
import {isWeighted, type Workspace} from './analysis-workspaces.ts';

/** One metric of one arm. */
export type ArmRow = {
  readonly variant: string;
  /** From 1. */
  readonly metric: number;
  readonly units_with_outcome: string;
  readonly outcomes: string;
  readonly sum_q: string;
  readonly denominator_q: string;
  readonly unit_sum_squares_q: string;
  readonly unit_denominator_squares_q: string;
  readonly unit_cross_q: string;
  readonly event_from: string;
  readonly event_to: string;
  /** Of `analysis-arms-weighted` alone. */
  readonly outcomes_weight?: string;
  readonly exposed_cross_q?: string;
  readonly answered?: string;
  readonly answered_squares?: string;
  readonly answered_cross?: string;
};

/** A row of `analysis-arms`: of each sum one element a metric. */
export type ArmColumns = {readonly variant: string} & {readonly [Sum in Exclude<keyof PlainRow, 'variant' | 'metric'> as `all_${Sum}`]: readonly string[]};
type PlainRow = Pick<ArmRow, 'variant' | 'metric' | 'units_with_outcome' | 'outcomes' | 'sum_q' | 'denominator_q' | 'unit_sum_squares_q' | 'unit_denominator_squares_q' | 'unit_cross_q' | 'event_from' | 'event_to'>;

/** Only metrics that a unit of the arm has. */
export function armRowsOf(arms: readonly ArmColumns[]): ArmRow[] {
  return arms.flatMap(({variant, ...sums}) =>
    sums.all_units_with_outcome.flatMap((units, index) => {
      if (Number(units) === 0) return [];
      const own = Object.fromEntries(Object.entries(sums).map(([name, values]) => [name.replace('all_', ''), values[index]])) as Omit<PlainRow, 'variant' | 'metric'>;
      return [{variant, metric: index + 1, ...own}];
    }),
  );
}

/** Exposed units of one arm. */
export type ArmUnits = {readonly units: number; readonly weight: bigint; readonly weightSquares: bigint};

/** Σq² and Σq of an arm's outcomes as they were sent; 0 where a metric needs none. */
export type ValueSums = {readonly squares: bigint; readonly plainSum: bigint};

export type ArmParts = {
  readonly workspace: Workspace;
  readonly variant: string;
  readonly units: ArmUnits | undefined;
  readonly values: ValueSums | undefined;
};

export function toArmTotals(parts: ArmParts, row: ArmRow | undefined): ArmTotals {
  const sampling = samplingOf(parts, row);
  return {
    variant: parts.variant,
    units: parts.units?.units ?? 0,
    unitsWithOutcome: Number(row?.units_with_outcome ?? 0),
    outcomes: Number(row?.outcomes ?? 0),
    sumQ: BigInt(row?.sum_q ?? 0),
    sumSquaresQ: parts.values?.squares ?? 0n,
    denominatorQ: BigInt(row?.denominator_q ?? 0),
    unitSumSquaresQ: BigInt(row?.unit_sum_squares_q ?? 0),
    unitDenominatorSquaresQ: BigInt(row?.unit_denominator_squares_q ?? 0),
    unitCrossQ: BigInt(row?.unit_cross_q ?? 0),
    eventFrom: row === undefined ? null : epochMs(Number(row.event_from)),
    eventTo: row === undefined ? null : epochMs(Number(row.event_to)),
    ...(sampling === null ? {} : {sampling}),
  };
}

function samplingOf({workspace, units, values}: ArmParts, row: ArmRow | undefined): ArmSampling | null {
  const {low} = workspace.weights;
  if (!isWeighted(workspace)) {
    if (low === WEIGHT_ONE) return null;
    return {outcomesWeight: BigInt(row?.outcomes ?? 0) * BigInt(low), unitsWeight: BigInt(units?.units ?? 0) * BigInt(low), mixed: null};
  }
  return {
    outcomesWeight: BigInt(row?.outcomes_weight ?? 0),
    unitsWeight: units?.weight ?? 0n,
    mixed: {
      unitsWeightSquares: units?.weightSquares ?? 0n,
      exposedCrossQ: BigInt(row?.exposed_cross_q ?? 0),
      answered: BigInt(row?.answered ?? 0),
      answeredSquares: BigInt(row?.answered_squares ?? 0),
      answeredCross: BigInt(row?.answered_cross ?? 0),
      plainSumQ: values?.plainSum ?? 0n,
    },
  };
}
