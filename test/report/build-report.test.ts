import {describe, expect, test} from 'vitest';
import {REASON_CODES} from '../../src/analyze/reasons.ts';
import {metricCheck, readingOf} from '../../src/report/read-verdict.ts';
import {renderHtml} from '../../src/report/render-html.ts';
import {renderJson} from '../../src/report/render-json.ts';
import {ENGLISH} from '../../src/report/texts.ts';
import {emptyRow, harmedLatency, makeVerdict, nightRows, reportOf, unclearErrors} from './make-verdict.ts';

describe('the headline', () => {
  test('is the decision, of what, and why, with the number that carries it', () => {
    expect(reportOf(nightRows()).headline).toBe('Roll back v2 in answer-model: guardrail latency_p95 is worse — latency_p95 +572 ms (+31.1 %), always-valid interval +431 to +713 ms');
    expect(reportOf([makeVerdict()]).headline).toBe('Ship v2 in answer-model: every goal is better, every guardrail holds — judge_score +0.0498 (+6.13 %), always-valid interval +0.0387 to +0.061');
    expect(reportOf([emptyRow({reasons: ['arm_empty_variant']})]).headline).toBe('No data for v2 in answer-model: the treatment arm has no data');
    expect(reportOf([]).headline).toContain('No verdict yet');
  });

  test('names the most urgent of several experiments first and counts the rest', () => {
    const calm = makeVerdict({experiment: 'calm', decision: 'keep_running', reasons: ['too_early']});
    const report = reportOf([calm, ...nightRows(), makeVerdict({experiment: 'good'})]);
    expect(report.experiments.map(({experiment}) => experiment)).toEqual(['answer-model', 'good', 'calm']);
    expect(report.headline).toMatch(/^Roll back v2 in answer-model: .*; 2 more experiments below$/);
  });

  test('keeps to three reasons and leaves out those about a row’s method', () => {
    const reasons = ['goal_undecided:a', 'goal_undecided:b', 'guardrail_undecided:c', 'guardrail_undecided:d', 'pair_coverage_low'];
    expect(reportOf([makeVerdict({decision: 'keep_running', reasons})]).headline).toContain('goal a is undecided, goal b is undecided, guardrail c still reaches past its tolerance, and 1 more —');
  });

  test('has words for every reason the analysis can give, and shows an unknown one as it is', () => {
    expect(REASON_CODES.filter(code => !Object.hasOwn(ENGLISH.reason, code))).toEqual([]);
    expect(reportOf([makeVerdict({reasons: ['a_new_reason:x']})]).headline).toContain('a new reason:x');
    expect(reportOf([makeVerdict({reasons: ['constructor']})]).headline).toContain('constructor');
  });
});

describe('summary and findings', () => {
  test('a harmed guardrail is an alert with a high finding', () => {
    const {summary, findings} = reportOf(nightRows());
    expect(summary).toMatchObject({status: 'alert', checks_passed: 7, checks_failed: 1, pass_rate: 7 / 8, pair_coverage: null});
    expect(findings.filter(({severity}) => severity === 'high').map(({code}) => code)).toEqual(['guardrail']);
    expect(summary.findings_high).toBe(1);
  });

  test('each harmed metric is one high finding, and a decision without a failing check is one itself', () => {
    const second = harmedLatency({metric: 'latency_p99', decision: 'roll_back', reasons: ['guardrail_harmed:latency_p95', 'guardrail_harmed:latency_p99']});
    expect(reportOf([...nightRows(), second]).summary.findings_high).toBe(2);
    const other = makeVerdict({variant: 'v3', decision: 'roll_back', reasons: ['goal_harmed:judge_score']});
    expect(reportOf([...nightRows(), other]).findings.filter(({severity}) => severity === 'high').map(({code, subject}) => [code, subject])).toEqual([['decision_roll_back', 'v3'], ['guardrail', 'latency_p95 / v2']]);
    const srm = {...makeVerdict().health, srm: {status: 'unhealthy', p_value: 1e-9, observed: {v1: 9, v2: 1}, weights: {v1: 50, v2: 50}}} as const;
    const unhealthy = ['v2', 'v3'].map(variant => makeVerdict({variant, decision: 'unhealthy', reasons: ['srm_failed'], health: srm}));
    expect(reportOf(unhealthy).summary.findings_high).toBe(1);
  });

  test('without data anywhere nothing is called healthy', () => {
    expect(reportOf([emptyRow(), emptyRow({experiment: 'other'})]).summary.status).toBe('no_data');
    expect(reportOf([]).summary.status).not.toBe('healthy');
    expect(reportOf([emptyRow(), makeVerdict({experiment: 'other'})]).summary.status).toBe('healthy');
    const html = renderHtml(reportOf([emptyRow()]));
    expect(html.slice(html.indexOf('<body>'))).not.toMatch(/healthy/i);
    expect(reportOf([emptyRow()]).experiments[0]?.health.find(({code}) => code === 'crossovers')?.status).toBe('not-computable');
  });

  test('a clean ship is healthy', () => {
    expect(reportOf([makeVerdict(), unclearErrors({decision: 'ship'})]).summary).toMatchObject({status: 'healthy', checks_failed: 0, findings_high: 0});
  });

  test.each([
    ['nothing checked', {mismatch: 0, slices_checked: 0, checked_at: null}, 'numbers unproven so far, no slice was audited yet'],
    ['never audited', {mismatch: null, slices_checked: 0, checked_at: null}, 'numbers unproven so far, no slice was audited yet'],
    ['a mismatch', {mismatch: 2, slices_checked: 480, checked_at: null}, 'numbers unproven, the audit of slices fails'],
    ['no answer', {mismatch: null, slices_checked: 480, checked_at: null}, 'numbers unproven, the audit of slices fails'],
  ])('an audit with %s is a failure on every report, and the headline says which', (_name, audit, words) => {
    const report = reportOf([makeVerdict({audit})]);
    expect(report.summary).toMatchObject({status: 'alert', audit: {is_failure: true}});
    expect(report.headline).toContain(words);
    expect(report.experiments[0]?.health.find(({code}) => code === 'audit')?.status).toBe('fail');
  });

  test('the lowest pair coverage counts, and a failing check of any row', () => {
    const unhealthy = makeVerdict({metric: 'other', pair_coverage: 0.62, health: {...makeVerdict().health, srm: {status: 'unhealthy', p_value: 1e-9, observed: {v1: 9, v2: 1}, weights: {v1: 50, v2: 50}}}});
    const report = reportOf([makeVerdict({pair_coverage: 0.97}), unhealthy]);
    expect(report.summary.pair_coverage).toBe(0.62);
    expect(report.experiments[0]?.health.find(({code}) => code === 'srm')).toMatchObject({status: 'fail', text: 'p = 1e-9; units v1 9, v2 1'});
  });
});

describe('readings', () => {
  test.each([
    ['higher', 0.01, 0.09, 0, 'better'], ['higher', -0.09, -0.01, 0, 'worse'], ['higher', -0.01, 0.09, 0, 'unclear'], ['lower', -0.09, -0.01, 0, 'better'], ['lower', 0.01, 0.09, 0, 'worse'],
    ['lower', 0.01, 0.09, 0.05, 'unclear'], ['lower', 0.06, 0.09, 0.05, 'worse'], ['higher', 0, 0.09, 0, 'unclear'],
  ] as const)('%s is good, interval %d to %d, tolerance %d: %s', (direction, low, high, tolerance, reading) => {
    expect(readingOf(makeVerdict({direction, cs_low: low, cs_high: high, analysis: {metric: {tolerance}}}))).toBe(reading);
  });

  test('without an always-valid interval there is no reading, without an effect nothing', () => {
    expect(readingOf(makeVerdict({cs_low: null, cs_high: null}))).toBe('no-reading');
    expect(readingOf(emptyRow())).toBe('not-computable');
    expect(metricCheck(makeVerdict({role: 'diagnostic'}))).toBe(null);
    expect(metricCheck(unclearErrors())).toBe('pass');
    expect(metricCheck(unclearErrors({analysis: {}}))).toBe('open');
    expect(metricCheck(harmedLatency())).toBe('fail');
  });
});

describe('rows', () => {
  test('only the newest analysis of a treatment is shown, and every number is the stored one', () => {
    const older = makeVerdict({verdict_id: 'old', created_at: '2026-11-20T08:00:00.000Z', cut: {arrival_ts: 5, config_versions: {}}, metric: 'dropped_metric'});
    const report = reportOf([older, ...nightRows()]);
    expect(report.experiments[0]).toMatchObject({rows_superseded: 1, data_to: '2026-11-21T07:59:58.400Z', config_version: 3, offsets: makeVerdict().offsets});
    expect(report.experiments[0]?.metrics.flatMap(({rows}) => rows.map(({verdict}) => verdict))).toEqual(nightRows());
    expect(report.experiments[0]?.metrics[0]?.rows[0]?.replay).toBe('assay replay 0199f0c2-judge_score-v2');
  });

  test('streams never mix', () => {
    expect(reportOf([makeVerdict(), makeVerdict({stream: 'import-1'})]).experiments).toHaveLength(2);
  });

  test('JSON says what JSON cannot say', () => {
    const text = renderJson(reportOf([makeVerdict({ci_high: Infinity, tests: [{test: 'welch-t', status: 'ok', details: {ties: 2n ** 70n}}]})]));
    expect(JSON.parse(text).experiments[0].metrics[0].rows[0].verdict).toMatchObject({ci_high: 'Infinity', tests: [{details: {ties: '1180591620717411303424'}}]});
    expect(JSON.parse(text).schema_version).toBe(1);
  });
});
