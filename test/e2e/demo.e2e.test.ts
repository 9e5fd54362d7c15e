/** `assay demo`, killed in the middle and started again on what it left. */
import {existsSync} from 'node:fs';
import {join} from 'node:path';
import {beforeAll, describe, expect, test} from 'vitest';
import {cliSkipReason, type Finished, runAssay, startAssay, temporaryDirectory} from '../helpers/cli.ts';

const missing = await cliSkipReason();

type Line = {
  readonly events: number;
  readonly seconds: number;
  readonly ledger: Readonly<Record<'appended' | 'accepted' | 'duplicate' | 'dead_lettered', number>>;
  readonly mismatch: number;
  readonly slices_checked: number;
  readonly verdicts: readonly Readonly<Record<string, unknown>>[];
  readonly report: {readonly json: string; readonly html: string};
  readonly deliveries: readonly {readonly delivery_id: string; readonly state: string}[];
};

const lineOf = ({stdout}: Finished): Line => JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as Line;

/** What the simulated platform was built to show, and what may be decided about it. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {improvement: ['ship'], null: ['keep_running', 'inconclusive'], harm: ['roll_back']};

describe.skipIf(missing !== null)(`demo${missing === null ? '' : ` (skipped: ${missing})`}`, () => {
  const data = join(temporaryDirectory('demo'), 'data');
  const demo = ['demo', '--exit', '--json', '--data', data];
  let line: Line;

  test.each([
    ['while it sends', /sent \d+/, 700],
    ['while it counts', /counted/, 300],
    ['while it closes slices', /closing the last slices/, 100],
    ['while it analyses', /analysing/, 50],
  ])('killed %s', async (_, stage, laterMs) => {
    const running = startAssay(demo);
    await running.waitFor(stage);
    await new Promise(done => setTimeout(done, laterMs));
    expect(await running.stop('SIGKILL')).toMatchObject({signal: 'SIGKILL'});
  }, 60_000);

  describe('started once more', () => {
    beforeAll(async () => {
      const finished = await runAssay(demo);
      expect(finished.code, finished.stderr).toBe(0);
      line = lineOf(finished);
    }, 60_000);

    test('its last line has the announced shape', () => {
      expect(Object.keys(line)).toEqual(['events', 'seconds', 'ledger', 'mismatch', 'slices_checked', 'verdicts', 'report', 'deliveries']);
      expect(Object.keys(line.ledger)).toEqual(['appended', 'accepted', 'duplicate', 'dead_lettered']);
      const columns = ['experiment', 'metric', 'variant', 'test', 'n_control', 'n_variant', 'effect_absolute', 'p_value', 'decision', 'truth'];
      for (const verdict of line.verdicts) expect(Object.keys(verdict)).toEqual(columns);
      expect(existsSync(line.report.json) && existsSync(line.report.html)).toBe(true);
    });

    test('the ledger balances and nothing was lost or counted twice', () => {
      const {appended, accepted, duplicate, dead_lettered} = line.ledger;
      expect(appended).toBe(accepted + duplicate + dead_lettered);
      expect(appended).toBe(line.events);
      expect(duplicate).toBeGreaterThan(0);
      expect(dead_lettered).toBeGreaterThan(0);
      expect(line.mismatch).toBe(0);
      expect(line.slices_checked).toBeGreaterThan(100);
    });

    test('every decision fits the truth', () => {
      expect(new Set(line.verdicts.map(({truth}) => truth))).toEqual(new Set(['improvement', 'null', 'harm']));
      for (const {truth, decision} of line.verdicts) expect(ALLOWED[String(truth)]).toContain(decision);
    });

    test('the report went to the local receiver, each change of decision once', () => {
      expect(line.deliveries.length).toBeGreaterThanOrEqual(2);
      expect(line.deliveries.every(({state}) => state === 'delivered')).toBe(true);
      expect(new Set(line.deliveries.map(({delivery_id}) => delivery_id)).size).toBe(line.deliveries.length);
    });
  });

  test('a run that is through gives the same answer again, and the same as one that was never killed', async () => {
    const [again, fresh] = [await runAssay(demo), await runAssay([...demo.slice(0, -1), join(temporaryDirectory('demo-fresh'), 'data')])];
    const stable = ({events, ledger, mismatch, slices_checked, verdicts}: Line) => ({events, ledger, mismatch, slices_checked, verdicts});
    expect(stable(lineOf(again))).toEqual(stable(line));
    expect(stable(lineOf(fresh))).toEqual(stable(line));
    expect(lineOf(again).deliveries).toHaveLength(line.deliveries.length);
  }, 120_000);
});
