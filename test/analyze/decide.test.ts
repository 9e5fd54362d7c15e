import {describe, expect, test} from 'vitest';
import {decide, type DecisionInputs, type MetricStanding} from '../../src/analyze/decide.ts';
import {SETTINGS} from './fixtures.ts';

const ok = (low: number, high: number): MetricStanding['interval'] => ({status: 'ok', low, high});

function standing(over: Partial<MetricStanding> = {}): MetricStanding {
  return {
    key: 'score',
    role: 'goal',
    direction: 'higher',
    tolerance: 0,
    minEffect: 0,
    n: 500,
    effect: 0.1,
    interval: ok(0.05, 0.15),
    ...over,
  };
}

const guardrail = (over: Partial<MetricStanding> = {}): MetricStanding =>
  standing({key: 'errors', role: 'guardrail', direction: 'lower', tolerance: 0.01, effect: 0, interval: ok(-0.005, 0.005), ...over});

function inputs(over: Partial<DecisionInputs> = {}): DecisionInputs {
  return {
    emptyArms: [],
    healthFailures: [],
    metrics: [standing()],
    settings: SETTINGS,
    lifecycle: 'running',
    runMs: 3_600_000,
    ...over,
  };
}

const harmful = standing({effect: -0.1, interval: ok(-0.15, -0.05)});
const undecided = standing({effect: 0.01, interval: ok(-0.05, 0.07)});
const tooFew = standing({n: 10, interval: {status: 'below_min_n'}});

const CASES: readonly [string, DecisionInputs, string, readonly string[]][] = [
  ['an empty control arm', inputs({emptyArms: ['control'], healthFailures: ['srm_failed']}), 'no_data', ['arm_empty_control']],
  ['both arms empty', inputs({emptyArms: ['control', 'variant']}), 'no_data', ['arm_empty_control', 'arm_empty_variant']],
  ['SRM beats harm', inputs({healthFailures: ['srm_failed'], metrics: [harmful]}), 'unhealthy', ['srm_failed']],
  ['every failed check is named', inputs({healthFailures: ['crossovers_high', 'ledger_mismatch']}), 'unhealthy', ['crossovers_high', 'ledger_mismatch']],
  ['n below min_n', inputs({metrics: [tooFew]}), 'keep_running', ['below_min_n']],
  ['too early although the goal is decided', inputs({settings: {...SETTINGS, minRunMs: 7_200_000}}), 'keep_running', ['too_early']],
  ['too early also holds back a roll-back', inputs({settings: {...SETTINGS, minRunMs: 7_200_000}, metrics: [harmful]}), 'keep_running', ['too_early']],
  ['both at once', inputs({settings: {...SETTINGS, minRunMs: 7_200_000}, metrics: [tooFew]}), 'keep_running', ['below_min_n', 'too_early']],
  ['a harmed goal', inputs({metrics: [harmful]}), 'roll_back', ['goal_harmed:score']],
  ['a goal harmed, lower is better', inputs({metrics: [standing({direction: 'lower', effect: 5, interval: ok(1, 9)})]}), 'roll_back', ['goal_harmed:score']],
  ['a harmed guardrail although the goal improves', inputs({metrics: [standing(), guardrail({interval: ok(0.02, 0.04)})]}), 'roll_back', ['guardrail_harmed:errors']],
  ['a guardrail acts while the goal has too few', inputs({metrics: [tooFew, guardrail({interval: ok(0.02, 0.04)})]}), 'roll_back', ['guardrail_harmed:errors']],
  ['touching the tolerance is not past it', inputs({metrics: [undecided, guardrail({interval: ok(0.01, 0.04)})]}), 'keep_running', ['goal_undecided:score', 'guardrail_undecided:errors']],
  ['a diagnostic never acts', inputs({metrics: [undecided, guardrail({role: 'diagnostic', interval: ok(5, 9)})]}), 'keep_running', ['goal_undecided:score']],
  ['a goal within its tolerance', inputs({metrics: [standing({tolerance: 1, effect: -0.1, interval: ok(-0.15, -0.05)})]}), 'keep_running', ['goal_leans_harmful:score']],
  ['every goal improved', inputs(), 'ship', ['goals_improved']],
  ['goal improved, lower is better', inputs({metrics: [standing({direction: 'lower', effect: -5, interval: ok(-9, -1)})]}), 'ship', ['goals_improved']],
  ['goal improved and guardrail holds', inputs({metrics: [standing(), guardrail()]}), 'ship', ['goals_improved', 'guardrails_hold']],
  ['one of two goals is not enough', inputs({metrics: [standing(), {...undecided, key: 'other'}]}), 'keep_running', ['goal_undecided:other']],
  ['an interval that touches 0 is not wholly good', inputs({metrics: [standing({interval: ok(0, 0.2)})]}), 'keep_running', ['goal_undecided:score']],
  ['a guardrail that may still be harmed blocks', inputs({metrics: [standing(), guardrail({interval: ok(-0.02, 0.02)})]}), 'keep_running', ['guardrail_undecided:errors']],
  ['a guardrail with too few blocks', inputs({metrics: [standing(), guardrail({n: 5, interval: {status: 'below_min_n'}})]}), 'keep_running', ['below_min_n:errors']],
  ['a guardrail that cannot be computed blocks', inputs({metrics: [standing(), guardrail({interval: {status: 'not_computable', reason: 'insufficient_data'}})]}), 'keep_running', ['guardrail_not_computable:errors']],
  ['a constant equal guardrail does not', inputs({metrics: [standing(), guardrail({effect: 0, interval: {status: 'not_computable', reason: 'zero_variance'}})]}), 'ship', ['goals_improved', 'guardrails_hold', 'guardrail_constant:errors']],
  ['a constant worse guardrail does', inputs({metrics: [standing(), guardrail({effect: 0.5, interval: {status: 'not_computable', reason: 'zero_variance'}})]}), 'keep_running', ['guardrail_not_computable:errors']],
  ['a p95 guardrail neither blocks nor acts', inputs({metrics: [standing(), guardrail({key: 'p95', effect: 900, interval: {status: 'no_method'}})]}), 'ship', ['goals_improved', 'guardrail_without_always_valid:p95']],
  ['a p95 goal never ships', inputs({metrics: [standing({interval: {status: 'no_method'}})]}), 'keep_running', ['goal_without_always_valid:score']],
  ['a goal that cannot be computed', inputs({metrics: [standing({interval: {status: 'not_computable'}})]}), 'keep_running', ['goal_not_computable:score']],
  ['an improvement too small to matter', inputs({metrics: [standing({minEffect: 0.2})]}), 'keep_running', ['effect_below_minimum:score']],
  ['no goal at all', inputs({metrics: [guardrail()]}), 'keep_running', ['no_goal']],
  ['no metric at all', inputs({metrics: []}), 'keep_running', ['no_goal']],
  ['the largest n reached', inputs({metrics: [undecided], settings: {...SETTINGS, maxN: 500}}), 'inconclusive', ['max_n_reached', 'goal_undecided:score']],
  ['the largest n not reached by every goal', inputs({metrics: [undecided, {...undecided, key: 'other', n: 499}], settings: {...SETTINGS, maxN: 500}}), 'keep_running', ['goal_undecided:score', 'goal_undecided:other']],
  ['the longest run reached', inputs({metrics: [undecided], settings: {...SETTINGS, maxRunMs: 3_600_000}}), 'inconclusive', ['max_run_reached', 'goal_undecided:score']],
  ['concluded', inputs({metrics: [undecided], lifecycle: 'concluded'}), 'inconclusive', ['concluded', 'goal_undecided:score']],
  ['concluded with an answer still ships', inputs({lifecycle: 'concluded'}), 'ship', ['goals_improved']],
  ['run time unknown is not too early', inputs({runMs: null, settings: {...SETTINGS, minRunMs: 1, maxRunMs: 1}, metrics: [undecided]}), 'keep_running', ['goal_undecided:score']],
];

describe('the decision is the first rule that matches', () => {
  test.each(CASES)('%s', (_title, given, decision, reasons) => {
    expect(decide(given)).toEqual({decision, reasons});
  });
});
