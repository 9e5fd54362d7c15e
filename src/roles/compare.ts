import {AssayError} from '../core/errors.ts';
import type {ExperimentView, Tolerance} from '../core/experiment.ts';
import type {Stream} from '../core/streams.ts';
import {epochMs, type EpochMs} from '../core/units.ts';
import {currentOf} from '../experiment/state.ts';
import {COMPARE_SIGMAS, compareWindows, defaultTolerance} from '../guard/compare-windows.ts';
import type {ComparisonTable} from '../guard/comparison-table.ts';
import {healthScore} from '../guard/health-score.ts';
import {newestEnd} from '../web/routes/results.ts';
import {requireView} from './analysis.ts';
import type {Platform} from './platform.ts';

export type CompareRequest = {
  readonly stream: Stream;
  readonly experiment: string;
  readonly windowMs: number;
  /** The window's end; left out: where the newest data ends. */
  readonly to?: EpochMs;
};

const MIN_N = 50;
const COMPARED = new Set(['mean', 'share', 'p50', 'p95', 'p99']);

/** @throws AssayError ASSAY_NOT_FOUND without the experiment or its data. */
export async function compareExperiment(platform: Platform, {stream, experiment, windowMs, to}: CompareRequest): Promise<ComparisonTable> {
  const {warehouse, registry} = platform;
  const {definition} = requireView(platform, stream, experiment);
  const current = currentOf(registry.snapshot(), stream.name, experiment);
  const end = to ?? (await newestEnd(warehouse, {stream, experiment, sizeMs: stream.sliceMs}));
  if (current === undefined || end === null) throw new AssayError('ASSAY_NOT_FOUND', `experiment ${experiment} has no windows yet`);
  const at = epochMs(Math.ceil(end / stream.sliceMs) * stream.sliceMs);
  const {phase, version} = current;
  const metrics = definition.metrics.filter(({aggregate}) => COMPARED.has(aggregate));
  const ask = {experiment, phase, sizeMs: windowMs, metrics: definition.metrics.map(({key}) => key), ends: [at]};
  const rows = await warehouse.guardHistory(stream.name, [ask]);
  const rowOf = (variant: string, metric: string) => rows.find(row => row.variant === variant && row.metric === metric);
  const variants = definition.variants.map(({key}) => key);
  const treatments = variants.filter(key => key !== definition.control);
  const {health = []} = definition;
  return {
    experiment, phase,
    config_version: version,
    control: definition.control,
    window_start: new Date(at - windowMs).toISOString(),
    window_end: new Date(at).toISOString(),
    comparisons: metrics.flatMap(metric => {
      const options = {metric, ...toleranceOf(definition, metric.key, defaultTolerance(metric))};
      return treatments.map(variant => compareWindows(variant, rowOf(definition.control, metric.key), rowOf(variant, metric.key), options));
    }),
    health: health.length === 0 ? [] : variants.map(variant => healthScore(variant, rows, {health, metrics: definition.metrics, minN: MIN_N, sigmas: COMPARE_SIGMAS})),
  };
}

/** As the experiment's own guard tolerates it, if it has one on the metric. */
function toleranceOf({guards}: ExperimentView['definition'], metric: string, otherwise: Tolerance): {readonly tolerate: Tolerance; readonly minN: number; readonly sigmas: number} {
  const guard = guards.find(({kind, metric: of}) => kind === 'compare' && of === metric);
  return {tolerate: guard?.tolerate ?? otherwise, minN: guard?.minN ?? MIN_N, sigmas: guard?.sigmas ?? COMPARE_SIGMAS};
}
