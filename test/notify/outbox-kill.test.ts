/** The sender killed before and after every write and every POST, on both paths; nothing runs after the kill, and the next process starts from the store alone. */
import {describe, expect, test} from 'vitest';
import {seededRng} from '../../src/core/rng.ts';
import type {Channel, DeliveryResult, OutboundMessage} from '../../src/notify/channel.ts';
import {deliveryIdOf, type NewDelivery} from '../../src/notify/delivery-state.ts';
import {RETRY_SCHEDULE_MS} from '../../src/notify/limits.ts';
import {Outbox} from '../../src/notify/outbox.ts';
import {openMemoryWarehouse} from '../../src/warehouse/memory/memory-warehouse.ts';
import type {OutboxStore} from '../../src/warehouse/warehouse.ts';
import {ManualClock} from './manual-clock.ts';

const DUE = ['a', 'b', 'c', 'd', 'e'].map((name): NewDelivery => ({deliveryId: deliveryIdOf('ops', [name]), channel: 'ops', subject: `${name === 'e' ? 'a' : name}: said`, body: name, contentType: 'text/plain'}));
const IDS = DUE.map(({deliveryId}) => deliveryId).sort();

/** Counts the points of a run; from the chosen one on nothing returns. */
class Killer {
  readonly killed: Promise<void>;
  #left: number;
  #die: () => void = () => undefined;
  points = 0;

  constructor(at: number) {
    this.#left = at;
    this.killed = new Promise(resolve => {
      this.#die = resolve;
    });
  }

  async point(): Promise<void> {
    this.points += 1;
    this.#left -= 1;
    if (this.#left > 0) return;
    this.#die();
    await new Promise(() => undefined);
  }
}

type Receiver = {readonly posts: {readonly ids: readonly string[]; readonly at: number}[]; answers: DeliveryResult[]};
type World = {readonly inner: OutboxStore; readonly clock: ManualClock; readonly receiver: Receiver};
type Variant = {readonly isDigesting: boolean; readonly marksFirst: boolean};

const FAILED: DeliveryResult = {outcome: 'failed', status: 500, error: 'answered 500', retryAfterMs: null, isSlowDown: false, durationMs: 1};

function openSender({inner, clock, receiver}: World, killer: Killer, {isDigesting, marksFirst}: Variant): Outbox {
  const store: OutboxStore = {
    ...inner,
    insertDeliveries: async rows => {
      await killer.point();
      await inner.insertDeliveries(rows);
      await killer.point();
    },
  };
  const idsOf = ({deliveryId}: OutboundMessage): string[] => deliveryId.split(' ');
  const channel: Channel = {
    kind: 'test', name: 'ops',
    ...(isDigesting ? {digesting: {everyMs: 3_000, messagesMax: 3, combine: messages => ({deliveryId: messages.map(({deliveryId}) => deliveryId).join(' '), body: messages.map(({body}) => body).join(), contentType: 'text/plain'})}} : {}),
    compose: () => ({body: '', contentType: ''}),
    deliver: async message => {
      if (marksFirst) {
        const rows = await Promise.all(idsOf(message).map(id => inner.delivery(id)));
        await inner.insertDeliveries(rows.flatMap(row => (row === null ? [] : [{...row, state: 'delivered' as const, next_attempt_at: null, changed_at: new Date(Date.parse(row.changed_at) + 1).toISOString()}])));
      }
      await killer.point();
      receiver.posts.push({ids: idsOf(message), at: clock.now()});
      const [answer = {outcome: 'delivered', status: 200, durationMs: 1} as const, ...rest] = receiver.answers;
      receiver.answers = rest;
      await killer.point();
      return answer;
    },
  };
  return new Outbox({store, channels: [channel], clock, rng: seededRng(7)});
}

async function work(outbox: Outbox, clock: ManualClock): Promise<void> {
  for (const message of DUE) await outbox.enqueue(message);
  for (let next = (await outbox.runDue()).nextDueAt; next !== null; next = (await outbox.runDue()).nextDueAt) clock.set(Math.max(clock.now(), next));
}

/** A run killed at `at`, then one that is not. */
async function killedAt(at: number, variant: Variant): Promise<World & {readonly points: number; readonly postsBefore: number}> {
  const world: World = {inner: openMemoryWarehouse(), clock: new ManualClock(), receiver: {posts: [], answers: [FAILED, FAILED]}};
  const killer = new Killer(at);
  await Promise.race([work(openSender(world, killer, variant), world.clock), killer.killed]);
  const postsBefore = world.receiver.posts.length;
  await work(openSender(world, new Killer(Number.POSITIVE_INFINITY), variant), world.clock);
  return {...world, points: killer.points, postsBefore};
}

const arrived = ({receiver}: World): string[] => [...new Set(receiver.posts.flatMap(({ids}) => ids))].sort();

describe.each([['one by one', false], ['as digests', true]] as const)('the sender is killed, messages go out %s', (_name, isDigesting) => {
  test('at every point: every due message arrives, under its own id, and is marked', async () => {
    const whole = await killedAt(Number.POSITIVE_INFINITY, {isDigesting, marksFirst: false});
    expect(whole.points).toBeGreaterThan(20);
    for (let at = 1; at <= whole.points; at += 1) {
      const world = await killedAt(at, {isDigesting, marksFirst: false});
      expect(arrived(world), `killed at point ${at}`).toEqual(IDS);
      const rows = await world.inner.deliveries({states: [], limit: 99});
      expect(rows.map(({delivery_id, state}) => [delivery_id, state]).sort(), `killed at point ${at}`).toEqual(IDS.map(id => [id, 'delivered']));
    }
  });

  test('messages about one thing keep their order through every kill', async () => {
    const whole = await killedAt(Number.POSITIVE_INFINITY, {isDigesting, marksFirst: false});
    const [first, last] = [DUE[0]?.deliveryId ?? '', DUE[4]?.deliveryId ?? ''];
    for (let at = 1; at <= whole.points; at += 1) {
      const {receiver} = await killedAt(at, {isDigesting, marksFirst: false});
      const order = receiver.posts.flatMap(({ids}) => ids);
      expect(order.indexOf(first), `killed at point ${at}`).toBeLessThan(order.indexOf(last));
    }
  });

  test('control: a sender that marks before it posts loses a message at some point', async () => {
    const whole = await killedAt(Number.POSITIVE_INFINITY, {isDigesting, marksFirst: true});
    let lost = 0;
    for (let at = 1; at <= whole.points; at += 1) lost += arrived(await killedAt(at, {isDigesting, marksFirst: true})).length < IDS.length ? 1 : 0;
    expect(lost).toBeGreaterThan(0);
  });
});

test('attempts of a digest that fails follow the schedule within 20 %, each at least the rest apart', async () => {
  const world: World = {inner: openMemoryWarehouse(), clock: new ManualClock(), receiver: {posts: [], answers: Array.from({length: 9}, () => FAILED)}};
  const outbox = openSender(world, new Killer(Number.POSITIVE_INFINITY), {isDigesting: true, marksFirst: false});
  const [only] = DUE;
  if (only === undefined) throw new Error('nothing is due');
  await outbox.enqueue(only);
  for (let next = (await outbox.runDue()).nextDueAt; next !== null; next = (await outbox.runDue()).nextDueAt) world.clock.set(Math.max(world.clock.now(), next));
  const waits = world.receiver.posts.slice(1).map(({at}, index) => at - (world.receiver.posts[index]?.at ?? 0));
  expect(waits).toHaveLength(9);
  for (const [index, wait] of waits.entries()) {
    const planned = RETRY_SCHEDULE_MS[index + 1] ?? 0;
    expect(wait).toBeGreaterThanOrEqual(planned * 0.8);
    expect(wait).toBeLessThanOrEqual(planned * 1.2);
  }
});
