import {expect, test} from 'vitest';
import {weightedQuantileTest, weightedRankTest} from '../../src/analyze/weighted-tests.ts';
import {weightedQuantilesOf} from '../../src/analyze/quantiles.ts';
import {type Rng, seededRng} from '../../src/core/rng.ts';
import {mannWhitneyU} from '../../src/stats/mann-whitney-u.ts';
import {quantileDifference} from '../../src/stats/quantile-difference.ts';
import {columnsOf} from '../../src/warehouse/value-groups.ts';
import {weightedGroups, weightedPlaces, weightedShares} from '../../src/warehouse/memory/weighted-sums.ts';

const SEED = Date.now() % 1_000_000;
const RUNS = 300;
const UNITS = 500;
/** Of the second half of what a unit does; the first half is sent in full. */
const RATE = 0.1;
const ARMS = {control: 'v1', variant: 'v2'};
/** Late answers of v2 are higher by this. */
const SHIFT = 0.5;

/**
 * A unit's answers depend on one another: its level u, and noise e, each from 0 to 1.
 *
 *     early: u + e, from 0 to 2        late: 3 + u + e, from 3 to 5
 *
 * Both kinds are equally many, so p75 is the middle of the late ones, and a late pair is won with the
 * probability that a sum of four such uniforms is below 2.5 (Irwin–Hall).
 */
const TRUTH = {p75: 4, difference: SHIFT, share: (0.5 + 1 + 0 + (2.5 ** 4 - 4 * 1.5 ** 4 + 6 * 0.5 ** 4) / 24) / 4};

/** Then there is no median of all differences, which takes longest. */
const UNLISTED = {status: 'not-computable', reason: 'too many distinct values'} as const;

type Values = Parameters<typeof weightedGroups>[0];

function answersOf(rng: Rng, variant: string, shift: number): Values {
  const answers: {outcome: unknown; variant: string; value: number; denominator: number}[] = [];
  for (let unit = 0; unit < UNITS; unit += 1) {
    const [level, isKept] = [rng.next(), rng.next() < RATE];
    for (const isLate of [false, false, true, true]) {
      const value = level + rng.next() + (isLate ? 3 + shift : 0);
      if (!isLate || isKept) answers.push({outcome: {unitId: `${variant}${unit}`, sampleRate: isLate ? RATE : 1}, variant, value, denominator: 1});
    }
  }
  return answers as unknown as Values;
}

test(`over many samples weighted quantiles and ranks are those of the whole, within their intervals about as often as they say (SEED=${SEED})`, () => {
  const rng = seededRng(SEED);
  const weights = {low: 1e6, high: 1e7, exposed: new Map<string, number>()};
  const covered = {quantile: 0, rank: 0, plainQuantile: 0, plainRank: 0};
  const sums = {p75: 0, difference: 0, share: 0, plainShare: 0};
  for (let run = 0; run < RUNS; run += 1) {
    const values = [...answersOf(rng, 'v1', 0), ...answersOf(rng, 'v2', SHIFT)];
    const rows = weightedGroups(values, weights);
    const groups = columnsOf(rows);
    const at = Object.fromEntries(['v1', 'v2'].map(key => [key, weightedQuantilesOf(groups, key)?.quantile(0.75) ?? Number.NaN]));
    const quantile = weightedQuantileTest(ARMS, {groups, shares: weightedShares(values, weights, at), quantile: 0.75, alpha: 0.05});
    const rank = weightedRankTest(ARMS, {places: weightedPlaces(values, weights, ARMS), outcomeGroups: UNLISTED});
    const share = Number(rank.details?.['common_language']);
    sums.p75 += at['v1'] ?? 0;
    sums.difference += quantile.estimate ?? 0;
    sums.share += share;
    covered.quantile += Number((quantile.ci_low ?? 0) <= TRUTH.difference && TRUTH.difference <= (quantile.ci_high ?? 0));
    covered.rank += Number(Number(rank.details?.['common_language_low']) <= TRUTH.share && TRUTH.share <= Number(rank.details?.['common_language_high']));
    // The same outcomes as they were sent.
    const sent = {groups: rows.map(({value, counts}) => ({value, nA: counts['v2'] ?? 0, nB: counts['v1'] ?? 0}))};
    const plain = quantileDifference(sent, {quantile: 0.75});
    const ranked = mannWhitneyU(sent);
    if (plain.status !== 'ok' || ranked.status !== 'ok') throw new Error('not computable');
    covered.plainQuantile += Number(plain.ci[0] <= TRUTH.difference && TRUTH.difference <= plain.ci[1]);
    sums.plainShare += ranked.effectSize.commonLanguage;
  }
  const mean = (total: number): number => total / RUNS;
  expect(mean(sums.p75)).toBeCloseTo(TRUTH.p75, 1);
  expect(Math.abs(mean(sums.difference) - TRUTH.difference)).toBeLessThan(0.05);
  expect(Math.abs(mean(sums.share) - TRUTH.share)).toBeLessThan(0.005);
  for (const kind of ['quantile', 'rank'] as const) {
    // 0.0126 is the Monte Carlo error of 95 % in 300 runs.
    expect(mean(covered[kind])).toBeGreaterThan(0.9);
    expect(mean(covered[kind])).toBeLessThan(0.995);
  }
  // Without weights the late answers are a tenth of what they are.
  expect(mean(covered.plainQuantile)).toBeLessThan(0.05);
  expect(Math.abs(mean(sums.plainShare) - TRUTH.share)).toBeGreaterThan(0.05);
});

test(`where nothing differs the weighted tests find a difference about as often as alpha (SEED=${SEED})`, () => {
  const rng = seededRng(SEED + 1);
  const weights = {low: 1e6, high: 1e7, exposed: new Map<string, number>()};
  let [ranks, quantiles] = [0, 0];
  for (let run = 0; run < RUNS; run += 1) {
    const values = [...answersOf(rng, 'v1', 0), ...answersOf(rng, 'v2', 0)];
    const rows = weightedGroups(values, weights);
    const groups = columnsOf(rows);
    const at = Object.fromEntries(['v1', 'v2'].map(key => [key, weightedQuantilesOf(groups, key)?.quantile(0.75) ?? Number.NaN]));
    const quantile = weightedQuantileTest(ARMS, {groups, shares: weightedShares(values, weights, at), quantile: 0.75, alpha: 0.05});
    const rank = weightedRankTest(ARMS, {places: weightedPlaces(values, weights, ARMS), outcomeGroups: UNLISTED});
    quantiles += Number((quantile.p_value ?? 1) < 0.05);
    ranks += Number((rank.p_value ?? 1) < 0.05);
  }
  for (const found of [ranks, quantiles]) {
    expect(found / RUNS).toBeGreaterThan(0.005);
    expect(found / RUNS).toBeLessThan(0.1);
  }
});
