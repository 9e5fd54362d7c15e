import {rmSync, writeFileSync} from 'node:fs';
import {afterEach, describe, expect, test} from 'vitest';
import {AssayError} from '../../src/core/errors.ts';
import {epochMs} from '../../src/core/units.ts';
import {Alerts, loadRuleFile} from '../../src/roles/alerts.ts';
import type {AlertLook, Notifications} from '../../src/roles/notifications.ts';
import {LIVE, NOW, openTestPlatform, type TestPlatform} from './platform.ts';

const ERRORS = 'rules:\n  - {name: errors, metric: error_rate, window: 60s, above: 0.3, min_n: 50}\n';
const DRIFT = '  - {name: shift, kind: drift, metric: score, window: 10s, reference: 1m, above: 0.2, min_n: 2}\n';

let world: TestPlatform;
afterEach(() => world.close());

function open(): {readonly alerts: Alerts; readonly told: AlertLook[]} {
  const told: AlertLook[] = [];
  const notifications = {tellAlerts: async (look: AlertLook) => void told.push(look)} as unknown as Notifications;
  return {alerts: new Alerts(world.platform, notifications), told};
}

const states = async (): Promise<(readonly [string, string, string])[]> => (await world.warehouse.latestAlerts('live')).map(({rule, variant, state}) => [rule, variant, state] as const);
const noSnapshot = (): Promise<Record<string, unknown>[]> => Promise.reject(new AssayError('ASSAY_QUERY_REFUSED', 'not in this test'));

describe('the rules file while the jobs run', () => {
  test('a changed file is read at the next look, a wrong one is counted once and changes nothing, a mended one holds again', async () => {
    world = await openTestPlatform({rules: ERRORS});
    world.answer(noSnapshot);
    world.play(0.2, epochMs(NOW - 60_000), epochMs(NOW + 600_000));
    const {alerts, told} = open();
    await alerts.look(LIVE);
    expect(await states()).toEqual([]);

    const lookAt = async (seconds: number): Promise<void> => {
      world.completeTo(epochMs(NOW + seconds * 1_000));
      await alerts.look(LIVE);
    };
    for (const [index, wrong] of ['rules: [', 'rules:\n  - {name: errors, metric: error_rate, window: 60s, abov: 0.1}\n'].entries()) {
      writeFileSync(world.rulesFile, wrong);
      await lookAt(10 + 20 * index);
      await lookAt(20 + 20 * index);
      expect(world.counted.filter(name => name === 'assay_alerts_rule_file_errors_total')).toHaveLength(index + 1);
      expect([...(told.at(-1)?.rules ?? [])]).toEqual(['errors']);
    }
    expect(await states()).toEqual([]);

    writeFileSync(world.rulesFile, ERRORS.replace('0.3', '0.1'));
    await lookAt(60);
    expect(await states()).toEqual([['errors', 'b', 'firing']]);

    rmSync(world.rulesFile);
    await lookAt(70);
    expect([...(told.at(-1)?.rules ?? [])]).toEqual(['errors']);
  });

  test('at the start a wrong file ends the process with the file and every problem', async () => {
    world = await openTestPlatform({rules: 'rules:\n  - {name: x, metric: m, window: 0s}\nrout: {}\n'});
    expect(() => open()).toThrow(expect.objectContaining({code: 'ASSAY_CONFIG_INVALID', message: expect.stringMatching(/rules\.yaml: .*rout is not known.*rules\[0\]/)}));
    expect(() => loadRuleFile('/nowhere/rules.yaml')).toThrow(expect.objectContaining({code: 'ASSAY_CONFIG_INVALID', message: expect.stringContaining('/nowhere/rules.yaml')}));
  });
});

describe('looks', () => {
  test('after a start the last hour is judged: what fired and resolved meanwhile is known, under the ids of the process before', async () => {
    world = await openTestPlatform({rules: ERRORS});
    world.answer(noSnapshot);
    world.play(0, epochMs(NOW - 3_600_000), NOW);
    world.play(0.5, epochMs(NOW - 1_800_000), epochMs(NOW - 1_200_000));
    await open().alerts.look(LIVE);
    const first = await world.warehouse.latestAlerts('live');
    expect(first.map(({state, changed_at}) => [state, changed_at])).toEqual([['resolved', new Date(NOW - 1_190_000).toISOString()]]);
    await open().alerts.look(LIVE);
    expect(await world.warehouse.latestAlerts('live')).toEqual(first);
  });

  test('a snapshot that cannot be read costs the alert nothing', async () => {
    world = await openTestPlatform({rules: ERRORS});
    world.answer(noSnapshot);
    world.play(0.5, epochMs(NOW - 60_000), NOW);
    await open().alerts.look(LIVE);
    expect((await world.warehouse.latestAlerts('live'))[0]).toMatchObject({state: 'firing', context: {snapshot_error: 'not in this test'}});
  });

  test('a drift that cannot be read is asked once a look, after the others were told, and delays no alert', async () => {
    world = await openTestPlatform({rules: ERRORS + DRIFT});
    world.play(0.5, epochMs(NOW - 60_000), NOW);
    const {alerts, told} = open();
    let asked = 0;
    world.answer(async sql => {
      if (!sql.includes('kolmogorovSmirnovTest')) return [];
      asked += 1;
      expect(told).toHaveLength(1);
      expect(await states()).toEqual([['errors', 'b', 'firing']]);
      throw new AssayError('ASSAY_QUERY_REFUSED', 'over the time limit');
    });
    await alerts.look(LIVE);
    expect(asked).toBe(1);
    expect(world.counted.filter(name => name === 'assay_alerts_drift_failures_total')).toHaveLength(1);
    expect(await states()).toEqual([['errors', 'b', 'firing']]);

    // The next look asks again, and a distance over the bound fires.
    world.answer(async sql => (sql.includes('kolmogorovSmirnovTest') ? [{variant: 'b', n: 50, earlier: 300, distance: 0.4}] : []));
    world.completeTo(epochMs(NOW + 10_000));
    await alerts.look(LIVE);
    expect(await states()).toContainEqual(['shift', 'b', 'firing']);
  });
});
