/** A rule over the stored slices of azure-llm-2023, through the commands: the minutes of its expected.json. */
import {readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {gunzipSync} from 'node:zlib';
import {beforeAll, describe, expect, test} from 'vitest';
import {AzureMaps} from '../e2e/import-maps.ts';
import {answerOf, cliSkipReason, runAssay, temporaryDirectory} from '../helpers/cli.ts';
import {dataSet} from '../helpers/data.ts';

const azure = dataSet('azure-llm-2023');
const missing = await cliSkipReason();
const absence = missing === null ? azure.absence : ` (skipped: ${missing})`;

type Answer = {readonly episodes: readonly {readonly variant: string; readonly window_start: string; readonly value: number; readonly threshold: number}[]};
type Alerts = Readonly<Record<string, readonly {readonly minute: string; readonly n: number; readonly mean: number; readonly sd: number}[]>>;

describe.skipIf(absence !== '')(`assay backtest on azure-llm-2023${absence}`, () => {
  const directory = temporaryDirectory('backtest');
  const data = ['--data', join(directory, 'data')];
  const rules = join(directory, 'rules.yaml');

  beforeAll(async () => {
    writeFileSync(rules, [
      'rules:',
      '  - {name: rush, kind: dynamic, metric: generated_tokens, statistic: n, window: 1m, sigmas: 3, history: 15, direction: above}',
      '  - {name: long, metric: generated_tokens, statistic: p95, window: 5m, every: 1m, above: 90, variants: [code], min_n: 30}',
      '  - {name: split, kind: srm}',
      '',
    ].join('\n'));
    await answerOf(['import', ...new AzureMaps(azure, directory).services(), ...data]);
  }, 180_000);

  const backtest = (name: string): Promise<Answer> => answerOf(['backtest', name, '--rules', rules, '--from', '2023-11-16T18:15:00Z', '--to', '2023-11-16T19:15:00Z', ...data]);

  test('requests a minute over mean + 3 sd fire at exactly the expected minutes', async () => {
    const {alerts} = (azure.json('expected.json') as {dynamic_threshold_requests_per_minute: {alerts: Alerts}}).dynamic_threshold_requests_per_minute;
    const wanted = Object.entries(alerts).flatMap(([variant, minutes]) => minutes.map(({minute, n, mean, sd}) => ({variant, window_start: new Date(minute).toISOString(), value: n, threshold: expect.closeTo(mean + 3 * sd, 9)})));
    expect((await backtest('rush')).episodes.map(({variant, window_start, value, threshold}) => ({variant, window_start, value, threshold}))).toEqual(wanted);
  }, 60_000);

  test('a static threshold on p95 of five minutes agrees with the windows counted from the rows', async () => {
    // The histogram's quantile is within 1 %: minutes nearer to the threshold than that may go either way.
    const rows = azure.csv('expected_sliding_300_60.csv').filter(row => row['service'] === 'code' && Number(row['n']) >= 30);
    const {episodes} = await backtest('long');
    const isHigh = (row: Record<string, string>): boolean => Number(row['generated_p95_exact']) > 90 * 1.01;
    const begins = rows.filter((row, index) => isHigh(row) && index > 0 && Number(rows[index - 1]?.['generated_p95_exact']) < 90 * 0.99).map(row => new Date(String(row['window_start'])).toISOString());
    expect(begins.length).toBeGreaterThan(0);
    for (const begin of begins) expect(episodes.map(({window_start}) => window_start)).toContain(begin);
  }, 60_000);

  describe('guards that compare, written after the data was there', () => {
    type Row = {readonly at: number; readonly context: number; readonly generated: number};
    const rowsOf = (service: string): Row[] =>
      gunzipSync(readFileSync(azure.path(`AzureLLMInferenceTrace_${service}.csv.gz`))).toString('utf8').trim().split(/\r?\n/).slice(1).map(line => {
        const [at = '', context, generated] = line.split(',');
        return {at: Date.parse(`${at.slice(0, 23).replace(' ', 'T')}Z`), context: Number(context), generated: Number(generated)};
      });
    const [from, to] = [Date.parse('2023-11-16T18:15:00Z'), Date.parse('2023-11-16T19:15:00Z')];
    const within = (rows: readonly Row[], begin: number, end: number): Row[] => rows.filter(({at}) => at >= begin && at < end);
    const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
    let conv: Row[] = [];
    let code: Row[] = [];

    beforeAll(async () => {
      [conv, code] = [rowsOf('conv'), rowsOf('code')];
      const file = join(directory, 'guarded.yaml');
      writeFileSync(file, [
        'experiment: services', 'variants: [conv, code]', 'control: conv', 'metrics:',
        '  - {key: context_tokens, measure: context_tokens, aggregate: mean, role: guardrail, direction: lower}',
        '  - {key: generated_tokens, measure: generated_tokens, aggregate: mean, role: goal, direction: higher}',
        'guards:',
        '  - {kind: compare, metric: context_tokens, window: 5m, tolerate: {relative: 0.15}, min_n: 50, action: roll_back, recovery: 1h}',
        '  - {kind: drift, measure: generated_tokens, window: 10m, min_n: 50, action: roll_back, recovery: 1h}', '',
      ].join('\n'));
      expect((await runAssay(['experiments', 'update', file, '--stream', 'import', '--reason', 'guards', ...data])).code).toBe(0);
    }, 60_000);

    const harm = (episode: GuardAnswer['episodes'][number] | undefined, key: keyof Row) => {
      const begin = Date.parse(episode?.fired_at ?? '');
      const [treated, control] = [within(code, begin, to), within(conv, begin, to)];
      return {n: treated.length, value: mean(treated.map(row => row[key])), control: mean(control.map(row => row[key]))};
    };
    type GuardAnswer = {readonly episodes: readonly {readonly variant: string; readonly fired_at: string; readonly resolved_at: string | null; readonly value: number; readonly prevented: {readonly outcomes: number; readonly metrics: readonly {readonly metric: string; readonly n: number; readonly value: number; readonly control: number; readonly excess: number}[]}}[]};
    const guard = (name: string): Promise<GuardAnswer> => answerOf(['backtest', name, '--from', new Date(from).toISOString(), '--to', new Date(to).toISOString(), ...data]);

    test('compare fires by the first slice at which code is worse than conv for sure, and counts what code did from then on', async () => {
      const {episodes: [one, ...others]} = await guard('guard:services:context_tokens:0');
      expect(others).toEqual([]);
      const end = Date.parse(one?.fired_at ?? '');
      const [treated, control] = [within(code, end - 300_000, end), within(conv, end - 300_000, end)].map(rows => rows.map(({context}) => context));
      expect(Math.min(treated?.length ?? 0, control?.length ?? 0)).toBeGreaterThanOrEqual(50);
      expect(one?.value).toBeCloseTo(mean(treated ?? []) / mean(control ?? []) - 1, 9);
      const {n, value, control: base} = harm(one, 'context');
      expect(one?.prevented).toMatchObject({outcomes: n, metrics: [{metric: 'context_tokens', n, value: expect.closeTo(value, 6), control: expect.closeTo(base, 6)}]});
      expect((one?.prevented.metrics[0]?.excess ?? 0) / (n * (value - base))).toBeCloseTo(1, 9);
    }, 60_000);

    test('drift fires at the first half window whose distance is beyond chance', async () => {
      const {episodes: [one, ...others]} = await guard('guard:services:generated_tokens:1');
      expect(others).toEqual([]);
      const distanceAt = (end: number): number | null => {
        const [a, b] = [within(code, end - 600_000, end), within(conv, end - 600_000, end)].map(rows => rows.map(({generated}) => generated));
        if (a === undefined || b === undefined || Math.min(a.length, b.length) < 50) return null;
        const share = (values: readonly number[], limit: number): number => values.filter(value => value <= limit).length / values.length;
        const distance = Math.max(...[...new Set([...a, ...b])].map(limit => Math.abs(share(a, limit) - share(b, limit))));
        return distance > Math.sqrt(Math.log(2e6) / 2) * Math.sqrt(1 / a.length + 1 / b.length) ? distance : null;
      };
      const ends = Array.from({length: 12}, (_, index) => from + (index + 1) * 300_000);
      const first = ends.find(end => distanceAt(end) !== null) ?? 0;
      expect(one).toMatchObject({variant: 'code', fired_at: new Date(first).toISOString(), value: expect.closeTo(distanceAt(first) ?? 0, 9)});
      expect(one?.prevented.outcomes).toBe(harm(one, 'generated').n);
    }, 60_000);
  });
});
