/** arena-bench-v1: GPT-4's scores of LLMs on the same 300 prompts, imported as paired experiments. */
import {writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {beforeAll, describe, expect, test} from 'vitest';
import type {Verdict} from '../../src/core/verdict.ts';
import {answerOf, cliSkipReason, temporaryDirectory} from '../helpers/cli.ts';
import {dataSet} from '../helpers/data.ts';
import {expectClose} from './expect-close.ts';

const arena = dataSet('arena-bench-v1');
const missing = await cliSkipReason();
const absence = missing === null ? arena.absence : ` (skipped: ${missing})`;

type Pair = {
  readonly control: string;
  readonly treatment: string;
  readonly prompts: number;
  readonly dropped_missing_a: number;
  readonly dropped_missing_b: number;
  readonly pairs: number;
  readonly paired_t: {mean_a: number; mean_b: number; mean_diff: number; t: number; df: number; p: number; ci95: [number, number]};
  readonly wilcoxon: {n_zero: number; w_plus: number; w_minus: number; p_normal_cc: number};
};

/** `answer_chars` is never empty: its pairs are complete whatever the judge did. */
const mapOf = ({control, treatment}: Pair, experiment: string): string => `source: {format: csv}
event_time: {column: answered_at, format: epoch_s}
unit_id: {column: question_id}
item_id: {column: question_id}
experiment: ${experiment}
design: paired
variant: {column: model}
where: {column: model, in: ["${control}", "${treatment}"]}
control: "${control}"
measures: {judge_score: {column: score}, answer_chars: {column: answer_chars}}
attributes: {model: {column: model}}
`;

describe.skipIf(absence !== '')(`arena-bench-v1, six pairs in one stream${absence}`, () => {
  const pairs = absence === '' ? (arena.json('expected.json') as {pairs: Pair[]}).pairs : [];
  const directory = temporaryDirectory('arena');
  const data = ['--data', join(directory, 'data')];

  beforeAll(async () => {
    const files = pairs.map((pair, index) => {
      const map = join(directory, `pair-${index}.yaml`);
      writeFileSync(map, mapOf(pair, `pair-${index}`));
      return `${arena.path('scores.csv.gz')}=${map}`;
    });
    expect(await answerOf(['import', ...files, ...data])).toMatchObject({events: 6 * 2 * 600, rows: 6 * 4500, rows_filtered: 6 * 3900, slices_revised: 0});
  }, 120_000);

  test.each(pairs.map((pair, index) => [`${pair.control} → ${pair.treatment}`, index, pair] as const))('%s', async (_, index, pair) => {
    const verdicts = await answerOf<Verdict[]>(['analyze', `pair-${index}`, ...data]);
    expect(verdicts.map(({metric}) => metric).sort()).toEqual(['answer_chars', 'judge_score']);
    const verdict = verdicts.find(({metric}) => metric === 'judge_score');
    const {paired_t: t, wilcoxon} = pair;
    const neither = pair.dropped_missing_a + pair.dropped_missing_b + pair.pairs - pair.prompts;
    expect(verdict).toMatchObject({
      control: pair.control, variant: pair.treatment, test: 'paired-t', pairs: pair.pairs, n_control: pair.pairs, n_variant: pair.pairs,
      pair_coverage: pair.pairs / (pair.prompts - neither), srm_p_value: null,
    });
    for (const [actual, expected] of [
      [verdict?.effect_absolute, t.mean_diff], [verdict?.mean_control, t.mean_a], [verdict?.mean_variant, t.mean_b], [verdict?.p_value, t.p],
      [verdict?.ci_low, t.ci95[0]], [verdict?.ci_high, t.ci95[1]],
    ] as const) {
      expectClose(actual, expected);
    }
    const signedRank = verdict?.tests.find(({test: name}) => name === 'wilcoxon-signed-rank');
    expectClose(signedRank?.p_value, wilcoxon.p_normal_cc);
    expect(verdicts.find(({metric}) => metric === 'answer_chars')).toMatchObject({pairs: pair.prompts, pair_coverage: 1});
  }, 60_000);

  test('an unread score is an outcome without the measure, counted and never 0', async () => {
    const rows = await answerOf<Record<string, unknown>[]>([
      'query',
      `SELECT experiment, variant, count() AS outcomes, countIf(NOT mapContains(measures, 'judge_score')) AS missing, countIf(measures['judge_score'] = 0 AND mapContains(measures, 'judge_score')) AS zeros
       FROM v_outcomes GROUP BY experiment, variant ORDER BY experiment, variant`,
      ...data,
    ]);
    const wanted = pairs.flatMap(({control, treatment, prompts, dropped_missing_a, dropped_missing_b}, index) => [
      {experiment: `pair-${index}`, variant: control, outcomes: prompts, missing: dropped_missing_a, zeros: 0},
      {experiment: `pair-${index}`, variant: treatment, outcomes: prompts, missing: dropped_missing_b, zeros: 0},
    ]);
    const byArm = (a: Record<string, unknown>, b: Record<string, unknown>): number => (`${a['experiment']} ${a['variant']}` < `${b['experiment']} ${b['variant']}` ? -1 : 1);
    expect(rows.sort(byArm)).toEqual(wanted.sort(byArm));
  }, 60_000);

  test('the books balance and every slice is what the facts give', async () => {
    expect(await answerOf(['verify', '--deep', ...data])).toMatchObject({mismatch: 0, ledger: {appended: 7200, accepted: 7200, duplicate: 0, dead_lettered: 0}, outcomes: {attributed: 3600, crossover: 0}});
  }, 60_000);
});
