import {afterEach, beforeEach, describe, expect, test} from 'vitest';
import {EVERYBODY} from '../../src/guard/routing.ts';
import {type AlertLook, openNotifications} from '../../src/roles/notifications.ts';
import type {AlertRow} from '../../src/warehouse/warehouse.ts';
import {NOW, openTestPlatform, type TestPlatform} from '../guard/platform.ts';
import {openScriptedReceiver, type ScriptedReceiver, TEST_SECRET} from '../helpers/webhook-receiver.ts';
import {harmedLatency, makeVerdict} from '../report/make-verdict.ts';

let world: TestPlatform;
let receiver: ScriptedReceiver;

const LOOK: AlertLook = {stream: 'live', routing: EVERYBODY, isLive: true, rules: new Set(['errors'])};

const alert = (over: Partial<AlertRow> = {}): AlertRow => ({
  alert_id: 'al_1', stream: 'live', rule: 'errors', experiment: 'answers', variant: 'b', state: 'firing', severity: 'warning', value: 0.5, threshold: 0.3,
  window_start: new Date(NOW - 60_000).toISOString(), window_end: new Date(NOW).toISOString(), reason: '0.5 is above 0.3', context: {fired: true}, changed_at: new Date(NOW).toISOString(), ...over,
});

beforeEach(async () => {
  // Bound to the machine's loopback, which the allow-list opens.
  const clock = {now: () => NOW, sleep: () => Promise.resolve()};
  receiver = await openScriptedReceiver(clock);
  world = await openTestPlatform({webhooks: [
    {name: 'ops', url: receiver.url, secrets: [TEST_SECRET], allow: ['127.0.0.1']},
    {name: 'changes', url: `${receiver.url}changes`, secrets: [TEST_SECRET], allow: ['127.0.0.1'], events: ['decision_changed']},
  ]});
});
afterEach(async () => {
  await world.close();
  await receiver.close();
});

const idsAt = (path: string): string[] => receiver.received.filter(one => one.path === path).map(({id}) => id);

describe('alerts', () => {
  test('are told once to those who take alerts, by however many processes, and resolved under an id of its own', async () => {
    await world.warehouse.insertAlerts([alert()]);
    const first = openNotifications(world.platform);
    await first.tellAlerts(LOOK);
    await first.tellAlerts(LOOK);
    await first.outbox.runDue();
    const restarted = openNotifications(world.platform);
    await restarted.tellAlerts(LOOK);
    await restarted.outbox.runDue();
    expect(idsAt('/')).toHaveLength(1);

    await world.warehouse.insertAlerts([alert({state: 'resolved', changed_at: new Date(NOW + 60_000).toISOString()})]);
    await restarted.tellAlerts(LOOK);
    await restarted.outbox.runDue();
    expect(new Set(idsAt('/')).size).toBe(2);
    expect(idsAt('/changes')).toEqual([]);
    expect(receiver.received.every(({verified}) => verified.isValid)).toBe(true);
  });

  test('of a rule that was taken away say nothing more', async () => {
    await world.warehouse.insertAlerts([alert({rule: 'gone'})]);
    const notifications = openNotifications(world.platform);
    await notifications.tellAlerts(LOOK);
    expect(await notifications.outbox.list()).toEqual([]);
  });

  test('that were inhibited while they fired take nothing back', async () => {
    const routing = {...EVERYBODY, inhibitions: [{source: {severity: 'critical'}, target: {severity: 'warning'}, equal: ['experiment']}]};
    const rules = new Set(['errors', 'down']);
    const cause = alert({alert_id: 'al_2', rule: 'down', severity: 'critical', variant: 'a'});
    await world.warehouse.insertAlerts([alert(), cause]);
    const notifications = openNotifications(world.platform);
    await notifications.tellAlerts({...LOOK, routing, rules});
    await world.warehouse.insertAlerts([alert({state: 'resolved', changed_at: new Date(NOW + 60_000).toISOString(), context: {fired: true, fired_at: new Date(NOW).toISOString()}})]);
    await notifications.tellAlerts({...LOOK, routing, rules});
    expect((await notifications.outbox.list()).map(({subject}) => subject)).toEqual(['alert down answers/a: firing']);
  });
});

describe('reports', () => {
  const rolledBack = {decision: 'roll_back', previous_decision: 'keep_running', reasons: ['guardrail_harmed:latency_p95']} as const;

  test('a change stored before the last process died is enqueued and posted by the next one', async () => {
    await world.warehouse.insertVerdicts([makeVerdict(rolledBack), harmedLatency(rolledBack)]);
    const stop = new AbortController();
    const changes = () => receiver.received.filter(({body}) => JSON.parse(body).type === 'assay.decision_changed');
    const arrived = new Promise<void>(done => {
      const look = setInterval(() => {
        if (changes().length < 2) return;
        clearInterval(look);
        done();
      }, 5);
    });
    const running = openNotifications(world.platform).run(stop.signal);
    await arrived;
    stop.abort();
    await running;
    expect(changes().map(({path}) => path).sort()).toEqual(['/', '/changes']);
    const again = openNotifications(world.platform);
    await again.verdictsStored(await world.warehouse.latestVerdicts('live', null));
    expect(await again.outbox.list(['due'])).toEqual([]);
  });
});

describe('a test message', () => {
  test('is posted once, signed, outside the outbox; the answer is told as it is', async () => {
    const notifications = openNotifications(world.platform);
    expect(await notifications.testChannel('ops')).toMatchObject({outcome: 'delivered', status: 204});
    receiver.play({kind: 'status', status: 500});
    expect(await notifications.testChannel('ops')).toMatchObject({outcome: 'failed', status: 500});
    expect(receiver.received.map(({verified}) => verified.isValid)).toEqual([true, true]);
    expect(await notifications.outbox.list()).toEqual([]);
  });

  test('to a name that is not configured is refused with the names that are', async () => {
    await expect(openNotifications(world.platform).testChannel('nobody')).rejects.toMatchObject({code: 'ASSAY_NOT_FOUND', message: expect.stringContaining('configured: ops, changes')});
  });
});
