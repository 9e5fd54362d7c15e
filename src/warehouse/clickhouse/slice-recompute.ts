import type {ExperimentView} from '../../core/experiment.ts';
import type {Stream} from '../../core/streams.ts';
import type {EpochMs} from '../../core/units.ts';
import {type SqlConnection, type SqlParams, type SqlSettings, type SqlTuple, sqlTuple} from './connection.ts';
import {metricPlan} from './metric-plan.ts';
import {loadQuery, loadQueryWithout} from './query-file.ts';

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
    ...metricPlan(views),
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

/**
 * `slices-recompute.sql` without what these views and this stream do not need: planning and a join with no tombstones were
 * a sixth of a large closing and a third of a small one. A unit forgotten after the question was asked is one that the recompute did not
 * know of when its cut was chosen: `forget` has such slices revised.
 */
export async function recomputeSql(connection: SqlConnection, {stream, views}: Pick<Recompute, 'stream' | 'views'>): Promise<string> {
  const [row] = await connection.select<{tombstones: string}>('SELECT count() AS tombstones FROM tombstones WHERE stream = {stream:String}', {stream: stream.name});
  const isForgetful = Number(row?.tombstones ?? 0) > 0;
  const isPaired = views.some(({definition}) => definition.design === 'paired');
  return loadQueryWithout('slices-recompute', [...(isForgetful ? [] : ['forgotten']), ...(isPaired ? [] : ['paired'])]);
}

/** `outer` reads the rows of `recompute` as `fresh`. */
export const withFresh = (recompute: string, outer: string): string => `WITH fresh AS (\n${recompute}\n)\n${loadQuery(outer)}`;

export const INSERT_SLICES =
  'INSERT INTO slices (stream, experiment, slice_start, slice_end, phase, variant, metric, dimension, dimension_value, cut_ts, is_revision,' +
  ' n, scale, sum_q, sum_squares_q, denominator_sum_q, min, max, histogram, config_version,' +
  ' extra_weight, extra_sum_q, extra_denominator_sum_q, extra_buckets, extra_squares)\n';

const metricPairs = (views: readonly ExperimentView[]): SqlTuple[] =>
  views.flatMap(view => view.definition.metrics.map(metric => sqlTuple(view.experiment, metric.key)));
