import type {ArmEvidence, Verdict} from '../../src/core/verdict.ts';
import {buildReport, type ReportOptions} from '../../src/report/build-report.ts';
import type {Report} from '../../src/report/report.ts';
import {epochMs} from '../../src/core/units.ts';

/** Stored rows as `analyze` writes them, with believable numbers. */
export function makeArm(variant: string, overrides: Partial<ArmEvidence> = {}): ArmEvidence {
  return {
    variant, units: 2010, outcomes: 8120, mean: 0.812, sd: 0.11, min: 0.2, p25: 0.74, p50: 0.82, p75: 0.89, p95: 0.97, p99: 0.99, max: 1,
    whisker_low: 0.52, whisker_high: 1, ...overrides,
  };
}

export function makeVerdict(overrides: Partial<Verdict> = {}): Verdict {
  const metric = overrides.metric ?? 'judge_score';
  const variant = overrides.variant ?? 'v2';
  const control = overrides.control ?? 'v1';
  return {
    verdict_id: `0199f0c2-${metric}-${variant}`,
    created_at: '2026-11-21T08:00:01.250Z',
    stream: 'live',
    experiment: 'answer-model',
    config_version: 3,
    phase: 2,
    design: 'split',
    metric,
    role: 'goal',
    aggregate: 'mean',
    direction: 'higher',
    control,
    variant,
    test: 'welch-t',
    n_control: 2010,
    n_variant: 1984,
    mean_control: 0.812,
    mean_variant: 0.8618,
    sd_control: 0.11,
    sd_variant: 0.108,
    effect_absolute: 0.0498,
    effect_relative: 0.0613,
    ci_low: 0.0431,
    ci_high: 0.0566,
    p_value: 3.1e-46,
    p_value_adjusted: 6.2e-46,
    p_value_always_valid: 4.4e-38,
    cs_low: 0.0387,
    cs_high: 0.061,
    pairs: null,
    pair_coverage: null,
    srm_p_value: 0.41,
    decision: 'ship',
    previous_decision: 'keep_running',
    reasons: ['goals_improved', 'guardrails_hold'],
    arms: [makeArm(control), makeArm(variant, {mean: 0.8618, p25: 0.79, p50: 0.87, p75: 0.94, whisker_low: 0.58})],
    tests: [
      {test: 'welch-t', status: 'ok', statistic: 14.45, df: 3989.2, p_value: 3.1e-46, estimate: 0.0498, ci_low: 0.0431, ci_high: 0.0566, n_control: 2010, n_variant: 1984},
      {test: 'mann-whitney-u', status: 'ok', statistic: 2501234, p_value: 8.8e-51, estimate: 0.05, exploratory: true},
      {test: 'paired-t', status: 'not-computable', reason: 'not_paired'},
    ],
    health: {
      srm: {status: 'healthy', p_value: 0.41, observed: {v1: 2010, v2: 1984}, weights: {v1: 50, v2: 50}},
      crossovers: {units: 12, share: 0.003, status: 'healthy'},
      missing_outcomes: {status: 'healthy', by_variant: {v1: 31, v2: 28}, p_value: 0.7},
      ledger: {status: 'healthy', mismatch: 0},
    },
    data_from: '2026-11-20T09:12:00.000Z',
    data_to: '2026-11-21T07:59:58.400Z',
    cut: {arrival_ts: Date.parse('2026-11-21T08:00:00.000Z'), config_versions: {'answer-model': 3}},
    offsets: [
      {log_epoch: 1, partition: 0, from: '0', to: '81234'},
      {log_epoch: 1, partition: 1, from: '0', to: '80417'},
    ],
    outcomes_late: 3,
    outcomes_unattributed: 17,
    audit: {mismatch: 0, slices_checked: 480, checked_at: '2026-11-21T08:00:00.500Z'},
    sql: `SELECT variant, count() AS n, avg(value) AS mean\nFROM v_outcomes\nWHERE experiment = 'answer-model' AND metric = '${metric}' AND phase = 2\nGROUP BY variant`,
    analysis: {alpha: 0.05, correction: 'holm', min_n: 200},
    versions: {assay: '0.1.0', node: 'v20.20.2', engine: 'ClickHouse 26.7.2.1'},
    evidence_digest: 'b5bb9d8014a0f9b1d61e21e796d78dccdf1352f23cd32812f4850b878ae4944c',
    ...overrides,
  };
}

/** A guardrail in milliseconds that the treatment harms. */
export const harmedLatency = (overrides: Partial<Verdict> = {}): Verdict =>
  makeVerdict({
    metric: 'latency_p95', role: 'guardrail', aggregate: 'p95', direction: 'lower', test: 'quantile-difference',
    mean_control: 1840, mean_variant: 2412, effect_absolute: 572, effect_relative: 0.311, ci_low: 488, ci_high: 655, cs_low: 431, cs_high: 713,
    p_value: 2e-40, p_value_adjusted: null, p_value_always_valid: 1e-13, sd_control: null, sd_variant: null,
    analysis: {alpha: 0.05, correction: 'holm', min_n: 200, metric: {tolerance: 100, measure: 'latency_ms'}},
    arms: [
      makeArm('v1', {mean: 905, p25: 512, p50: 790, p75: 1190, p95: 1840, whisker_low: 120, whisker_high: 2205}),
      makeArm('v2', {mean: 1190, p25: 640, p50: 1010, p75: 1580, p95: 2412, whisker_low: 140, whisker_high: 2980}),
    ],
    tests: [{test: 'quantile-difference', status: 'ok', statistic: 13.4, p_value: 2e-40, estimate: 572}],
    ...overrides,
  });

/** Errors as a share: no clear difference. */
export const unclearErrors = (overrides: Partial<Verdict> = {}): Verdict =>
  makeVerdict({
    metric: 'error_rate', role: 'guardrail', aggregate: 'share', direction: 'lower', test: 'two-proportion',
    mean_control: 0.0042, mean_variant: 0.0047, effect_absolute: 0.0005, effect_relative: 0.119, ci_low: -0.0021, ci_high: 0.0031, cs_low: -0.0044, cs_high: 0.0054,
    p_value: 0.71, p_value_adjusted: null, p_value_always_valid: 1, analysis: {alpha: 0.05, tolerance: 0.01},
    arms: [makeArm('v1', {mean: 0.0042, p25: 0, p50: 0, p75: 0, whisker_low: 0, whisker_high: 0}), makeArm('v2', {mean: 0.0047, p25: 0, p50: 0, p75: 0, whisker_low: 0, whisker_high: 0})],
    tests: [{test: 'two-proportion', status: 'ok', statistic: 0.37, p_value: 0.71, estimate: 0.0005}],
    ...overrides,
  });

const rolledBack = {decision: 'roll_back', previous_decision: 'keep_running', reasons: ['guardrail_harmed:latency_p95']} as const;

/** Goal better, guardrail harmed: what wakes somebody. */
export const nightRows = (): Verdict[] => [makeVerdict(rolledBack), harmedLatency(rolledBack), unclearErrors(rolledBack)];

/** A metric for which nothing could be computed. */
export const emptyRow = (overrides: Partial<Verdict> = {}): Verdict => {
  const nothing = {units: 0, outcomes: 0, mean: null, sd: null, min: null, p25: null, p50: null, p75: null, p95: null, p99: null, max: null, whisker_low: null, whisker_high: null};
  return makeVerdict({
    test: null, n_control: 0, n_variant: 0, mean_control: null, mean_variant: null, sd_control: null, sd_variant: null, effect_absolute: null, effect_relative: null,
    ci_low: null, ci_high: null, p_value: null, p_value_adjusted: null, p_value_always_valid: null, cs_low: null, cs_high: null, srm_p_value: null,
    decision: 'no_data', previous_decision: null, reasons: ['arm_empty_control', 'arm_empty_variant'], data_from: null, data_to: null, arms: [makeArm('v1', nothing), makeArm('v2', nothing)],
    tests: [{test: 'welch-t', status: 'not-computable', reason: 'insufficient_data'}],
    health: {
      srm: {status: 'not-computable', p_value: null, observed: {}, weights: null, reason: 'insufficient_data'},
      crossovers: {units: 0, share: 0, status: 'healthy'},
      missing_outcomes: {status: 'not-computable', by_variant: {}, p_value: null},
      ledger: {status: 'not-checked', mismatch: 0},
    },
    ...overrides,
  });
};

export const GENERATED_AT = epochMs(Date.parse('2026-11-21T08:00:02.000Z'));

export const reportOf = (rows: readonly Verdict[], options: Partial<ReportOptions> = {}): Report =>
  buildReport(rows, {kind: 'digest', generatedAt: GENERATED_AT, ...options});
