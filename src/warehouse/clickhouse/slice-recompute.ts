import type {ExperimentView} from '../../core/experiment.ts';
import type {Stream} from '../../core/streams.ts';
import type {EpochMs} from '../../core/units.ts';
import {type SqlParams, type SqlSettings, type SqlTuple, sqlTuple} from './connection.ts';
import {metricPlan} from './metric-plan.ts';
import {loadQuery} from './query-file.ts';

/** Copies of one identity always share a partition, so FINAL need not look across. */
export const FINAL_WITHIN_PARTITIONS: SqlSettings = {do_not_merge_across_partitions_select_final: 1};

/** One run of `slices-recompute.sql` over the slices in [from, through). */
export type Recompute = {
  readonly stream: Stream;
  readonly views: readonly ExperimentView[];
  readonly from: EpochMs;
  readonly through: EpochMs;
  /** One cut for all slices; null gives each its own, its end + L. */
  readonly cut: EpochMs | null;
  /** Starts of the slices wanted; empty for all of the range. */
  readonly slices: readonly EpochMs[];
};

export function recomputeParams(recompute: Recompute): SqlParams {
  const {stream, views, from, through, cut, slices} = recompute;
  return {
    plan: metricPlan(views),
    stream: stream.name,
    slice_ms: stream.sliceMs,
    lateness_ms: stream.latenessMs,
    from_ms: from,
    through_ms: through,
    cut_ms: cut ?? 0,
    slices,
    metrics: metricPairs(views),
  };
}

/** `outer` reads the recomputed rows as `fresh`. */
export const withFresh = (outer: string): string => `WITH fresh AS (\n${loadQuery('slices-recompute')}\n)\n${loadQuery(outer)}`;

export const INSERT_SLICES =
  'INSERT INTO slices (stream, experiment, slice_start, slice_end, phase, variant, metric, dimension, dimension_value, cut_ts, is_revision,' +
  ' n, scale, sum_q, sum_squares_q, denominator_sum_q, min, max, histogram, config_version,' +
  ' extra_weight, extra_sum_q, extra_denominator_sum_q)\n';

const metricPairs = (views: readonly ExperimentView[]): SqlTuple[] =>
  views.flatMap(view => view.definition.metrics.map(metric => sqlTuple(view.experiment, metric.key)));
