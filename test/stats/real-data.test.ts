/**
 * Published results of real data, read from `<repo>/../shared/data` (attribution in its
 * READMEs; never copied into this repository). Where it is absent the tests are skipped and counted.
 */
import {createHash} from 'node:crypto';
import {existsSync, readFileSync} from 'node:fs';
import {resolve} from 'node:path';
import {gunzipSync} from 'node:zlib';
import {describe, expect, test} from 'vitest';
import {checkHealth, healthFailures} from '../../src/analyze/health.ts';
import {asymptoticConfidenceSequence} from '../../src/stats/asymptotic-confidence-sequence.ts';
import {dynamicThreshold} from '../../src/stats/dynamic-threshold.ts';
import {ksTwoSample} from '../../src/stats/ks-two-sample.ts';
import type {Outcome} from '../../src/stats/outcome.ts';
import {pairedT} from '../../src/stats/paired-t.ts';
import {srm} from '../../src/stats/srm.ts';
import {srmSequential} from '../../src/stats/srm-sequential.ts';
import {welchT} from '../../src/stats/welch-t.ts';
import {wilcoxonSignedRank} from '../../src/stats/wilcoxon-signed-rank.ts';

const DATA = resolve(import.meta.dirname, '../../../shared/data');
const hasData = existsSync(resolve(DATA, 'project-star/expected.json'));
const absent = hasData ? '' : ` (skipped: ${DATA} is absent)`;

const rowsOf = (file: string): string[][] =>
  gunzipSync(readFileSync(resolve(DATA, file))).toString('utf8').split(/\r?\n/).slice(1).filter(line => line !== '').map(line => line.split(','));
const expectedOf = (set: string) => JSON.parse(readFileSync(resolve(DATA, set, 'expected.json'), 'utf8'));

function ok<T>(outcome: Outcome<T>): T {
  if (outcome.status !== 'ok') throw new Error(outcome.message);
  return outcome;
}

function near(actual: number | undefined, expected: number, relative = 1e-9): void {
  const error = Math.abs((actual ?? Number.NaN) - expected);
  expect(error, `${actual} against ${expected}`).toBeLessThanOrEqual(relative * Math.abs(expected) + 1e-300);
}

type Pair = {control: string; treatment: string; paired_t: Record<string, number>; wilcoxon: Record<string, number>; welch: Welch};
type Split = {salt: string; srm: {counts: number[]; p: number}; by_metric: Record<string, Welch>};
type Welch = {n_a: number; n_b: number; diff: number; t: number; df: number; p: number; ci95: [number, number]};

/** Differences of the references are treatment (b) − control (a). */
function expectWelch(control: number[], treatment: number[], expected: Welch): void {
  const test = ok(welchT({a: treatment, b: control}));
  expect([control.length, treatment.length]).toEqual([expected.n_a, expected.n_b]);
  near(test.statistic, expected.t);
  near(test.df, expected.df);
  near(test.pValue, expected.p, 1e-8);
  near(test.meanDifference, expected.diff);
  near(test.ci[0], expected.ci95[0]);
  near(test.ci[1], expected.ci95[1]);
}

describe.skipIf(!hasData)(`arena-hard-v01-tokens: output tokens of three LLMs on 500 prompts${absent}`, () => {
  const expected = hasData ? expectedOf('arena-hard-v01-tokens') : {pairs: []};
  const tokens = new Map<string, Map<string, number>>();
  for (const [question = '', model = '', , count = ''] of hasData ? rowsOf('arena-hard-v01-tokens/tokens.csv.gz') : []) {
    tokens.set(model, (tokens.get(model) ?? new Map<string, number>()).set(question, Number(count)));
  }

  test.each((expected.pairs as Pair[]).map(pair => ({...pair, title: `${pair.control} → ${pair.treatment}`})))(
    '$title',
    pair => {
      const [control, treatment] = [tokens.get(pair.control), tokens.get(pair.treatment)] as [Map<string, number>, Map<string, number>];
      const prompts = [...control.keys()];
      const b = prompts.map(prompt => control.get(prompt) as number);
      const a = prompts.map(prompt => treatment.get(prompt) as number);
      const paired = ok(pairedT({a, b}));
      near(paired.statistic, pair.paired_t['t'] as number);
      near(paired.pValue, pair.paired_t['p'] as number, 1e-8);
      const ranks = ok(wilcoxonSignedRank({a, b}));
      expect(ranks).toMatchObject({wPlus: pair.wilcoxon['w_plus'], wMinus: pair.wilcoxon['w_minus'], zeros: pair.wilcoxon['n_zero']});
      near(ranks.pValue, pair.wilcoxon['p_normal_cc'] as number, 1e-8);
      near(ok(wilcoxonSignedRank({a, b}, {continuity: false})).pValue, pair.wilcoxon['p_normal'] as number, 1e-8);
      near(ok(wilcoxonSignedRank({a, b}, {zeroMethod: 'pratt', continuity: false})).pValue, pair.wilcoxon['p_pratt'] as number, 1e-8);
      expectWelch(b, a, pair.welch);
    },
  );
});

describe.skipIf(!hasData)(`azure-llm-2023: requests of two services over an hour${absent}`, () => {
  type Request = {service: string; id: string; tick: bigint; context: number; generated: number};
  const ofService = (service: string): Request[] =>
    rowsOf(`azure-llm-2023/AzureLLMInferenceTrace_${service}.csv.gz`).map(([time = '', context = '', generated = ''], row) => ({
      service,
      id: `${service}-${row}`,
      // 100 ns since 1970.
      tick: BigInt(Date.parse(`${time.slice(0, 19).replace(' ', 'T')}Z`)) * 10_000n + BigInt(time.slice(20, 27)),
      context: Number(context),
      generated: Number(generated),
    }));
  const expected = hasData ? expectedOf('azure-llm-2023') : {aa: []};
  const requests = hasData ? [...ofService('conv'), ...ofService('code')] : [];
  const measures = {ContextTokens: (r: Request) => r.context, GeneratedTokens: (r: Request) => r.generated};

  test.each(expected.aa as Split[])(
    'A/A $salt: the split and both metrics agree, and nothing is claimed',
    ({salt, ...split}) => {
      const isTreatment = (id: string): boolean => createHash('sha256').update(`${salt}:${id}`).digest().readUInt32BE(0) % 10_000 < 5_000;
      const [treatment, control] = [requests.filter(r => isTreatment(r.id)), requests.filter(r => !isTreatment(r.id))];
      const observed = [control.length, treatment.length];
      expect(observed).toEqual(split.srm.counts);
      near(ok(srm({observed, weights: [1, 1]})).pValue, split.srm.p, 1e-8);
      for (const [name, of] of Object.entries(measures)) expectWelch(control.map(of), treatment.map(of), split.by_metric[name] as Welch);
    },
  );

  test('drift of the second half hour against the first (Kolmogorov–Smirnov)', () => {
    const ticks = requests.map(r => Number(r.tick / 10_000n));
    const middle = (Math.min(...ticks) + Math.max(...ticks)) / 2;
    for (const service of ['code', 'conv']) {
      const mine = requests.filter(r => r.service === service);
      for (const [name, of] of Object.entries(measures)) {
        const known = expected.drift_first_half_vs_second_half[service][name];
        const a = mine.filter(r => Number(r.tick / 10_000n) < middle).map(of);
        const b = mine.filter(r => Number(r.tick / 10_000n) >= middle).map(of);
        expect([a.length, b.length]).toEqual([known.n_a, known.n_b]);
        const drift = ok(ksTwoSample({a, b}, {method: 'asymptotic'}));
        near(drift.statistic, known.D, 1e-12);
        // The reference takes scipy's limit for finite n; at p = 4e-26 Kolmogorov's own is 13 % above it.
        expect(Math.abs(Math.log(drift.pValue / known.p_asymp))).toBeLessThan(0.15);
        expect(drift.pValue < 0.001).toBe(service === 'conv');
      }
    }
  });

  test('requests a minute beyond mean + 3 sd of the 15 minutes before', () => {
    for (const service of ['conv', 'code']) {
      const minutes = requests.filter(r => r.service === service).map(r => Number(r.tick / 600_000_000n));
      const first = minutes.reduce((least, minute) => Math.min(least, minute));
      const series: number[] = Array.from({length: minutes.reduce((most, minute) => Math.max(most, minute)) - first + 1}, () => 0);
      for (const minute of minutes) series[minute - first] = (series[minute - first] ?? 0) + 1;
      const limits = ok(dynamicThreshold({series}, {window: 15, k: 3, sides: 'upper'}));
      const alerts = limits.breach.flatMap((isBreach, i) =>
        isBreach ? [{minute: new Date((first + i) * 60_000).toISOString().replace('.000', ''), n: series[i], mean: limits.mean[i], sd: limits.sd[i]}] : [],
      );
      const known: {minute: string; n: number; mean: number; sd: number}[] = expected.dynamic_threshold_requests_per_minute.alerts[service];
      expect(alerts.map(({minute, n}) => ({minute, n}))).toEqual(known.map(({minute, n}) => ({minute, n})));
      known.forEach(({mean, sd}, i) => {
        near(alerts[i]?.mean ?? undefined, mean);
        near(alerts[i]?.sd ?? undefined, sd);
      });
    }
  });
});

describe.skipIf(!hasData)(`asos-digital-experiments: 78 experiments as checkpoints of moments${absent}`, () => {
  type Checkpoint = {key: string; metric: string; time: number; nC: number; nT: number; meanC: number; meanT: number; varC: string; varT: string};
  const expected = hasData ? expectedOf('asos-digital-experiments') : {};
  const checkpoints = (hasData ? rowsOf('asos-digital-experiments/asos_digital_experiments_dataset.csv.gz') : []).map(
    ([experiment = '', variant = '', metric = '', time = '', nC = '', nT = '', meanC = '', meanT = '', varC = '', varT = '']): Checkpoint => ({
      key: `${experiment}/${variant}/${metric}`, metric, time: Number(time), nC: Number(nC), nT: Number(nT), meanC: Number(meanC), meanT: Number(meanT), varC, varT,
    }),
  );
  const series = new Map<string, Checkpoint[]>();
  for (const one of checkpoints) series.set(one.key, [...(series.get(one.key) ?? []), one]);
  for (const list of series.values()) list.sort((a, b) => a.time - b.time);
  const isComplete = (one: Checkpoint): boolean => one.varC !== '' && one.varT !== '';
  const armsOf = (one: Checkpoint) => ({
    a: {n: one.nT, mean: one.meanT, variance: Number(one.varT)},
    b: {n: one.nC, mean: one.meanC, variance: Number(one.varC)},
  });
  const hasSpread = (one: Checkpoint): boolean => Number(one.varC) > 0 && Number(one.varT) > 0;

  test('a missing variance is counted, and never becomes a p-value', () => {
    const missing = checkpoints.filter(one => !isComplete(one));
    expect(checkpoints).toHaveLength(expected.rows);
    expect(missing).toHaveLength(expected.rows_with_a_missing_value);
    for (const one of missing) {
      const {a, b} = armsOf(one);
      const gap = (text: string, value: number) => (text === '' ? Number.NaN : value);
      const result = welchT({a: {...a, variance: gap(one.varT, a.variance)}, b: {...b, variance: gap(one.varC, b.variance)}});
      expect(result).toMatchObject({status: 'not-computable', reason: 'non_finite'});
    }
  });

  test('Welch from moments at the last checkpoint, and how often peeking would have claimed', () => {
    const finals = readFileSync(resolve(DATA, 'asos-digital-experiments/expected_final.csv'), 'utf8').split(/\r?\n/).slice(1).filter(line => line !== '').map(line => line.split(','));
    let [tests, significant, peeked, sequential, sequentialOnNothing] = [0, 0, 0, 0, 0];
    for (const row of finals) {
      const [experiment, variant, metric, , , , , , , , t = '', , p = ''] = row;
      if (p === '') continue;
      const usable = (series.get(`${experiment}/${variant}/${metric}`) ?? []).filter(one => isComplete(one) && hasSpread(one));
      const last = ok(welchT(armsOf(usable.at(-1) as Checkpoint)));
      near(last.statistic, Number(t), 1e-8);
      near(last.pValue, Number(p), 1e-7);
      const looks = usable.map(one => ({one, test: ok(welchT(armsOf(one)))}));
      const hasPeeked = looks.some(({test}) => test.pValue < 0.05);
      const hasStopped = looks.some(({one, test}) => {
        const at = {n: one.nC + one.nT, estimate: test.meanDifference, standardError: test.standardError};
        return ok(asymptoticConfidenceSequence(at, {tuningParameter: 100_000})).pValue < 0.05;
      });
      tests++;
      significant += last.pValue < 0.05 ? 1 : 0;
      peeked += hasPeeked ? 1 : 0;
      sequential += hasStopped ? 1 : 0;
      sequentialOnNothing += hasStopped && !hasPeeked ? 1 : 0;
    }
    const known = expected.final_checkpoint;
    expect({tests, significant, peeked}).toEqual({tests: known.tests, significant: known.significant_0_05, peeked: known.ever_significant_when_peeking});
    // What looking again and again found beyond the end is mostly noise: the sequence claims far less.
    expect(sequential).toBeLessThan(significant);
    expect(sequentialOnNothing).toBe(0);
  });

  test('twelve treatments whose split is not even, and when an always-valid check would have said so', () => {
    const found: {key: string; p: number; at: number | null}[] = [];
    for (const [key, list] of series) {
      const usable = list.filter(one => isComplete(one) && one.nC + one.nT > 0);
      const last = usable.at(-1);
      if (last?.metric !== '1') continue;
      const {pValue} = ok(srm({observed: [last.nC, last.nT], weights: [1, 1]}));
      if (pValue >= 0.001) continue;
      const broke = usable.find(one => ok(srmSequential({observed: [one.nC, one.nT], weights: [1, 1]})).flagged);
      found.push({key, p: pValue, at: broke?.time ?? null});
    }
    const known = expected.srm_equal_split_metric_1;
    expect(found.map(({key}) => key).sort()).toEqual(known.list.map((one: {experiment_id: string; variant_id: number}) => `${one.experiment_id}/${one.variant_id}/1`).sort());
    for (const one of known.list) {
      const mine = found.find(({key}) => key === `${one.experiment_id}/${one.variant_id}/1`);
      if (one.p > 0) near(mine?.p, one.p, 1e-6);
      else expect(mine?.p).toBeLessThan(1e-300);
    }
    expect(found.filter(({at}) => at !== null).length).toBeGreaterThanOrEqual(8);
  });
});

describe.skipIf(!hasData)(`project-star: pupils who changed arms, scores that are missing${absent}`, () => {
  type Pupil = {student: string; grade: string; arm: string; total: number | null};
  const expected = hasData ? expectedOf('project-star') : {};
  const pupils = (hasData ? rowsOf('project-star/star_long.csv.gz') : []).map(
    ([student = '', grade = '', arm = '', , reading = '', math = '']): Pupil => ({
      student, grade, arm, total: reading === '' || math === '' ? null : Number(reading) + Number(math),
    }),
  );
  const ARMS = ['regular', 'small', 'regular+aide'];
  const totalsOf = (list: readonly Pupil[], arm: string): number[] => list.flatMap(({arm: own, total}) => (own === arm && total !== null ? [total] : []));

  test.each(['k', '1', '2', '3'])('grade %s: counts, Welch, and a split that was never even', grade => {
    const mine = pupils.filter(pupil => pupil.grade === grade && pupil.arm !== '');
    const known = expected.by_grade[grade];
    const observed = ARMS.map(arm => mine.filter(pupil => pupil.arm === arm).length);
    expect(Object.fromEntries(ARMS.map((arm, i) => [arm, observed[i]]))).toEqual(known.assigned);
    const split = ok(srm({observed, weights: [1, 1, 1]}));
    near(split.statistic, known.srm_if_equal_split.chi2);
    near(split.pValue, known.srm_if_equal_split.p, 1e-8);
    // Nobody meant an even split, so that alarm is false: without configured weights there is no check and no failure.
    expect(split.flagged).toBe(true);
    const units = Object.fromEntries(ARMS.map((arm, i) => [arm, observed[i] ?? 0]));
    const health = checkHealth({
      design: 'split', variants: ARMS, weights: null, srmAlpha: 0.001, crossoverMax: 0.01,
      exposures: {units, crossoverUnits: 0, overrideUnits: 0, withoutOutcome: {}, outcomesLate: 0, outcomesUnattributed: 0},
      audit: {mismatch: 0, slices_checked: 1, checked_at: null},
    });
    expect(health.srm.status).toBe('not-computable');
    expect(healthFailures(health)).toEqual([]);
    expectWelch(totalsOf(mine, 'regular'), totalsOf(mine, 'small'), known.small_vs_regular);
    expectWelch(totalsOf(mine, 'regular'), totalsOf(mine, 'regular+aide'), known.aide_vs_regular);
  });

  test('crossovers: pupils of more than one arm are counted, and left out of the last comparison', () => {
    const arms = new Map<string, Set<string>>();
    for (const {student, arm} of pupils) if (arm !== '') arms.set(student, (arms.get(student) ?? new Set<string>()).add(arm));
    const crossed = [...arms].filter(([, seen]) => seen.size > 1).map(([student]) => student);
    expect(crossed).toHaveLength(expected.dirt.students_in_more_than_one_arm);
    expect(pupils.filter(({arm, total}) => arm !== '' && total === null)).toHaveLength(expected.dirt.rows_with_arm_without_total);
    const left = new Set(crossed);
    const kept = pupils.filter(({grade, student}) => grade === '3' && !left.has(student));
    expectWelch(totalsOf(kept, 'regular'), totalsOf(kept, 'small'), expected.grade_3_only_students_never_switched);
  });
});
