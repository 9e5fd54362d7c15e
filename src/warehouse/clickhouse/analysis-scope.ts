import type {Metric} from '../../core/experiment.ts';
import type {AnalysisScope} from '../warehouse.ts';
import type {SqlParams} from './connection.ts';

/** Parameters of the queries that read one experiment × phase; without a metric an outcome counts for ever. */
export function scopeParams({stream, view, phase, cut}: AnalysisScope, metric: Metric | null): SqlParams {
  const spans = [...view.phases].sort((a, b) => a.phase - b.phase);
  const validTo = spans.find(span => span.phase === phase)?.validTo ?? null;
  return {
    stream,
    experiment: view.experiment,
    phase,
    cut_ms: cut,
    end_ms: validTo === null || metric === null ? 0 : validTo + metric.attributionMs,
    variants: view.definition.variants.map(({key}) => key),
    phases: spans.map(span => span.phase),
    starts: spans.map(span => span.validFrom),
  };
}

/** A statement written for a workspace of many steps. After one step a unit has one row: there is nothing to collapse, nor an order to keep. */
export function fromTables(sql: string, {step, is_live: isLive}: SqlParams): string {
  const single = step === 1 ? sql.replaceAll(/\b(analysis_units|analysis_totals) FINAL\b/g, '$1') : sql;
  return isLive === false ? single.replaceAll(/\banalysis_totals\b/g, 'analysis_recounts').replaceAll(/\banalysis_units\b/g, 'analysis_units_once') : single;
}
