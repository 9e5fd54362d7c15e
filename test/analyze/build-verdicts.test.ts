import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {buildVerdicts, type VerdictContext} from '../../src/analyze/build-verdicts.ts';
import {evidenceOf} from '../../src/analyze/compare-evidence.ts';
import {NOT_A_DISTRIBUTION} from '../../src/analyze/inputs.ts';
import {canonicalJson, digestOf} from '../../src/core/canonical-json.ts';
import {epochMs} from '../../src/core/units.ts';
import type {Metric} from '../../src/core/experiment.ts';
import type {Verdict} from '../../src/core/verdict.ts';
import {
  AUDITED,
  CUT,
  type DefinitionOver,
  makeExposures,
  makeInputs,
  makeMetric,
  makeMetricInputs,
  makePairs,
  makeRandom,
  makeRatioTotals,
  makeView,
  START,
  VERSIONS,
} from './fixtures.ts';

const A = [0.8, 0.83, 0.79, 0.85, 0.84, 0.81, 0.85, 0.82, 0.83, 0.86];
const B = [0.82, 0.85, 0.8, 0.88, 0.86, 0.83, 0.87, 0.84, 0.85, 0.89];

const CONTEXT: VerdictContext = {createdAt: CUT, versions: VERSIONS, audit: AUDITED, previousDecision: () => null};

const itemsOf = (values: readonly (number | null)[]) => new Map(values.map((value, i) => [`q${i}`, value]));
const unitsOf = (values: readonly number[]) => values.map(value => [value]);

function pairedVerdict(control: readonly (number | null)[], variant: readonly (number | null)[], over: DefinitionOver = {}): Verdict {
  const view = makeView({design: 'paired', ...over});
  const scored = (values: readonly (number | null)[]) => unitsOf(values.filter(value => value !== null));
  const inputs = makeMetricInputs(view.definition.metrics[0] ?? makeMetric(), {a: scored(control), b: scored(variant)});
  const pairs = {b: makePairs(itemsOf(control), itemsOf(variant))};
  const exposures = makeExposures({a: control.length, b: variant.length});
  return only(buildVerdicts(makeInputs(view, [{...inputs, pairs}], exposures), CONTEXT));
}

function splitVerdict(metric: Metric, arms: Record<'a' | 'b', readonly (readonly number[])[]>, over: DefinitionOver = {}): Verdict {
  const view = makeView({metrics: [metric], ...over});
  const exposures = makeExposures({a: arms.a.length, b: arms.b.length});
  return only(buildVerdicts(makeInputs(view, [makeMetricInputs(metric, arms)], exposures), CONTEXT));
}

function only(verdicts: readonly Verdict[]): Verdict {
  expect(verdicts).toHaveLength(1);
  return verdicts[0] as Verdict;
}

const testOf = (verdict: Verdict, name: string) => verdict.tests.find(applied => applied.test === name);

describe('pairs', () => {
  const verdict = pairedVerdict(A, B);

  test('the seed pairs give paired t 11.699 on 9 degrees of freedom, and the golden p and interval', () => {
    expect(verdict).toMatchObject({test: 'paired-t', n_control: 10, n_variant: 10, pairs: 10, pair_coverage: 1, reasons: ['below_min_n']});
    expect(verdict.effect_absolute).toBeCloseTo(0.021, 12);
    expect(verdict.mean_control).toBeCloseTo(0.828, 12);
    expect(verdict.sd_control).toBeCloseTo(0.02299758, 8);
    expect(verdict.effect_relative).toBeCloseTo(0.021 / 0.828, 10);
    expect(verdict.p_value).toBeCloseTo(9.558605167909502e-7, 14);
    expect(verdict.ci_low).toBeCloseTo(0.016939303619563945, 12);
    expect(verdict.tests[0]).toMatchObject({test: 'paired-t', df: 9});
    expect(verdict.tests[0]?.statistic).toBeCloseTo(11.698806305154246, 8);
  });

  test('Wilcoxon and the tests of independent arms stand beside it', () => {
    expect(verdict.tests.map(applied => applied.test)).toEqual(['paired-t', 'wilcoxon-signed-rank', 'welch-t', 'mann-whitney-u']);
    expect(testOf(verdict, 'wilcoxon-signed-rank')).toMatchObject({
      p_value: 0.001953125,
      statistic: 55,
      details: {method: 'exact', zeros: 0, non_zero: 10, has_ties: true, w_minus: 0},
    });
    expect(testOf(verdict, 'welch-t')?.statistic).toBeCloseTo(1.8457700162235005, 10);
    expect(testOf(verdict, 'mann-whitney-u')?.n_variant).toBe(10);
  });

  test('a missing score is dropped with its partner and counted', () => {
    const {pairs, pair_coverage, tests} = pairedVerdict([...A, 0.5], [...B, null]);
    expect(pairs).toBe(10);
    expect(pair_coverage).toBeCloseTo(10 / 11, 14);
    expect(tests[0]?.details).toMatchObject({items_control: 11, items_variant: 10, dropped: 1, wins: 10, losses: 0});
  });

  test('below the floor of coverage Welch is the primary test and the pairs are exploratory', () => {
    const verdict = pairedVerdict([...A, null, null, null], [...B, 0.9, 0.9, 0.9]);
    expect(verdict.pair_coverage).toBeCloseTo(10 / 13, 14);
    expect(verdict).toMatchObject({test: 'welch-t', n_control: 10, n_variant: 13, pairs: 10});
    expect(verdict.reasons).toContain('pair_coverage_low');
    expect(testOf(verdict, 'paired-t')).toMatchObject({status: 'ok', exploratory: true});
  });

  test('a p95 of pairs is compared as a p95, not as a mean of differences', () => {
    const metric = makeMetric({key: 'latency', aggregate: 'p50'});
    const verdict = pairedVerdict(A, B, {metrics: [metric]});
    expect(verdict).toMatchObject({test: 'quantile-difference', pairs: 10, mean_control: 0.83});
    expect(verdict.reasons).toContain('aggregate_not_paired');
  });

  test('constant differences are not computable, never p = 1', () => {
    const verdict = pairedVerdict([1, 2, 3], [2, 3, 4]);
    expect(verdict).toMatchObject({test: null, p_value: null, effect_absolute: 1, ci_low: null});
    expect(verdict.tests[0]?.reason).toMatch(/^zero_variance/);
    expect(verdict.reasons).toContain('primary_not_computable');
  });

  test('no item in common', () => {
    const verdict = pairedVerdict([1, 2, null, null], [null, null, 3, 4]);
    expect(verdict).toMatchObject({test: 'welch-t', pairs: 0, pair_coverage: 0});
  });
});

describe('split: the test follows the aggregate', () => {
  test('mean with one outcome a unit is Welch', () => {
    const verdict = splitVerdict(makeMetric(), {a: unitsOf(A), b: unitsOf(B)});
    expect(verdict).toMatchObject({test: 'welch-t', n_control: 10, pairs: null, pair_coverage: null});
    expect(verdict.tests[0]?.df).toBeCloseTo(17.417763087536372, 10);
    expect(verdict.tests[0]?.details).toMatchObject({method: 'welch'});
    expect(verdict.effect_absolute).toBeCloseTo(0.021, 12);
  });

  test('mean with several outcomes a unit is the delta method over units', () => {
    const arms = {a: [[1, 2, 3], [4], [2, 2], []], b: [[5], [3, 4], [4, 6, 5], [2]]};
    const verdict = splitVerdict(makeMetric(), arms);
    expect(verdict.tests[0]?.details).toMatchObject({method: 'delta'});
    expect(verdict).toMatchObject({test: 'welch-t', n_control: 3, n_variant: 4});
    expect(verdict.mean_control).toBeCloseTo(14 / 6, 14);
    expect(verdict.arms[0]).toMatchObject({units: 4, outcomes: 6, p50: 2, min: 1, max: 4});
  });

  test('total counts exposed units without outcomes as 0', () => {
    const verdict = splitVerdict(makeMetric({aggregate: 'total'}), {a: [[1, 2], [], [3]], b: [[5], [1], []]});
    expect(verdict).toMatchObject({test: 'welch-t', n_control: 3, mean_control: 2, mean_variant: 2});
    expect(verdict.tests).toHaveLength(1);
  });

  test('conversion is a share of exposed units: the golden two-proportion case', () => {
    const arm = (yes: number, n: number) => Array.from({length: n}, (_, i) => (i < yes ? [1, 1] : []));
    const verdict = splitVerdict(makeMetric({aggregate: 'conversion'}), {a: arm(30, 210), b: arm(45, 200)});
    expect(verdict).toMatchObject({test: 'two-proportion', n_control: 210, n_variant: 200});
    expect(verdict.tests[0]?.statistic).toBeCloseTo(2.1504697756219544, 10);
    expect(verdict.ci_high).toBeCloseTo(0.15704983529274, 10);
  });

  test('more units with an outcome than exposed ones are not a share', () => {
    const metric = makeMetric({aggregate: 'conversion'});
    const inputs = makeMetricInputs(metric, {a: [[1], [1]], b: [[1], [1]]});
    const totals = inputs.totals.map(arm => ({...arm, units: 1}));
    const verdict = only(buildVerdicts(makeInputs(makeView(), [{...inputs, totals}], makeExposures({a: 1, b: 1})), CONTEXT));
    expect(verdict).toMatchObject({test: null, mean_control: null, effect_absolute: null});
    expect(verdict.tests[0]?.reason).toMatch(/^invalid_argument/);
  });

  test('share with one outcome a unit is two-proportion, otherwise delta', () => {
    const metric = makeMetric({key: 'errors', aggregate: 'share', measure: '', direction: 'lower'});
    expect(splitVerdict(metric, {a: [[1], [0], [0]], b: [[1], [1], [0]]})).toMatchObject({test: 'two-proportion', n_control: 3});
    const delta = splitVerdict(metric, {a: [[1, 0], [0], [0]], b: [[1], [1, 1, 0], [0]]});
    expect(delta.tests[0]).toMatchObject({test: 'welch-t', details: {method: 'delta'}});
    expect(delta.mean_variant).toBeCloseTo(0.6, 14);
  });

  test('ratio is the delta method on exact sums', () => {
    const metric = makeMetric({key: 'cost', aggregate: 'ratio', measure: '', numerator: 'cost_usd', denominator: 'success', scale: 12});
    const view = makeView({metrics: [metric]});
    const totals = [
      makeRatioTotals('a', [[[0.1, 1], [0.2, 0]], [[0.3, 1]]], 12),
      makeRatioTotals('b', [[[0.5, 1]], [[0.2, 1], [0.2, 1]]], 12),
    ];
    const inputs = {metric, totals, outcomeGroups: NOT_A_DISTRIBUTION, unitGroups: NOT_A_DISTRIBUTION, pairs: {}, sql: ''};
    const verdict = only(buildVerdicts(makeInputs(view, [inputs], makeExposures({a: 2, b: 2})), CONTEXT));
    expect(verdict.mean_control).toBe(0.3);
    expect(verdict.mean_variant).toBe(0.3);
    expect(verdict.tests[0]).toMatchObject({test: 'welch-t', details: {method: 'delta'}});
    expect(verdict.arms[0]).toMatchObject({mean: 0.3, p50: null, min: null});
  });

  test('p95 compares quantiles of outcomes and has no always-valid interval', () => {
    const random = makeRandom(1);
    const arm = (shift: number) => Array.from({length: 400}, () => [shift + Math.round(random() * 1000)]);
    const metric = makeMetric({key: 'latency_p95', aggregate: 'p95', direction: 'lower'});
    const verdict = splitVerdict(metric, {a: arm(0), b: arm(500)});
    expect(verdict).toMatchObject({test: 'quantile-difference', cs_low: null, p_value_always_valid: null, decision: 'keep_running'});
    expect(verdict.reasons).toContain('goal_without_always_valid:latency_p95');
    expect(verdict.mean_control).toBe(verdict.arms[0]?.p95);
    expect(verdict.analysis['always_valid']).toMatchObject({status: 'no_method'});
  });

  test('too many distinct values are said, not computed', () => {
    const metric = makeMetric({aggregate: 'p95'});
    const view = makeView({metrics: [metric]});
    const many = {status: 'not-computable', reason: 'too many distinct values: 2000000, at most 1000000'} as const;
    const inputs = {...makeMetricInputs(metric, {a: unitsOf(A), b: unitsOf(B)}), outcomeGroups: many, unitGroups: many};
    const verdict = only(buildVerdicts(makeInputs(view, [inputs], makeExposures({a: 10, b: 10})), CONTEXT));
    expect(verdict.test).toBeNull();
    expect(verdict.tests.map(applied => applied.reason)).toEqual([many.reason, many.reason]);
  });
});

describe('automation', () => {
  const sample = (seed: number, n: number, shift: number) => {
    const random = makeRandom(seed);
    return Array.from({length: n}, () => [Math.round((random() + random() + shift) * 1000) / 1000]);
  };

  test('a clear improvement ships, on every row of the treatment', () => {
    const goal = makeMetric();
    const guardrail = makeMetric({key: 'errors', aggregate: 'share', role: 'guardrail', direction: 'lower', tolerance: 0.05});
    const view = makeView({metrics: [goal, guardrail]});
    const none = (n: number) => Array.from({length: n}, () => [0]);
    const inputs = [
      makeMetricInputs(goal, {a: sample(1, 1000, 0), b: sample(2, 1000, 0.5)}),
      makeMetricInputs(guardrail, {a: none(1000), b: none(1000)}),
    ];
    const rows = buildVerdicts(makeInputs(view, inputs, makeExposures({a: 1000, b: 1000})), CONTEXT);
    expect(rows.map(row => row.decision)).toEqual(['ship', 'ship']);
    expect(rows[0]?.reasons).toEqual(['goals_improved', 'guardrails_hold']);
    expect(rows[0]?.cs_low).toBeGreaterThan(0);
    expect(rows[0]?.p_value_always_valid).toBeLessThan(0.001);
    // No error in either arm is still uncertain: the interval is not a point.
    expect(rows[1]).toMatchObject({effect_absolute: 0, p_value: null, p_value_adjusted: null});
    expect(rows[1]?.cs_high).toBeGreaterThan(0);
    expect(rows[1]?.analysis['always_valid']).toMatchObject({method: 'agresti-caffo', n: 2000, n_smaller: 1000});
  });

  test('an always-failing treatment rolls back although its arms have no spread', () => {
    const metric = makeMetric({key: 'errors', aggregate: 'share', role: 'guardrail', direction: 'lower'});
    const arms = {a: Array.from({length: 300}, () => [0, 0]), b: Array.from({length: 300}, () => [1, 1])};
    const verdict = splitVerdict(metric, arms);
    expect(verdict).toMatchObject({decision: 'roll_back', reasons: ['guardrail_harmed:errors', 'primary_not_computable'], test: null});
  });

  test('shares of pairs that never differ still have an interval', () => {
    const metric = makeMetric({key: 'pass', aggregate: 'share'});
    const ones = Array.from({length: 300}, () => 1);
    const verdict = pairedVerdict(ones, ones, {metrics: [metric]});
    expect(verdict.cs_low).toBeLessThan(0);
    expect(verdict.cs_high).toBeCloseTo(-(verdict.cs_low ?? 0), 12);
  });

  test('below min_n there is no confidence sequence', () => {
    const verdict = splitVerdict(makeMetric(), {a: sample(1, 199, 0), b: sample(2, 5000, 5)}, {hasWeights: false});
    expect(verdict).toMatchObject({cs_low: null, p_value_always_valid: null, decision: 'keep_running'});
    expect(verdict.reasons).toContain('below_min_n');
  });

  test('the alpha of the sequence is shared among goals × treatments', () => {
    const variants = ['a', 'b', 'c'].map(key => ({key, weight: 1}));
    const metrics = [makeMetric(), makeMetric({key: 'other'})];
    const view = makeView({variants, metrics});
    const arms = {a: sample(1, 300, 0), b: sample(2, 300, 0), c: sample(3, 300, 0)};
    const inputs = metrics.map(metric => makeMetricInputs(metric, arms));
    const rows = buildVerdicts(makeInputs(view, inputs, makeExposures({a: 300, b: 300, c: 300})), CONTEXT);
    expect(rows.map(row => [row.variant, row.metric])).toEqual([['b', 'score'], ['b', 'other'], ['c', 'score'], ['c', 'other']]);
    expect(rows.map(row => row.analysis['alpha_corrected'])).toEqual(new Array(4).fill(0.0125));
    expect(rows[0]?.p_value_adjusted).toBe(rows[1]?.p_value_adjusted);
    expect(rows[0]?.p_value_adjusted).toBeGreaterThanOrEqual(rows[0]?.p_value ?? 1);
  });

  test('an unhealthy split silences everything but says so', () => {
    const view = makeView();
    const inputs = [makeMetricInputs(makeMetric(), {a: sample(1, 1000, 0), b: sample(2, 600, 0.5)})];
    const verdict = only(buildVerdicts(makeInputs(view, inputs, makeExposures({a: 1000, b: 600})), CONTEXT));
    expect(verdict).toMatchObject({decision: 'unhealthy', reasons: ['srm_failed']});
    expect(verdict.srm_p_value).toBeLessThan(1e-10);
  });

  test('an empty arm is no data', () => {
    expect(splitVerdict(makeMetric(), {a: unitsOf(A), b: []})).toMatchObject({decision: 'no_data', reasons: ['arm_empty_variant', 'primary_not_computable']});
    expect(splitVerdict(makeMetric(), {a: [], b: []})).toMatchObject({
      decision: 'no_data', data_from: null, mean_control: null, effect_absolute: null, test: null,
    });
  });

  test('an imported draft without weights is judged without SRM', () => {
    const verdict = splitVerdict(makeMetric(), {a: unitsOf(A), b: unitsOf(B)}, {hasWeights: false, lifecycle: 'draft'});
    expect(verdict.health.srm.status).toBe('not-computable');
    expect(verdict).toMatchObject({decision: 'keep_running', srm_p_value: null, reasons: ['below_min_n', 'srm_not_computable']});
  });
});

describe('evidence', () => {
  const view = makeView();
  const inputs = () => makeInputs(view, [makeMetricInputs(makeMetric(), {a: unitsOf(A), b: unitsOf(B)})], makeExposures({a: 10, b: 10}));
  const verdict = only(buildVerdicts(inputs(), CONTEXT));

  test('the digest covers everything but ids, times of creation, previous decision and audit', () => {
    expect(verdict.evidence_digest).toBe(digestOf(evidenceOf(verdict)));
    const later = only(
      buildVerdicts(inputs(), {
        ...CONTEXT,
        createdAt: epochMs(CUT + 1),
        audit: {...AUDITED, slices_checked: 99},
        previousDecision: () => 'ship',
      }),
    );
    expect(later.evidence_digest).toBe(verdict.evidence_digest);
    expect(later).toMatchObject({previous_decision: 'ship', audit: {slices_checked: 99}});
    expect(later.verdict_id).not.toBe(verdict.verdict_id);
    expect(verdict.verdict_id).toMatch(/^vd_[0-9a-f]{20}$/);
  });

  test('the same inputs give the same bytes, in any order of the arms', () => {
    const base = inputs();
    const turned = {...base, metrics: base.metrics.map(metric => ({...metric, totals: [...metric.totals].reverse()}))};
    expect(canonicalJson(only(buildVerdicts(turned, CONTEXT)))).toBe(canonicalJson(verdict));
  });

  test('survives JSON, as it is stored', () => {
    const stored = JSON.parse(JSON.stringify(verdict)) as Verdict;
    expect(canonicalJson(stored)).toBe(canonicalJson(verdict));
    expect(digestOf(evidenceOf(stored))).toBe(verdict.evidence_digest);
  });

  test('names cut, offsets, versions, range and settings', () => {
    expect(verdict).toMatchObject({
      cut: {arrival_ts: CUT, config_versions: {answers: 3}},
      offsets: [{partition: 0, to: '100'}],
      versions: VERSIONS,
      data_from: new Date(START).toISOString(),
      sql: 'SELECT score',
      analysis: {alpha: 0.05, ci_level: 0.95, min_n: 200, lifecycle: 'running', phases: [{phase: 1, valid_to: null}]},
    });
  });

  test('no relative effect over a control mean of 0, or of almost 0', () => {
    expect(splitVerdict(makeMetric(), {a: [[0], [0]], b: [[1], [2]]})).toMatchObject({effect_absolute: 1.5, effect_relative: null});
    const metric = makeMetric({aggregate: 'p50'});
    expect(splitVerdict(metric, {a: unitsOf([1e-320]), b: unitsOf([1])})).toMatchObject({effect_absolute: 1, effect_relative: null});
  });

  test('box-plot numbers of an arm', () => {
    const {arms} = splitVerdict(makeMetric(), {a: unitsOf([1, 2, 3, 4, 100]), b: unitsOf([1, 2])});
    expect(arms[0]).toMatchObject({variant: 'a', p25: 2, p50: 3, p75: 4, min: 1, max: 100, whisker_low: 1, whisker_high: 4});
    expect(arms[0]?.p95).toBeCloseTo(80.8, 12);
  });

  test('every number is finite or null, whatever the values', () => {
    const value = fc.double({min: -1e14, max: 1e14, noNaN: true});
    const arm = fc.array(fc.array(value, {maxLength: 3}), {maxLength: 8});
    fc.assert(
      fc.property(arm, arm, fc.constantFrom('mean', 'total', 'conversion', 'p50' as const), (a, b, aggregate) => {
        const row = splitVerdict(makeMetric({aggregate: aggregate as Metric['aggregate'], scale: 3}), {a, b});
        expect(JSON.parse(JSON.stringify(row))).toEqual(JSON.parse(canonicalJson(row)));
        expect(canonicalJson(row)).not.toMatch(/"-?Infinity"|"NaN"/);
      }),
      {numRuns: 200},
    );
  });
});
