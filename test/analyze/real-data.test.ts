/**
 * Real data of `<repo>/../shared/data` (see its README; never copied into this
 * repository). Where it is absent the tests are skipped and say so.
 */
import {existsSync, readFileSync} from 'node:fs';
import {resolve} from 'node:path';
import {gunzipSync} from 'node:zlib';
import {describe, expect, test} from 'vitest';
import {buildVerdicts, type VerdictContext} from '../../src/analyze/build-verdicts.ts';
import type {Verdict} from '../../src/core/verdict.ts';
import {AUDITED, CUT, makeExposures, makeInputs, makeMetric, makeMetricInputs, makePairs, makeView, VERSIONS} from './fixtures.ts';

const DATA = resolve(import.meta.dirname, '../../../shared/data');
const hasData = existsSync(resolve(DATA, 'arena-bench-v1/expected.json'));
const absent = hasData ? '' : ` (skipped: ${DATA} is absent)`;
const CONTEXT: VerdictContext = {createdAt: CUT, versions: VERSIONS, audit: AUDITED, previousDecision: () => null};

type ArenaPair = {
  control: string;
  treatment: string;
  pairs: number;
  paired_t: {mean_a: number; mean_b: number; mean_diff: number; sd_diff: number; t: number; df: number; p: number; ci95: [number, number]};
  wilcoxon: {n_zero: number; n_nonzero: number; w_plus: number; w_minus: number; z_cc: number; p_normal_cc: number; rank_biserial: number};
  welch_unpaired_on_all_scored: {n_a: number; n_b: number; t: number; df: number; p: number};
};

const rowsOf = (file: string): string[][] =>
  gunzipSync(readFileSync(resolve(DATA, file))).toString('utf8').split(/\r?\n/).slice(1).filter(line => line !== '').map(line => line.split(','));
const expectedOf = (file: string) => JSON.parse(readFileSync(resolve(DATA, file), 'utf8'));

function expectClose(actual: number | null | undefined, expected: number): void {
  const size = Math.max(Math.abs(expected), 1e-300);
  expect(Math.abs((actual ?? Number.NaN) - expected) / size, `${actual} against ${expected}`).toBeLessThan(1e-9);
}

describe.skipIf(!hasData)(`arena-bench-v1: pairs of LLMs on the same 300 prompts${absent}`, () => {
  const expected: ArenaPair[] = hasData ? expectedOf('arena-bench-v1/expected.json').pairs : [];
  const scores = new Map<string, Map<string, number | null>>();
  if (hasData) {
    for (const [question = '', model = '', , , , score = ''] of rowsOf('arena-bench-v1/scores.csv.gz')) {
      const items = scores.get(model) ?? new Map<string, number | null>();
      scores.set(model, items.set(question, score === '' ? null : Number(score)));
    }
  }

  function verdictOf({control, treatment}: ArenaPair): Verdict {
    const [c, v] = [scores.get(control) ?? new Map(), scores.get(treatment) ?? new Map()];
    const metric = makeMetric({key: 'judge_score', measure: 'judge_score'});
    const variants = [control, treatment].map(key => ({key, weight: 1}));
    const view = makeView({design: 'paired', variants, control, fallback: control, hasWeights: false, metrics: [metric]});
    const units = (items: Map<string, number | null>) => [...items.values()].filter(score => score !== null).map(score => [score]);
    const inputs = {...makeMetricInputs(metric, {[control]: units(c), [treatment]: units(v)}), pairs: {[treatment]: makePairs(c, v)}};
    const [verdict] = buildVerdicts(makeInputs(view, [inputs], makeExposures({[control]: c.size, [treatment]: v.size})), CONTEXT);
    return verdict as Verdict;
  }

  test('all six published pairs are there', () => {
    expect(expected).toHaveLength(6);
  });

  test.each(expected.map(pair => [`${pair.control} → ${pair.treatment}`, pair] as const))('%s', (_title, pair) => {
    const verdict = verdictOf(pair);
    const {paired_t: t, wilcoxon: w, welch_unpaired_on_all_scored: welch} = pair;
    expect(verdict).toMatchObject({test: 'paired-t', pairs: pair.pairs, n_control: pair.pairs, pair_coverage: pair.pairs / 300});
    expectClose(verdict.effect_absolute, t.mean_diff);
    expectClose(verdict.mean_control, t.mean_a);
    expectClose(verdict.mean_variant, t.mean_b);
    expectClose(verdict.p_value, t.p);
    expectClose(verdict.ci_low, t.ci95[0]);
    expectClose(verdict.ci_high, t.ci95[1]);
    const [paired, wilcoxon, unpaired] = verdict.tests;
    expect(paired?.df).toBe(t.df);
    expectClose(paired?.statistic, t.t);
    expectClose(wilcoxon?.p_value, w.p_normal_cc);
    expect(wilcoxon).toMatchObject({
      statistic: w.w_plus,
      details: {method: 'asymptotic', continuity: true, zero_method: 'wilcox', zeros: w.n_zero, non_zero: w.n_nonzero, w_minus: w.w_minus, has_ties: true},
    });
    expectClose(wilcoxon?.details?.['z'] as number, w.z_cc);
    expect(unpaired).toMatchObject({test: 'welch-t', n_control: welch.n_a, n_variant: welch.n_b});
    expectClose(unpaired?.statistic, welch.t);
    expectClose(unpaired?.p_value, welch.p);
  });
});

describe.skipIf(!hasData)(`azure-llm-2023: generated tokens of two services${absent}`, () => {
  test('Welch, means and p95 of conv against code', () => {
    const expected = expectedOf('azure-llm-2023/expected.json');
    const tokens = (service: string) => rowsOf(`azure-llm-2023/AzureLLMInferenceTrace_${service}.csv.gz`).map(row => [Number(row[2])]);
    const metrics = [makeMetric({key: 'tokens'}), makeMetric({key: 'tokens_p95', aggregate: 'p95', role: 'diagnostic'})];
    const view = makeView({variants: ['conv', 'code'].map(key => ({key, weight: 1})), control: 'conv', hasWeights: false, metrics});
    const arms = {conv: tokens('conv'), code: tokens('code')};
    const inputs = makeInputs(view, metrics.map(metric => makeMetricInputs(metric, arms)), makeExposures({conv: 19_366, code: 8_819}));
    const [mean, p95] = buildVerdicts(inputs, CONTEXT);
    const {welch} = expected.conv_vs_code.GeneratedTokens;
    expect(mean).toMatchObject({n_control: 19_366, n_variant: 8_819, decision: 'roll_back', reasons: ['goal_harmed:tokens', 'srm_not_computable']});
    expectClose(mean?.tests[0]?.statistic, welch.t);
    expectClose(mean?.tests[0]?.df, welch.df);
    expectClose(mean?.effect_absolute, welch.diff);
    expectClose(mean?.sd_control, welch.sd_a);
    expectClose(mean?.ci_low, welch.ci95[0]);
    expectClose(p95?.mean_control, expected.by_service.conv.GeneratedTokens.p95);
    expectClose(p95?.mean_variant, expected.by_service.code.GeneratedTokens.p95);
    expectClose(mean?.arms[1]?.p99, expected.by_service.code.GeneratedTokens.p99);
  });
});
