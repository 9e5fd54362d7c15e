import {describe, expect, test} from 'vitest';
import {parseRules} from '../../src/guard/parse-rules.ts';
import {rulesOfGuards, statisticOf} from '../../src/guard/rules.ts';
import {makeMetric, makeView} from '../analyze/fixtures.ts';

describe('rules as written', () => {
  test('defaults are filled in', () => {
    const rules = parseRules({
      rules: [
        {name: 'errors', metric: 'error_rate', window: '60s', above: 0.05, min_n: 50, for: '2m', severity: 'critical'},
        {name: 'pairs', kind: 'pair_coverage'},
        {name: 'split', kind: 'srm', experiment: 'answers'},
      ],
    });
    expect(rules).toMatchObject([
      {name: 'errors', kind: 'window', experiment: '*', variants: null, statistic: 'mean', windowMs: 60_000, above: 0.05, below: null, minN: 50, forMs: 120_000, severity: 'critical', action: 'alert'},
      {name: 'pairs', kind: 'pair_coverage', below: 0.8, minN: 0, forMs: 0, severity: 'warning'},
      {name: 'split', kind: 'srm', below: 0.001},
    ]);
  });

  test('a bare list is taken too, and an empty one', () => {
    expect(parseRules([{name: 'x', metric: 'm', window: '1h', below: -1}])).toHaveLength(1);
    expect(parseRules([])).toEqual([]);
  });

  test.each([null, 'text', {rules: 'none'}, {}])('%o is not a list of rules', document => {
    expect(() => parseRules(document)).toThrow(/must be a list/);
  });

  test('every error is told at once, with its path', () => {
    const message = messageOf(() =>
      parseRules([
        {name: '', kind: 'weird', metric: 'm', window: '60', above: Number.NaN, min_n: -1, for: 5, severity: 'loud', action: 'explode', tresh: 1},
        {name: 'same', metric: 'm', window: '0s', above: 1},
        {name: 'same', metric: '', window: '1m', above: 1, below: 2, variants: []},
        {name: 'bare', metric: 'm', window: '1m', experiment: 7, statistic: 'p42'},
        {name: 'srm', kind: 'srm', above: 1},
        42,
      ]),
    );
    for (const path of [
      'rules[0].name', 'rules[0].kind', 'rules[0].window', 'rules[0].above', 'rules[0].min_n', 'rules[0].for', 'rules[0].severity',
      'rules[0].action', 'rules[0].tresh', 'rules[1].window', 'rules[2].metric', 'rules[2].above', 'rules[2].variants', 'rules[2].name: "same"',
      'rules[3]: needs above or below', 'rules[3].experiment', 'rules[3].statistic', 'rules[4].above', 'rules[5]: must be an object',
    ]) {
      expect(message).toContain(path);
    }
  });
});

function messageOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    expect(error).toMatchObject({code: 'ASSAY_CONFIG_INVALID'});
    return (error as Error).message;
  }
  throw new Error('nothing was thrown');
}

describe('guards of an experiment are rules', () => {
  test('they judge treatments only, by the number the aggregate means', () => {
    const view = makeView({
      metrics: [makeMetric({key: 'errors', aggregate: 'share'}), makeMetric({key: 'slow', aggregate: 'p95'})],
      guards: [
        {metric: 'errors', windowMs: 60_000, above: 0.3, below: null, minN: 50, action: 'roll_back'},
        {metric: 'slow', windowMs: 300_000, above: 200, below: null, minN: 20, action: 'alert'},
      ],
    });
    expect(rulesOfGuards(view)).toMatchObject([
      {name: 'guard:answers:errors:0', experiment: 'answers', variants: ['b'], statistic: 'mean', forMs: 0, severity: 'critical', action: 'roll_back'},
      {name: 'guard:answers:slow:1', statistic: 'p95', windowMs: 300_000, minN: 20, severity: 'warning', action: 'alert'},
    ]);
  });

  test.each([
    ['mean', 'mean'], ['share', 'mean'], ['ratio', 'mean'], ['total', 'sum'], ['conversion', 'n'], ['p50', 'p50'], ['p95', 'p95'], ['p99', 'p99'],
  ] as const)('%s → %s', (aggregate, statistic) => {
    expect(statisticOf(makeMetric({aggregate}))).toBe(statistic);
  });
});
