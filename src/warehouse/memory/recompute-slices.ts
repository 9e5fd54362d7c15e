import {bucketOf} from '../../core/histogram.ts';
import {quantise} from '../../core/exact.ts';
import type {ExperimentView, Metric} from '../../core/experiment.ts';
import type {OutcomeFact} from '../../core/facts.ts';
import {SQUARE_ONE, WEIGHT_ONE, weightOf} from '../../core/sampling.ts';
import type {ClosedSlice, ExtraBucket, SliceKey} from '../../core/slices.ts';
import type {DurationMs, EpochMs} from '../../core/units.ts';
import {countsFor, type placeOutcome, valuesOf} from './attribute-outcome.ts';
import type {StreamStore} from './stream-store.ts';

type Sums = {
  n: number;
  sumQ: bigint;
  sumSquaresQ: bigint;
  denominatorSumQ: bigint;
  extraWeight: bigint;
  extraSumQ: bigint;
  extraDenominatorSumQ: bigint;
  extraBuckets: Map<number, ExtraBucket<bigint>>;
  min: number;
  max: number;
  histogram: Map<number, number>;
};

export type Recompute = {
  readonly sliceStart: EpochMs;
  readonly sliceMs: DurationMs;
  /** Facts with arrival_ts up to here count. */
  readonly cut: EpochMs;
  readonly isRevision: boolean;
  readonly views: readonly ExperimentView[];
  readonly place: typeof placeOutcome;
};

/** One slice from facts, the keys with n > 0 only. */
export function recomputeSlice(store: StreamStore, request: Recompute): ClosedSlice[] {
  const {sliceStart, sliceMs, cut, place} = request;
  const outcomes = store.outcomes
    .all()
    .filter(o => o.eventTs >= sliceStart && o.eventTs < sliceStart + sliceMs && o.arrival.arrivalTs <= cut);
  const rows: ClosedSlice[] = [];
  for (const view of request.views) {
    const sums = new Map<string, {key: SliceKey; scale: number; sums: Sums}>();
    for (const outcome of outcomes) {
      const exposures = store.exposures.ofUnit(outcome.unitId).filter(e => e.arrival.arrivalTs <= cut);
      const found = place(view, outcome, exposures);
      if (typeof found === 'string') continue;
      for (const metric of view.definition.metrics) {
        if (!countsFor(metric, found, outcome.eventTs)) continue;
        for (const key of keysOf(metric, outcome)) {
          const whole = {...key, ...found, experiment: view.experiment, sliceStart};
          addTo(sums, whole, {metric, outcome});
        }
      }
    }
    for (const {key, scale, sums: of} of sums.values()) {
      const {experiment, phase, variant, metric, dimension, dimensionValue} = key;
      const plain = {experiment, phase, variant, metric, dimension, dimensionValue, sliceStart};
      rows.push({...plain, ...of, scale, cut, configVersion: view.version, isRevision: request.isRevision});
    }
  }
  return rows;
}

type Part = Pick<SliceKey, 'metric' | 'dimension' | 'dimensionValue'>;

function keysOf(metric: Metric, outcome: OutcomeFact): Part[] {
  const keys = [{metric: metric.key, dimension: '', dimensionValue: ''}];
  for (const dimension of metric.dimensions) {
    const dimensionValue = outcome.attributes[dimension];
    if (dimensionValue !== undefined) keys.push({metric: metric.key, dimension, dimensionValue});
  }
  return keys;
}

function addTo(
  all: Map<string, {key: SliceKey; scale: number; sums: Sums}>,
  key: SliceKey,
  {metric, outcome}: {metric: Metric; outcome: OutcomeFact},
): void {
  const found = valuesOf(metric, outcome);
  if (found === undefined) return;
  const [value, denominator] = found;
  const name = sliceKeyText(key);
  let entry = all.get(name);
  if (entry === undefined) {
    const sums = {n: 0, sumQ: 0n, sumSquaresQ: 0n, denominatorSumQ: 0n, ...NOTHING_EXTRA, extraBuckets: new Map(), min: value, max: value, histogram: new Map()};
    entry = {key, scale: metric.scale, sums};
    all.set(name, entry);
  }
  const q = quantise(value, metric.scale);
  const {sums} = entry;
  sums.n += 1;
  sums.sumQ += q;
  sums.sumSquaresQ += q * q;
  const denominatorQ = quantise(denominator, metric.scale);
  sums.denominatorSumQ += denominatorQ;
  const extraWeight = BigInt(weightOf(outcome.sampleRate) - WEIGHT_ONE);
  sums.extraWeight += extraWeight;
  sums.extraSumQ += extraWeight * q;
  sums.extraDenominatorSumQ += extraWeight * denominatorQ;
  sums.min = Math.min(sums.min, value);
  sums.max = Math.max(sums.max, value);
  const bucket = bucketOf(value);
  sums.histogram.set(bucket, (sums.histogram.get(bucket) ?? 0) + 1);
  if (extraWeight === 0n) return;
  const known = sums.extraBuckets.get(bucket);
  const weight = BigInt(WEIGHT_ONE) + extraWeight;
  sums.extraBuckets.set(bucket, {weight: (known?.weight ?? 0n) + extraWeight, squares: (known?.squares ?? 0n) + weight * weight - BigInt(SQUARE_ONE)});
}

const NOTHING_EXTRA = {extraWeight: 0n, extraSumQ: 0n, extraDenominatorSumQ: 0n};

export const sliceKeyText = (key: SliceKey): string =>
  `${key.experiment}\0${key.sliceStart}\0${key.phase}\0${key.variant}\0${key.metric}\0${key.dimension}\0${key.dimensionValue}`;

/** Everything about a row that is not its cut, in one text. */
export function sliceContent(row: ClosedSlice): string {
  const histogram = [...row.histogram].sort(([a], [b]) => a - b).map(([bucket, n]) => `${bucket}:${n}`);
  const sampled = [...row.extraBuckets].sort(([a], [b]) => a - b).map(([bucket, {weight, squares}]) => `${bucket}:${weight}:${squares}`);
  const {n, scale, sumQ, sumSquaresQ, denominatorSumQ, extraWeight, extraSumQ, extraDenominatorSumQ, min, max} = row;
  return [n, scale, sumQ, sumSquaresQ, denominatorSumQ, extraWeight, extraSumQ, extraDenominatorSumQ, min, max, histogram.join(','), sampled.join(',')].join(' ');
}

/** A key that vanished in a revision. */
export const emptied = (row: ClosedSlice, cut: EpochMs, configVersion: number): ClosedSlice => ({
  ...row,
  n: 0,
  sumQ: 0n,
  sumSquaresQ: 0n,
  denominatorSumQ: 0n,
  ...NOTHING_EXTRA,
  extraBuckets: new Map(),
  min: 0,
  max: 0,
  histogram: new Map(),
  cut,
  configVersion,
  isRevision: true,
});
