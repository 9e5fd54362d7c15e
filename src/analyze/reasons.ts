/**
 * Why a verdict says what it says. The list is closed: a code is stable, may be a
 * metric label, and has one English sentence. In a row a reason is `code`, or
 * `code:metric` when it speaks of one metric of the experiment.
 */
const SENTENCES = {
  // no_data
  arm_empty_control: 'The control arm has no data in this phase.',
  arm_empty_variant: 'The treatment arm has no data in this phase.',
  // unhealthy
  srm_failed: 'The observed split differs from the configured weights, so the arms cannot be compared.',
  crossovers_high: 'Too many units met more than one variant within the phase.',
  missing_outcomes_differ: 'The arms lose outcomes at different rates.',
  ledger_mismatch: 'The audit found records or slices that do not agree with the log.',
  // keep_running
  below_min_n: 'Fewer observations than the minimum from which always-valid intervals hold.',
  too_early: 'The minimum run time has not passed.',
  goal_undecided: 'The interval of this goal is not yet wholly on one side.',
  goal_leans_harmful: 'The interval of this goal is wholly on the harmful side, but within its tolerance.',
  effect_below_minimum: 'This goal improved by less than the smallest effect that matters.',
  guardrail_undecided: 'The interval of this guardrail still reaches past its tolerance.',
  goal_without_always_valid: 'This goal has no always-valid method (a quantile), so it never ships by itself.',
  goal_not_computable: 'The interval of this goal could not be computed.',
  guardrail_not_computable: 'The interval of this guardrail could not be computed.',
  no_goal: 'The experiment has no goal metric, so nothing can ship.',
  // roll_back
  goal_harmed: 'The interval of this goal is wholly past its tolerance on the harmful side.',
  guardrail_harmed: 'The interval of this guardrail is wholly past its tolerance on the harmful side.',
  // ship
  goals_improved: 'The interval of every goal is wholly on the good side.',
  guardrails_hold: 'No guardrail reaches past its tolerance.',
  guardrail_constant: 'This guardrail had the same value in every unit of both arms.',
  guardrail_without_always_valid: 'This guardrail has no always-valid method (a quantile) and was not considered.',
  // inconclusive
  max_n_reached: 'The largest planned sample was reached without an answer.',
  max_run_reached: 'The longest planned run time was reached without an answer.',
  concluded: 'The experiment was concluded without an answer.',
  // about one row
  pair_coverage_low: 'Too few items were answered by both variants, so an unpaired test is used.',
  aggregate_not_paired: 'This aggregate is not a mean of pairs, so its own unpaired test is used.',
  primary_not_computable: 'The primary test could not be computed; its entry in tests says why.',
  rates_mixed: 'Units were sampled at several rates: means, shares, ratios and their tests weigh events by 1 / rate; quantiles and ranks take each as it was sent.',
  srm_not_computable: 'There are no weights to check the split against.',
} as const;

export type ReasonCode = keyof typeof SENTENCES;

export const REASON_CODES = Object.keys(SENTENCES) as readonly ReasonCode[];

/** The reason as it stands in a verdict row. */
export function reasonOf(code: ReasonCode, metric?: string): string {
  return metric === undefined ? code : `${code}:${metric}`;
}

/** The sentence for a reason of a verdict row; an unknown code is returned as it is. */
export function describeReason(reason: string): string {
  const colon = reason.indexOf(':');
  const code = colon < 0 ? reason : reason.slice(0, colon);
  if (!isReasonCode(code)) return reason;
  return colon < 0 ? SENTENCES[code] : `${reason.slice(colon + 1)}: ${SENTENCES[code]}`;
}

function isReasonCode(code: string): code is ReasonCode {
  return Object.hasOwn(SENTENCES, code);
}
