import {describe, expect, test} from 'vitest';
import {pairedTest, signedRankTest} from '../../src/analyze/paired-tests.ts';
import {sequentialOf} from '../../src/analyze/sequential.ts';
import type {OutcomeFact} from '../../src/core/facts.ts';
import {clusteredPairedT} from '../../src/stats/clustered-paired-t.ts';
import {pairedT} from '../../src/stats/paired-t.ts';
import {pairGroupsOf} from '../../src/warehouse/memory/pair-groups.ts';
import type {PairGroups} from '../../src/warehouse/warehouse.ts';
import {makeMetric, makeRandom} from './fixtures.ts';

type Answer = {readonly unit: string; readonly item: string; readonly control: number; readonly variant: number};

/** Pairs as the warehouse makes them, from one outcome of each variant. */
function pairsOf(answers: readonly Answer[]): PairGroups {
  const values = answers.flatMap(({unit, item, control, variant}) =>
    [['a', control], ['b', variant]].map(([arm, value]) => ({
      outcome: {unitId: unit, itemId: item} as OutcomeFact, variant: String(arm), value: Number(value), denominator: 0,
    })),
  );
  return pairGroupsOf(values, {control: 'a', variant: 'b', metric: makeMetric(), weights: null, listedMax: 1_000});
}

const test95 = (pairs: PairGroups) => pairedTest(pairs, {alpha: 0.05, isShare: false});
const differences = [0.3, -0.1, 0.45, 0.2, 0.05, -0.2, 0.6, 0.15];
const answersOf = (unitOf: (index: number) => string, repeats = 1): Answer[] =>
  differences.flatMap((difference, index) =>
    Array.from({length: repeats}, (_, copy) => ({unit: unitOf(index), item: `${index}/${copy}`, control: 1, variant: 1 + difference})),
  );

describe('pairs clustered by unit', () => {
  test('a pair a unit is Student’s paired t', () => {
    const {evidence, independent} = test95(pairsOf(answersOf(index => `u${index}`)));
    const plain = pairedT({differences});
    if (plain.status !== 'ok') throw new Error(plain.message);
    expect(evidence).toMatchObject({status: 'ok', df: 7});
    expect(evidence.statistic).toBeCloseTo(plain.statistic, 9);
    expect(independent).toBeUndefined();
  });

  test('the same pairs five times over say no more than once', () => {
    const pairs = pairsOf(answersOf(index => `u${index}`, 5));
    const {evidence, independent, error} = test95(pairs);
    const plain = pairedT({differences});
    if (plain.status !== 'ok') throw new Error(plain.message);
    expect(evidence).toMatchObject({status: 'ok', df: 7, n_control: 40, details: {method: 'clustered-by-unit', clusters: 8}});
    expect(evidence.statistic).toBeCloseTo(plain.statistic, 9);
    expect(evidence.p_value).toBeCloseTo(plain.pValue, 9);
    expect(evidence.ci_low).toBeCloseTo(plain.ci[0], 9);
    expect(independent).toBe(8);
    expect(error).toMatchObject({status: 'ok', method: 'paired-clustered'});
    expect(sequentialOf(test95(pairs), {alpha: 0.05, minN: 10, tuningN: 100})).toMatchObject({n: 8, interval: {status: 'below_min_n'}});
    expect(signedRankTest(pairs, 0.05).details).toMatchObject({clustered: false, clusters: 8});
  });

  test('one unit in all: its items are the sample', () => {
    expect(test95(pairsOf(answersOf(() => 'only'))).evidence).toMatchObject({status: 'ok', df: 7});
  });

  test('an item answered by several units is one by itself', () => {
    const answers = answersOf(index => `u${index}`);
    const shared = answers.map(answer => ({...answer, unit: 'other', control: 1.1}));
    expect(pairsOf([...answers, ...shared]).clusters.count).toBe(8);
  });

  test('fewer than two clusters, more than pairs, and clusters that agree', () => {
    const input = {n: 10, clusters: 5, meanDifference: 0.1, sumOfSquaredSums: 0.2};
    expect(clusteredPairedT({...input, clusters: 1})).toMatchObject({status: 'not-computable', reason: 'insufficient_data'});
    expect(clusteredPairedT({...input, clusters: 11})).toMatchObject({status: 'not-computable', reason: 'invalid_argument'});
    expect(clusteredPairedT({...input, sumOfSquaredSums: 0})).toMatchObject({status: 'not-computable', reason: 'zero_variance'});
    expect(clusteredPairedT(input)).toMatchObject({status: 'ok', df: 4, clusters: 5});
  });

  test.each([5, 6, 7])('without a difference it errs at about alpha, the plain test far more (seed %i)', seed => {
    const random = makeRandom(seed);
    const normal = (): number => Array.from({length: 12}, random).reduce((sum, value) => sum + value, -6);
    const replications = 300;
    let [clustered, plain] = [0, 0];
    for (let replication = 0; replication < replications; replication += 1) {
      const answers = Array.from({length: 30}, (_, unit) => unit).flatMap(unit => {
        const shift = normal();
        return Array.from({length: 6}, (_, item) => ({unit: `u${unit}`, item: `${unit}/${item}`, control: 0, variant: shift + normal()}));
      });
      const pairs = pairsOf(answers);
      if ((test95(pairs).evidence.p_value ?? 1) < 0.05) clustered += 1;
      if ((test95({...pairs, clusters: {...pairs.clusters, count: pairs.pairs}}).evidence.p_value ?? 1) < 0.05) plain += 1;
    }
    // Four standard errors around 5 % of 300.
    expect(clustered / replications).toBeLessThan(0.1);
    expect(clustered / replications).toBeGreaterThan(0);
    expect(plain / replications).toBeGreaterThan(0.2);
  });
});
