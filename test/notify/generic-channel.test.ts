import {Webhook} from 'standardwebhooks';
import {afterEach, beforeEach, describe, expect, test} from 'vitest';
import {epochMs} from '../../src/core/units.ts';
import {seededRng} from '../../src/core/rng.ts';
import {systemResolve} from '../../src/notify/check-url.ts';
import {GenericChannel, genericChannels} from '../../src/notify/generic/generic-channel.ts';
import {NOTIFY_LIMITS} from '../../src/notify/limits.ts';
import {Outbox} from '../../src/notify/outbox.ts';
import {signWebhook, verifyWebhook} from '../../src/notify/sign-webhook.ts';
import {openMemoryWarehouse} from '../../src/warehouse/memory/memory-warehouse.ts';
import {type Behaviour, openScriptedReceiver, type ScriptedReceiver, TEST_SECRET} from '../helpers/webhook-receiver.ts';
import {GENERATED_AT, makeVerdict, nightRows, reportOf} from '../report/make-verdict.ts';
import {ManualClock, REAL_CLOCK} from './manual-clock.ts';

const OTHER_SECRET = `whsec_${Buffer.from('the secret that comes after it..').toString('base64')}`;
const LIMITS = {connectMs: 300, totalMs: 400, responseBytesMax: 64 * 1024};

describe('signatures', () => {
  const content = {id: 'msg_1', at: epochMs(Date.now()), body: '{"a":"ä"}'};
  const now = {now: content.at, toleranceMs: 300_000};

  test('two live secrets make two signatures; each receiver verifies with its own, by two implementations', () => {
    const headers = signWebhook(content, [TEST_SECRET, OTHER_SECRET]);
    expect(headers['webhook-signature'].split(' ')).toHaveLength(2);
    for (const secret of [TEST_SECRET, OTHER_SECRET]) {
      expect(verifyWebhook(headers, content.body, {secret, ...now})).toEqual({isValid: true});
      expect(new Webhook(secret).verify(content.body, headers)).toEqual({a: 'ä'});
    }
    const stranger = `whsec_${Buffer.alloc(24, 7).toString('base64')}`;
    expect(verifyWebhook(headers, content.body, {secret: stranger, ...now}).isValid).toBe(false);
  });

  test('the specification’s example', () => {
    const headers = signWebhook(
      {id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', at: epochMs(1_614_265_330_000), body: '{"test": 2432232314}'},
      ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'],
    );
    expect(headers['webhook-signature']).toBe('v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=');
  });

  test.each([
    ['another body', {}, '{"a":"b"}'],
    ['another id', {'webhook-id': 'msg_2'}, content.body],
    ['another time', {'webhook-timestamp': String(Math.floor(content.at / 1000) + 1)}, content.body],
    ['no signature', {'webhook-signature': ''}, content.body],
    ['another version', {'webhook-signature': 'v2,abc'}, content.body],
    ['a time that is no number', {'webhook-timestamp': 'soon'}, content.body],
  ])('%s is refused', (_name, changed, body) => {
    const headers = {...signWebhook(content, [TEST_SECRET]), ...changed};
    expect(verifyWebhook(headers, body, {secret: TEST_SECRET, ...now}).isValid).toBe(false);
  });

  test('an old attempt is refused', () => {
    const headers = signWebhook(content, [TEST_SECRET]);
    expect(verifyWebhook(headers, content.body, {secret: TEST_SECRET, now: epochMs(content.at + 301_000), toleranceMs: 300_000}).isValid).toBe(false);
  });
});

describe('the payload', () => {
  const channel = new GenericChannel({name: 'ops', url: 'https://x.example/', secrets: [TEST_SECRET], allow: [], clock: new ManualClock(), resolve: systemResolve});

  test('is versioned, typed and the whole report; the same notice gives the same bytes', () => {
    const notice = {type: 'decision_changed', at: GENERATED_AT, report: reportOf(nightRows())} as const;
    const {body, contentType} = channel.compose(notice);
    expect(contentType).toBe('application/json');
    expect(channel.compose(notice).body).toBe(body);
    const payload = JSON.parse(body);
    expect(payload).toMatchObject({schema_version: 1, type: 'assay.decision_changed', timestamp: '2026-11-21T08:00:02.000Z', data: {schema_version: 1, summary: {status: 'alert'}}});
    expect(payload.data.experiments[0].metrics[0].rows[0].verdict).toEqual(nightRows()[0]);
  });

  test('beyond the size limit it keeps decisions and says that it was cut', () => {
    const many = Array.from({length: 300}, (_, index) => makeVerdict({experiment: `e${index}`, sql: 'x'.repeat(3_000)}));
    const {body} = channel.compose({type: 'digest', at: GENERATED_AT, report: reportOf(many)});
    expect(Buffer.byteLength(body)).toBeLessThanOrEqual(NOTIFY_LIMITS.bodyBytesMax);
    expect(JSON.parse(body).data).toMatchObject({is_truncated: true, summary: {experiments: 300}});
  });
});

describe('a receiver that misbehaves, over real sockets, on a fake schedule', () => {
  let receiver: ScriptedReceiver;
  let clock: ManualClock;

  beforeEach(async () => {
    clock = new ManualClock();
    receiver = await openScriptedReceiver(clock);
  });
  afterEach(() => receiver.close());

  function openOutbox() {
    const store = openMemoryWarehouse();
    const webhook = {name: 'ops', url: receiver.url, secrets: [OTHER_SECRET, TEST_SECRET], allow: [`127.0.0.1:${receiver.port}`]};
    const channels = genericChannels([webhook], {clock, fetchClock: REAL_CLOCK, resolve: systemResolve, limits: LIMITS});
    return {store, outbox: new Outbox({store, channels, clock, rng: seededRng(3)})};
  }

  /** With the wait before the second attempt: the schedule's, or the rest that was asked for. */
  const MISDEEDS: readonly (readonly [string, Behaviour, number])[] = [
    ['answers 500', {kind: 'status', status: 500}, 5_000],
    ['redirects', {kind: 'status', status: 307, location: 'http://127.0.0.1:1/'}, 5_000],
    ['asks for a rest', {kind: 'status', status: 429, retryAfter: '40'}, 40_000],
    ['is behind a dead proxy', {kind: 'status', status: 502}, NOTIFY_LIMITS.slowDownMs],
    ['is behind a slow proxy', {kind: 'status', status: 504}, NOTIFY_LIMITS.slowDownMs],
    ['hangs', {kind: 'hang'}, 5_000],
    ['resets after accepting', {kind: 'reset'}, 5_000],
  ];

  test.each(MISDEEDS)('%s, then recovers: every due message arrives, signed anew, under its own id, within 20 % of its time', async (_name, behaviour, waitMs) => {
    const {outbox, store} = openOutbox();
    receiver.play(behaviour, behaviour, {kind: 'ok'});
    const due = ['a', 'b', 'c'];
    for (const id of due) await outbox.enqueue({deliveryId: id, channel: 'ops', subject: id, body: `{"id":"${id}"}`, contentType: 'application/json'});
    for (let next = (await outbox.runDue()).nextDueAt; next !== null; next = (await outbox.runDue()).nextDueAt) clock.set(next);

    expect([...new Set(receiver.received.map(({id}) => id))].sort()).toEqual(due);
    expect(receiver.received.every(({verified}) => verified.isValid)).toBe(true);
    expect(receiver.received).toHaveLength(5);
    const retried = due.map(one => receiver.received.filter(({id}) => id === one)).filter(attempts => attempts.length > 1);
    expect(retried).toHaveLength(2);
    for (const [first, second] of retried) {
      expect((second?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThanOrEqual(waitMs * 0.8);
      expect((second?.at ?? 0) - (first?.at ?? 0)).toBeLessThanOrEqual(waitMs * 1.2);
    }
    expect(await store.deliveries({states: ['delivered'], limit: 9})).toHaveLength(3);
  });

  test.each<readonly [string, Behaviour]>([
    ['trickles its answer', {kind: 'trickle', everyMs: 40}],
    ['answers with 1 GiB', {kind: 'huge', bytes: 1024 ** 3}],
  ])('%s: its 200 counts, once', async (_name, behaviour) => {
    const {outbox} = openOutbox();
    receiver.play(behaviour);
    await outbox.enqueue({deliveryId: 'a', channel: 'ops', subject: 'a', body: '{}', contentType: 'application/json'});
    expect(await outbox.runDue()).toMatchObject({attempted: 1, delivered: 1, nextDueAt: null});
    expect(receiver.received).toHaveLength(1);
  });

  test('410 disables after one attempt', async () => {
    const {outbox, store} = openOutbox();
    receiver.play({kind: 'status', status: 410});
    await outbox.enqueue({deliveryId: 'a', channel: 'ops', subject: 'a', body: '{}', contentType: 'application/json'});
    await outbox.runDue();
    expect(await store.delivery('a')).toMatchObject({state: 'disabled', attempt: 1, last_status: 410});
  });

  test('killed and started again on the same port: what was missed arrives', async () => {
    const {outbox} = openOutbox();
    await receiver.close();
    await outbox.enqueue({deliveryId: 'a', channel: 'ops', subject: 'a', body: '{}', contentType: 'application/json'});
    expect(await outbox.runDue()).toMatchObject({attempted: 1, delivered: 0});
    const {openWebhookReceiver} = await import('../../src/notify/receiver.ts');
    const again = await openWebhookReceiver({secret: TEST_SECRET, clock, port: receiver.port});
    clock.set(clock.now() + 6_000);
    expect(await outbox.runDue()).toMatchObject({delivered: 1});
    expect(again.received[0]?.verified).toEqual({isValid: true});
    await again.close();
  });

  test('an address that is not allowed is never connected to, and says why in the log', async () => {
    const store = openMemoryWarehouse();
    const channels = genericChannels([{name: 'ops', url: receiver.url, secrets: [TEST_SECRET], allow: []}], {clock, fetchClock: REAL_CLOCK, resolve: systemResolve});
    const outbox = new Outbox({store, channels, clock, rng: seededRng(1)});
    await outbox.enqueue({deliveryId: 'a', channel: 'ops', subject: 'a', body: '{}', contentType: 'application/json'});
    await outbox.runDue();
    expect(receiver.received).toHaveLength(0);
    expect((await store.delivery('a'))?.last_error).toContain('ASSAY_ADDRESS_REFUSED');
  });
});
