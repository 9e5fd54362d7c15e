import fc from 'fast-check';
import {describe, expect, it} from 'vitest';
import {runCase} from '../../src/stats/run-case.ts';

const A = [0.82, 0.85, 0.8, 0.88, 0.86, 0.83];
const B = [0.8, 0.83, 0.79, 0.85, 0.84, 0.81];

describe('a case that cannot be computed says why', () => {
  it.each<[string, object, object | undefined, string, RegExp]>([
    ['paired-t', {a: A, b: B.slice(1)}, {}, 'length_mismatch', /a and b have 6 and 5 values/],
    ['paired-t', {a: [1, 'NaN'], b: [1]}, {}, 'length_mismatch', /one of each per item/],
    [
      'paired-t',
      {a: ['Infinity'], b: [1]},
      {},
      'non_finite',
      /a\[0\] is Infinity: every value must be finite/,
    ],
    ['paired-t', {a: [1], b: [2]}, {}, 'insufficient_data', /at least 2 are needed/],
    ['paired-t', {a: [0.3, 0.4, 0.5], b: [0.1, 0.2, 0.3]}, {}, 'zero_variance', /constant/],
    [
      'paired-t',
      {a: A, b: B},
      {confidenceLevel: 95},
      'invalid_argument',
      /confidenceLevel is 95.*0\.95, not 95/,
    ],
    [
      'paired-t',
      {a: A, b: B},
      {confidence: 0.9},
      'invalid_argument',
      /"confidence" is unknown.*confidenceLevel/,
    ],
    ['paired-t', {a: A, b: B}, {mu: '1'}, 'invalid_argument', /mu is the string "1"/],
    ['paired-t', {a: [1, null], b: [1, 2]}, {}, 'invalid_argument', /a\[1\] is null/],
    ['paired-t', {}, {}, 'invalid_argument', /give \{a, b\}, \{differences\}/],
    ['paired-t', {n: 2.5, meanDifference: 1, sdDifference: 1}, {}, 'invalid_argument', /n is 2.5/],
    ['wilcoxon-signed-rank', {a: [0.1 + 0.2], b: [0.3]}, {}, 'all_zero', /differences are zero/],
    ['wilcoxon-signed-rank', {differences: []}, {}, 'insufficient_data', /at least one/],
    [
      'wilcoxon-signed-rank',
      {differences: [1]},
      {zeroMethod: 'drop'},
      'invalid_argument',
      /wilcox, pratt, zsplit/,
    ],
    ['welch-t', {a: [1, 2], b: {n: 5, mean: 1, variance: -1}}, {}, 'invalid_argument', /b\.variance is -1/],
    ['welch-t', {a: {n: 5, sum: 10, sumSquares: 1}, b: [1, 2]}, {}, 'invalid_argument', /at least sum²\/n/],
    ['mann-whitney-u', {a: [2, 2], b: [2]}, {}, 'zero_variance', /all values of a and b are equal/],
    [
      'mann-whitney-u',
      {
        groups: [
          {value: 2, nA: 1, nB: 1},
          {value: 1, nA: 1, nB: 1},
        ],
      },
      {},
      'invalid_argument',
      /ascending/,
    ],
    ['ks-two-sample', {a: [], b: [1]}, {}, 'insufficient_data', /a has 0/],
    [
      'two-proportion',
      {a: {successes: 11, n: 10}, b: {successes: 1, n: 10}},
      {},
      'invalid_argument',
      /above a\.n/,
    ],
    [
      'two-proportion',
      {a: {successes: 0, n: 10}, b: {successes: 0, n: 10}},
      {},
      'zero_variance',
      /no spread/,
    ],
    [
      'two-proportion',
      {a: {successes: 0, n: 0}, b: {successes: 0, n: 10}},
      {},
      'insufficient_data',
      /a has 0/,
    ],
    ['chi-square', {table: [[1, 2], [3]]}, {}, 'length_mismatch', /table\[1\] has 1/],
    ['chi-square', {table: [[1, 2]]}, {}, 'insufficient_data', /1×2/],
    ['srm', {observed: [10, 5], weights: [1, 0]}, {}, 'insufficient_data', /at least two/],
    ['relative-lift', {a: [1, 2], b: [-1, 1]}, {}, 'zero_denominator', /mean of b is 0/],
    ['multiple-comparisons', {pValues: [0.5, 1.5]}, {}, 'invalid_argument', /pValues\[1\] is 1.5/],
    [
      'asymptotic-confidence-sequence',
      {n: 10, estimate: 1, standardError: 1},
      {alternative: 'greater', alpha: 0.5},
      'invalid_argument',
      /below 0.5/,
    ],
    ['msprt', {looks: []}, {}, 'insufficient_data', /at least one look/],
    [
      'power',
      {design: 'paired-t', effectSize: -0.5, power: 0.8},
      {solve: 'n', alternative: 'greater'},
      'invalid_argument',
      /never finds it/,
    ],
    [
      'power',
      {design: 'paired-t', effectSize: 0.5, power: 0.05},
      {solve: 'n'},
      'invalid_argument',
      /above alpha/,
    ],
    ['ewma', {series: [1]}, {alpha: 0.3, span: 4}, 'invalid_argument', /exactly one/],
    ['ewma', {series: [1]}, {alpha: 0.3, limitK: 3}, 'invalid_argument', /limitK, sigma and start together/],
    ['csat', {scores: [6]}, {}, 'invalid_argument', /from 1 to 5/],
    [
      'composite-score',
      {metrics: [{name: 'x', value: 1, worst: 0, best: 1, weight: 0}]},
      {},
      'invalid_argument',
      /all 0/,
    ],
    ['distribution', {fn: 'studentT.pdf', args: [1]}, {}, 'invalid_argument', /studentT\.cdf/],
    ['distribution', {fn: 'normal.quantile', args: [1.5]}, {}, 'invalid_argument', /between 0 and 1/],
    ['t-test', {}, {}, 'invalid_argument', /"t-test".*paired-t/],
  ])('%s %j %j is %s', (test, input, options, error, message) => {
    const result = runCase({test, input, options}) as {error?: string; message?: string};
    expect(result.error).toBe(error);
    expect(result.message).toMatch(message);
  });

  it('checks data before sizes and options before data', () => {
    expect(runCase({test: 'welch-t', input: {a: ['NaN'], b: []}, options: {}})).toMatchObject({
      error: 'non_finite',
    });
    expect(
      runCase({test: 'welch-t', input: {a: ['NaN'], b: []}, options: {alternative: 'up'}}),
    ).toMatchObject({error: 'invalid_argument'});
  });
});

describe('the protocol', () => {
  it('writes numbers that JSON lacks as strings', () => {
    const result = runCase({test: 'paired-t', input: {a: A, b: B}, options: {alternative: 'greater'}}) as {
      ci: unknown[];
    };
    expect(result.ci[1]).toBe('Infinity');
    expect(runCase({test: 'srm', input: {observed: [5, 5, 1], weights: [1, 1, 0]}})).toMatchObject({
      statistic: 'Infinity',
      pValue: 0,
    });
  });

  it('refuses instead of answering NaN when finite data overflows', () => {
    expect(runCase({test: 'moments-merge', input: {chunks: [[1e308, -1e308]]}})).toMatchObject({
      error: 'non_finite',
    });
  });

  it('never throws, whatever the line is', () => {
    const names = [
      'paired-t',
      'wilcoxon-signed-rank',
      'welch-t',
      'mann-whitney-u',
      'two-proportion',
      'chi-square',
      'srm',
      'ks-two-sample',
      'multiple-comparisons',
      'cuped',
      'ratio-metric',
      'relative-lift',
      'winsorised-mean-difference',
      'quantile-difference',
      'quantile-ci',
      'asymptotic-confidence-sequence',
      'msprt',
      'power',
      'dynamic-threshold',
      'ewma',
      'nps',
      'nps-difference',
      'csat',
      'composite-score',
      'box-plot',
      'moments-merge',
      'distribution',
    ];
    const keys = fc.constantFrom(
      'a',
      'b',
      'x',
      'n',
      'differences',
      'groups',
      'table',
      'observed',
      'weights',
      'looks',
      'metrics',
      'chunks',
      'scores',
      'series',
      'pValues',
      'fn',
      'args',
      'design',
      'mean',
      'variance',
      'successes',
      'post',
      'pre',
      'numerator',
      'denominator',
    );
    const {value} = fc.letrec(tie => ({
      value: fc.oneof(
        {maxDepth: 3},
        fc.constantFrom<unknown>(null, true, 'NaN', '-Infinity', 'paired-t', 0, -1, 1.5, 1e308),
        fc.double(),
        fc.array(tie('value'), {maxLength: 5}),
        fc.dictionary(keys, tie('value'), {maxKeys: 5}),
      ),
    }));
    fc.assert(
      fc.property(fc.constantFrom(...names), value, value, (test, input, options) => {
        expect(typeof runCase({test, input, options})).toBe('object');
        expect(typeof runCase({test, input})).toBe('object');
      }),
      {numRuns: 1500},
    );
    let deep: unknown = [];
    for (let i = 0; i < 100_000; i++) deep = [deep];
    for (const line of [
      undefined,
      null,
      5,
      'x',
      [],
      {test: '__proto__'},
      {test: 'paired-t', input: {a: deep}},
    ]) {
      expect(runCase(line)).toMatchObject({error: 'invalid_argument'});
    }
  });
});
