import {describe, expect, test} from 'vitest';
import {epochMs} from '../../src/core/units.ts';
import type {Verdict} from '../../src/core/verdict.ts';
import {evaluateRule} from '../../src/guard/evaluate.ts';
import {makeRule, makeWindow} from './fixtures.ts';

const AT = epochMs(1_000_000);
const findings = (rule = makeRule(), windows = [makeWindow()], verdicts: Verdict[] = []) =>
  evaluateRule(rule, {at: AT, windows, verdicts});

describe('windows', () => {
  test.each([
    [0.31, 'breach'],
    [0.3, 'ok'],
    [0.1, 'ok'],
  ] as const)('mean %d against above: 0.3 is %s', (mean, state) => {
    expect(findings(makeRule(), [makeWindow({mean})])).toMatchObject([{state, value: mean, threshold: 0.3, n: 100, variant: 'b', at: AT}]);
  });

  test('below, and both bounds', () => {
    const rule = makeRule({above: 10, below: 1});
    expect(findings(rule, [makeWindow({mean: 0.5})])).toMatchObject([{state: 'breach', threshold: 1, reason: '0.5 is below 1'}]);
    expect(findings(rule, [makeWindow({mean: 11})])).toMatchObject([{state: 'breach', threshold: 10}]);
    expect(findings(rule, [makeWindow({mean: 1})])).toMatchObject([{state: 'ok'}]);
  });

  test('the statistic asked for is compared', () => {
    const window = makeWindow({mean: 0, p95: 250, sum: 7});
    expect(findings(makeRule({statistic: 'p95', above: 200}), [window])).toMatchObject([{state: 'breach', value: 250}]);
    expect(findings(makeRule({statistic: 'n', above: 99}), [window])).toMatchObject([{state: 'breach', value: 100}]);
    expect(findings(makeRule({statistic: 'sum', above: 9}), [window])).toMatchObject([{state: 'ok', value: 7}]);
  });

  test('too small a sample is inconclusive, not failed', () => {
    expect(findings(makeRule({minN: 101}), [makeWindow({mean: 1})])).toMatchObject([{state: 'inconclusive', value: 1, reason: 'n = 100 is below min_n = 101'}]);
  });

  test('a value that is not a number is inconclusive', () => {
    expect(findings(makeRule(), [makeWindow({mean: Number.NaN})])).toMatchObject([{state: 'inconclusive', value: null}]);
  });

  test('the newest window and its latest revision of the newest phase count', () => {
    const windows = [
      makeWindow({mean: 0.9, window_end: epochMs(AT - 20_000)}),
      makeWindow({mean: 0.2, revision: 1}),
      makeWindow({mean: 0.8, revision: 0}),
      makeWindow({mean: 0.7, phase: 0}),
    ];
    expect(findings(makeRule(), windows)).toMatchObject([{state: 'ok', value: 0.2}]);
    expect(findings(makeRule(), [...windows].reverse())).toMatchObject([{state: 'ok', value: 0.2}]);
  });

  test('windows of the future and of other metrics are not looked at', () => {
    const windows = [makeWindow({window_end: epochMs(AT + 1)}), makeWindow({metric: 'other'})];
    expect(findings(makeRule(), windows)).toEqual([]);
  });

  test('an old window is no news', () => {
    expect(findings(makeRule(), [makeWindow({mean: 1, window_end: epochMs(AT - 60_000)})])).toMatchObject([{state: 'inconclusive', value: null, at: AT}]);
  });

  test('a named variant without a window is inconclusive', () => {
    const rule = makeRule({experiment: 'answers', variants: ['b', 'c']});
    expect(findings(rule, [makeWindow()])).toMatchObject([{variant: 'b'}, {variant: 'c', state: 'inconclusive', n: 0}]);
  });

  test('each variant and experiment has a finding of its own; others are left out', () => {
    const windows = [makeWindow(), makeWindow({variant: 'a', mean: 0.9}), makeWindow({experiment: 'other'})];
    expect(findings(makeRule(), windows).map(({experiment, variant, state}) => [experiment, variant, state])).toEqual([
      ['answers', 'b', 'ok'],
      ['answers', 'a', 'breach'],
      ['other', 'b', 'ok'],
    ]);
    expect(findings(makeRule({experiment: 'other'}), windows)).toHaveLength(1);
    expect(findings(makeRule({variants: ['b']}), windows)).toHaveLength(2);
  });
});

describe('verdicts', () => {
  const verdict = (over: Partial<Verdict>) =>
    ({
      experiment: 'answers', variant: 'b', metric: 'score', pairs: 100, pair_coverage: 0.9, srm_p_value: 0.5,
      cut: {arrival_ts: AT - 500, config_versions: {}}, health: {srm: {observed: {a: 60, b: 40}}}, ...over,
    }) as Verdict;
  const coverage = makeRule({kind: 'pair_coverage', above: null, below: 0.8, minN: 10});
  const split = makeRule({kind: 'srm', above: null, below: 0.001, minN: 0});

  test('the worst coverage of a treatment counts, at the time of its data', () => {
    const verdicts = [verdict({}), verdict({metric: 'cost', pair_coverage: 0.79, pairs: 79})];
    expect(findings(coverage, [], verdicts)).toMatchObject([{state: 'breach', value: 0.79, threshold: 0.8, n: 79, at: AT - 500}]);
    expect(findings(coverage, [], [verdict({pair_coverage: 0.8})])).toMatchObject([{state: 'ok'}]);
    expect(findings(coverage, [], [verdict({pairs: 5, pair_coverage: 0.1})])).toMatchObject([{state: 'inconclusive'}]);
  });

  test('a verdict without pairs or without weights says nothing', () => {
    expect(findings(coverage, [], [verdict({pair_coverage: null})])).toEqual([]);
    expect(findings(split, [], [verdict({srm_p_value: null})])).toEqual([]);
  });

  test('SRM', () => {
    expect(findings(split, [], [verdict({srm_p_value: 1e-9})])).toMatchObject([{state: 'breach', n: 100}]);
    expect(findings(split, [], [verdict({})])).toMatchObject([{state: 'ok'}]);
  });
});
