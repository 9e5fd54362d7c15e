import {describe, expect, test} from 'vitest';
import type {Metric} from '../../src/core/experiment.ts';
import {epochMs} from '../../src/core/units.ts';
import {buildVerdicts} from '../../src/analyze/build-verdicts.ts';
import {calibrate} from '../../src/analyze/calibrate.ts';
import {parseDefinition} from '../../src/experiment/definition.ts';
import {problemText} from '../../src/experiment/problems.ts';
import {toDocument} from '../../src/experiment/to-document.ts';
import {winsorisedMeanDifference} from '../../src/stats/winsorised-mean-difference.ts';
import {sequentialOf} from '../../src/analyze/sequential.ts';
import {winsorisedTest} from '../../src/analyze/winsorised-test.ts';
import {AUDITED, makeExposures, makeGroups, makeInputs, makeMetric, makeMetricInputs, makeRandom, makeView, VERSIONS} from './fixtures.ts';

const CLAMPED: Partial<Metric> = {winsorise: [0.05, 0.95]};
const DOCUMENT = {experiment: 'e', variants: {a: 1, b: 1}, control: 'a'};

function verdictOf(arms: Readonly<Record<'a' | 'b', readonly (readonly number[])[]>>, over: Partial<Metric> = CLAMPED) {
  const metric = makeMetric(over);
  const view = makeView({metrics: [metric]});
  const inputs = makeInputs(view, [makeMetricInputs(metric, arms)], makeExposures({a: arms.a.length, b: arms.b.length}));
  const [row] = buildVerdicts(inputs, {createdAt: epochMs(0), versions: VERSIONS, audit: AUDITED, previousDecision: () => null});
  if (row === undefined) throw new Error('a row for the only treatment');
  return row;
}

/** Units of one or more outcomes, now and then a giant. */
function unitsOf(random: () => number, {count, shift, outcomes}: {readonly count: number; readonly shift: number; readonly outcomes: number}): number[][] {
  return Array.from({length: count}, () => Array.from({length: 1 + Math.floor(random() * outcomes)}, () => shift + random() + (random() < 0.02 ? 400 * random() : 0)));
}

const meanOf = (unit: readonly number[]): number => unit.reduce((sum, value) => sum + value, 0) / unit.length;

describe('a metric that is winsorised', () => {
  test.each([[1, 1], [2, 1], [3, 4], [4, 7]])('random units %i, up to %i outcomes each: the verdict is that of the arrays, with its bounds', (seed, outcomes) => {
    const random = makeRandom(seed);
    const arms = {a: unitsOf(random, {count: 400, shift: 0, outcomes}), b: unitsOf(random, {count: 380, shift: 0.2, outcomes})};
    const expected = winsorisedMeanDifference({a: arms.b.map(meanOf), b: arms.a.map(meanOf)}, {lower: 0.05, upper: 0.95});
    if (expected.status !== 'ok') throw new Error(expected.message);
    const row = verdictOf(arms);
    expect(row).toMatchObject({test: 'welch-t', n_control: 400, n_variant: 380});
    expect(row.p_value).toBeCloseTo(expected.pValue, 12);
    expect(row.effect_absolute).toBeCloseTo(expected.meanDifference, 12);
    expect([row.ci_low, row.ci_high].map(Number)).toEqual([expect.closeTo(expected.ci[0], 12), expect.closeTo(expected.ci[1], 12)]);
    const [primary, plain] = row.tests;
    expect(primary?.details).toMatchObject({method: 'winsorised', lower: 0.05, upper: 0.95});
    expect(primary?.details?.['upper_bound']).toBeCloseTo(expected.upperBound, 12);
    // Of the means as they are: it stands beside, and clamping made the error small.
    expect(plain?.details?.['method']).toBe(outcomes === 1 ? 'welch' : 'delta');
    expect(Number(primary?.details?.['variance_reduction'])).toBeGreaterThan(0.9);
    expect(row.cs_low).not.toBeNull();
    const sds = [arms.a, arms.b].map(units => {
      const values = units.map(unit => Math.min(expected.upperBound, Math.max(expected.lowerBound, meanOf(unit))));
      const mean = meanOf(values);
      return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1));
    });
    expect([row.sd_control, row.sd_variant].map(Number)).toEqual(sds.map(sd => expect.closeTo(sd, 10)));
  });

  test('quantiles 0 and 1 clamp nothing', () => {
    const arms = {a: unitsOf(makeRandom(5), {count: 50, shift: 0, outcomes: 1}), b: unitsOf(makeRandom(6), {count: 50, shift: 0, outcomes: 1})};
    const [clamped, plain] = [verdictOf(arms, {winsorise: [0, 1]}), verdictOf(arms, {})];
    expect(clamped.p_value).toBeCloseTo(plain.p_value ?? Number.NaN, 9);
    expect(clamped.tests[0]?.details).toMatchObject({clamped_control: 0, clamped_variant: 0});
    expect(clamped.evidence_digest).not.toBe(plain.evidence_digest);
    expect(plain.analysis['metric']).not.toHaveProperty('winsorise');
  });

  test('what is not computable says so: too few units, no spread, no calibration', () => {
    expect(verdictOf({a: [[1]], b: [[2]]}).tests[0]).toMatchObject({status: 'not-computable', reason: expect.stringMatching(/^insufficient_data/), details: {method: 'winsorised'}});
    expect(verdictOf({a: [[1], [1], [1]], b: [[1], [1]]}).tests[0]?.reason).toMatch(/^zero_variance/);
    expect(calibrate({metric: makeMetric(CLAMPED), relabelled: [], alpha: 0.05, cut: 0})).toMatchObject({status: 'not-computable', reason: 'winsorised means are not sums over units'});
  });

  test('A/A with giants, ten looks each: the always-valid interval leaves 0 out no more often than alpha', () => {
    const [experiments, looks, perLook] = [150, 10, 100];
    const plain = {control: {n: 0, mean: null, sd: null}, variant: {n: 0, mean: null, sd: null}, effect: null, evidence: {test: 'welch-t', status: 'ok'}, error: {status: 'no_method', reason: ''}} as const;
    let [wrong, computed] = [0, 0];
    for (let seed = 1; seed <= experiments; seed += 1) {
      const random = makeRandom(seed * 7919);
      const arms = {a: [] as number[], b: [] as number[]};
      let isWrong = false;
      for (let look = 0; look < looks; look += 1) {
        for (const arm of [arms.a, arms.b]) arm.push(...unitsOf(random, {count: perLook, shift: 0, outcomes: 1}).flat());
        const test = winsorisedTest({status: 'ok', groups: makeGroups(arms)}, {control: 'a', variant: 'b'}, {quantiles: [0.05, 0.95], alpha: 0.05, plain});
        const {interval} = sequentialOf(test, {alpha: 0.05, minN: 200, tuningN: 1_000});
        if (interval.status !== 'ok') continue;
        computed += 1;
        isWrong ||= interval.low > 0 || interval.high < 0;
      }
      if (isWrong) wrong += 1;
    }
    expect(computed).toBe(experiments * (looks - 1));
    // Five in a hundred and three Monte-Carlo errors.
    expect(wrong / experiments, `${wrong} of ${experiments}, seeds 7919·1 to 7919·${experiments}`).toBeLessThanOrEqual(0.05 + 3 * Math.sqrt((0.05 * 0.95) / experiments));
  }, 60_000);
});

describe('winsorise in a definition', () => {
  const problemsOf = (metric: Readonly<Record<string, unknown>>, over: Readonly<Record<string, unknown>> = {}): string[] => {
    const parsed = parseDefinition({...DOCUMENT, ...over, metrics: [{key: 'cost', ...metric}]});
    return parsed.ok ? [] : parsed.problems.map(problemText);
  };

  test('is read, and written back', () => {
    const parsed = parseDefinition({...DOCUMENT, metrics: [{key: 'cost', winsorise: [0.01, 0.99]}]});
    if (!parsed.ok) throw new Error('a sound document');
    expect(parsed.definition.metrics[0]?.winsorise).toEqual([0.01, 0.99]);
    expect(parseDefinition(JSON.parse(JSON.stringify(toDocument(parsed.definition))))).toEqual(parsed);
  });

  test('says what is wrong with it and what to write', () => {
    expect(problemsOf({winsorise: [0.99, 0.01]})).toEqual(['metrics[0].winsorise: the lower quantile 0.99 is not below the upper 0.01; write them like [0.01, 0.99]']);
    expect(problemsOf({winsorise: [0.1, 0.9], aggregate: 'total'})).toEqual([expect.stringMatching(/^metrics\[0\]\.winsorise: got .+; a total has none, drop it or change aggregate to mean$/)]);
    expect(problemsOf({winsorise: [0.1, 0.9]}, {design: 'paired'})).toEqual([expect.stringMatching(/^metrics\[0\]\.winsorise: got .+; a paired design compares items with themselves, drop it$/)]);
    for (const wrong of [[0.1], [0.1, 1.5], [-1, 0.5], '0.1', 0.99, [0.1, 0.5, 0.9]]) {
      expect(problemsOf({winsorise: wrong}).join()).toMatch(/^metrics\[0\]\.winsorise/);
    }
  });
});
