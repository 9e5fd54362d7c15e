/** A rule over the stored slices of azure-llm-2023, through the commands: the minutes of its expected.json. */
import {writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {beforeAll, describe, expect, test} from 'vitest';
import {AzureMaps} from '../e2e/import-maps.ts';
import {answerOf, cliSkipReason, temporaryDirectory} from '../helpers/cli.ts';
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
});
