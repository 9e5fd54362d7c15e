import {assert} from '../core/assert.ts';
import type {Clock} from '../core/clock.ts';
import {AssayError, messageOf} from '../core/errors.ts';
import type {Rng} from '../core/rng.ts';
import {type Logger, type Metrics, NO_METRICS, SILENT_LOGGER} from '../core/telemetry.ts';
import {epochMs, type EpochMs} from '../core/units.ts';
import type {DeliveryRow, OutboxStore} from '../warehouse/warehouse.ts';
import type {Channel, DeliveryResult, Digesting, OutboundMessage} from './channel.ts';
import {ChannelHealth} from './channel-health.ts';
import {nextBatch, openLanes, readyLanes} from './delivery-order.ts';
import {afterAttempt, disabledRow, dueAgain, type NewDelivery, newRow} from './delivery-state.ts';
import {NOTIFY_LIMITS} from './limits.ts';

export type OutboxOptions = {
  readonly store: Pick<OutboxStore, 'insertDeliveries' | 'deliveries' | 'delivery' | 'deliveryHistory'>;
  readonly channels: readonly Channel[];
  readonly clock: Clock;
  readonly rng: Rng;
  readonly logger?: Logger;
  readonly metrics?: Metrics;
};

export type RunSummary = {
  readonly attempted: number;
  readonly delivered: number;
  readonly failed: number;
  /** When the next row of these channels is due; null when none waits. */
  readonly nextDueAt: EpochMs | null;
};

/**
 * At-least-once delivery over rows in the warehouse: a message is durable before its
 * first POST and stays `due` until a row says otherwise. The states are drawn in
 * `delivery-state.ts`; messages about one thing keep their order (`delivery-order.ts`).
 * One process at a time runs it (a singleton job); a second one would
 * post twice, with the same id.
 *
 * In memory are one page of due rows per channel, the ids in flight and one small
 * record per channel; everything else is in the store.
 */
export class Outbox {
  readonly #store: OutboxOptions['store'];
  readonly #channels: ReadonlyMap<string, Channel>;
  readonly #clock: Clock;
  readonly #rng: Rng;
  readonly #logger: Logger;
  readonly #metrics: Metrics;
  readonly #health: ChannelHealth;
  readonly #inFlight = new Set<string>();
  readonly #rounds = new Map<string, Promise<unknown>>();
  readonly #sleepers = new Set<AbortController>();
  #restored: Promise<void> | null = null;
  #lastCreatedAt: EpochMs = epochMs(0);
  #enqueued: Promise<unknown> = Promise.resolve();

  constructor({store, channels, clock, rng, logger = SILENT_LOGGER, metrics = NO_METRICS}: OutboxOptions) {
    this.#store = store;
    this.#channels = new Map(channels.map(channel => [channel.name, channel]));
    assert(this.#channels.size === channels.length, 'channel names are unique');
    this.#clock = clock;
    this.#rng = rng;
    this.#logger = logger;
    this.#metrics = metrics;
    this.#health = new ChannelHealth([...this.#channels.keys()]);
  }

  /** Makes a message durable. An id that is already known, in whatever state, is left as it is. */
  enqueue(message: NewDelivery): Promise<'queued' | 'known'> {
    // One at a time, so that the same id twice at once is seen.
    const result = this.#enqueued.then(() => this.#enqueue(message));
    this.#enqueued = result.catch(() => undefined);
    return result;
  }

  async #enqueue(message: NewDelivery): Promise<'queued' | 'known'> {
    assert(this.#channels.has(message.channel), `channel ${message.channel} is configured`);
    await this.#restore();
    if ((await this.#store.delivery(message.deliveryId)) !== null) return 'known';
    const isDisabled = this.#health.isDisabled(message.channel) && (await this.#isStillDisabled(message.channel));
    const now = this.#clock.now();
    // Two messages of one millisecond keep their order.
    this.#lastCreatedAt = epochMs(Math.max(now, this.#lastCreatedAt + 1));
    await this.#store.insertDeliveries([newRow(message, {now, createdAt: this.#lastCreatedAt, state: isDisabled ? 'disabled' : 'due'})]);
    this.#metrics.count('assay_notify_enqueued_total', 1, {channel: message.channel});
    this.#logger.info('delivery enqueued', {deliveryId: message.deliveryId, channel: message.channel, isDisabled});
    this.#wake();
    return 'queued';
  }

  /** Attempts what is due now, of one channel or of all, and writes each result. */
  async runDue(channel?: string): Promise<RunSummary> {
    await this.#restore();
    const channels = [...this.#channels.values()].filter(one => channel === undefined || one.name === channel);
    const attempts = (await Promise.all(channels.map(one => this.#oneAtATime(one)))).flat();
    const delivered = attempts.filter(outcome => outcome === 'delivered').length;
    return {attempted: attempts.length, delivered, failed: attempts.length - delivered, nextDueAt: await this.#nextDueAt(channel)};
  }

  /** Delivers until the signal aborts, every channel by itself, so that a hanging one delays no other. */
  async run(signal: AbortSignal): Promise<void> {
    const stopped = new AbortController();
    const stop = (): void => {
      stopped.abort();
      this.#wake();
    };
    signal.addEventListener('abort', stop, {once: true});
    if (signal.aborted) stop();
    try {
      await Promise.all([...this.#channels.keys()].map(channel => this.#lane(channel, stopped.signal)));
    } finally {
      // A lane that failed for good takes the others with it.
      stop();
      signal.removeEventListener('abort', stop);
    }
  }

  /** One more attempt as soon as the outbox runs, whatever the state; the id stays. */
  async redeliver(deliveryId: string): Promise<DeliveryRow> {
    const again = dueAgain((await this.#known(deliveryId)).row, this.#clock.now());
    await this.#store.insertDeliveries([again]);
    this.#wake();
    return again;
  }

  /** The same with the attempt made here. A running outbox may post it too: the receiver sees one id. */
  async deliverNow(deliveryId: string): Promise<DeliveryRow> {
    await this.#restore();
    const {channel} = await this.#known(deliveryId);
    const again = await this.redeliver(deliveryId);
    await this.#attempt(channel, [again]);
    return (await this.#store.delivery(deliveryId)) ?? again;
  }

  async #known(deliveryId: string): Promise<{readonly row: DeliveryRow; readonly channel: Channel}> {
    const row = await this.#store.delivery(deliveryId);
    if (row === null) throw new AssayError('ASSAY_NOT_FOUND', `no delivery ${deliveryId}`);
    const channel = this.#channels.get(row.channel);
    if (channel === undefined) throw new AssayError('ASSAY_NOT_FOUND', `channel ${row.channel} of ${deliveryId} is not configured`);
    return {row, channel};
  }

  list(states: readonly DeliveryRow['state'][] = [], limit: number = NOTIFY_LIMITS.dueRowsMax): Promise<DeliveryRow[]> {
    return this.#store.deliveries({states, limit});
  }

  /** The delivery log of one message: a row per attempt and change, oldest first. */
  history(deliveryId: string): Promise<DeliveryRow[]> {
    return this.#store.deliveryHistory(deliveryId);
  }

  async #waiting(channel?: string): Promise<DeliveryRow[]> {
    const rows = await this.#store.deliveries({states: ['due'], limit: NOTIFY_LIMITS.dueRowsMax});
    this.#metrics.gauge('assay_notify_waiting_deliveries', rows.length);
    if (rows.length === NOTIFY_LIMITS.dueRowsMax) this.#logger.warn('due deliveries exceeded one page', {rowsMax: NOTIFY_LIMITS.dueRowsMax});
    return rows.filter(row => this.#channels.has(row.channel) && (channel === undefined || row.channel === channel));
  }

  async #nextDueAt(channel?: string): Promise<EpochMs | null> {
    const lanes = openLanes(await this.#waiting(channel));
    const times = lanes.map(({channel: name, dueAt}) => epochMs(Math.max(dueAt, this.#health.holdUntil(name))));
    return times.reduce<EpochMs | null>((first, at) => (first === null || at < first ? at : first), null);
  }

  /** Rounds of a channel never overlap: a second one would read rows whose result is not yet written. */
  #oneAtATime(channel: Channel): Promise<DeliveryResult['outcome'][]> {
    const round = (this.#rounds.get(channel.name) ?? Promise.resolve()).then(async () => {
      const waiting = await this.#waiting(channel.name);
      const now = this.#clock.now();
      if (this.#health.holdUntil(channel.name) > now) return [];
      const lanes = readyLanes(waiting, now);
      return channel.digesting === undefined ? this.#drain(channel, lanes) : this.#digest(channel, channel.digesting, lanes);
    });
    this.#rounds.set(channel.name, round.catch(() => undefined));
    return round;
  }

  /** A few lanes at a time, each in order; stops when the receiver asks for a rest or the channel is disabled. */
  async #drain(channel: Channel, lanes: DeliveryRow[][]): Promise<DeliveryResult['outcome'][]> {
    const outcomes: DeliveryResult['outcome'][] = [];
    const worker = async (): Promise<void> => {
      for (let lane = lanes.shift(); lane !== undefined; lane = lanes.shift()) {
        for (const row of lane) {
          const outcome = await this.#attempt(channel, [row]);
          outcomes.push(outcome);
          const isResting = outcome === 'gone' || this.#health.holdUntil(channel.name) > this.#clock.now();
          if (isResting) lanes.length = 0;
          // What comes later in the lane waits for its turn.
          if (isResting || outcome !== 'delivered') break;
        }
      }
    };
    await Promise.all(Array.from({length: NOTIFY_LIMITS.concurrentPerChannel}, worker));
    return outcomes;
  }

  /** Everything that waits as one message, then a rest. */
  async #digest(channel: Channel, {everyMs, messagesMax}: Digesting, lanes: readonly DeliveryRow[][]): Promise<DeliveryResult['outcome'][]> {
    const batch = nextBatch(lanes, messagesMax);
    if (batch === null) return [];
    this.#health.rest(channel.name, epochMs(this.#clock.now() + everyMs));
    const outcome = await this.#attempt(channel, batch);
    return batch.map(() => outcome);
  }

  /** POST, then the rows that say so. */
  async #attempt(channel: Channel, rows: readonly [DeliveryRow, ...DeliveryRow[]]): Promise<DeliveryResult['outcome']> {
    for (const row of rows) this.#inFlight.add(row.delivery_id);
    try {
      const number = Math.max(...rows.map(row => row.attempt)) + 1;
      const result = await channel.deliver(messageOfRows(channel, rows), {number, at: this.#clock.now()});
      const now = this.#clock.now();
      this.#health.record(channel.name, result, now);
      const context = {now, random: this.#rng.next(), failingSince: this.#health.failingSince(channel.name, now)};
      const next = rows.map(row => afterAttempt(row, result, context));
      await this.#store.insertDeliveries(next);
      for (const row of next) this.#observe(row, result);
      const disabled = next.find(row => row.state === 'disabled');
      if (disabled !== undefined) await this.#disable(channel.name, disabled);
      if (result.outcome === 'delivered' && this.#health.isDisabled(channel.name)) await this.#enable(channel.name);
      return result.outcome;
    } finally {
      for (const row of rows) this.#inFlight.delete(row.delivery_id);
    }
  }

  #observe(row: DeliveryRow, result: DeliveryResult): void {
    this.#metrics.count('assay_notify_attempts_total', 1, {channel: row.channel, outcome: result.outcome});
    this.#metrics.observe('assay_notify_attempt_seconds', result.durationMs / 1000, {channel: row.channel});
    const fields = {deliveryId: row.delivery_id, channel: row.channel, attempt: row.attempt, state: row.state, status: row.last_status, nextAttemptAt: row.next_attempt_at, error: row.last_error};
    if (result.outcome === 'delivered') this.#logger.info('delivery arrived', fields);
    else this.#logger.warn('delivery failed', fields);
  }

  /** The channel's other messages wait too, without attempts, until one is redelivered with success. */
  async #disable(channel: string, cause: DeliveryRow): Promise<void> {
    this.#health.setDisabled(channel, true);
    const now = this.#clock.now();
    const others = (await this.#waiting(channel)).filter(row => row.delivery_id !== cause.delivery_id && !this.#inFlight.has(row.delivery_id));
    if (others.length > 0) await this.#store.insertDeliveries(others.map(row => disabledRow(row, now)));
    this.#metrics.gauge('assay_notify_channel_disabled', 1, {channel});
    this.#logger.error('channel disabled', {channel, error: cause.last_error, held: others.length + 1});
  }

  async #enable(channel: string): Promise<void> {
    this.#health.setDisabled(channel, false);
    let released = 0;
    for (let held = await this.#disabledRows(channel); held.length > 0; held = await this.#disabledRows(channel)) {
      await this.#store.insertDeliveries(held.map(row => dueAgain(row, this.#clock.now())));
      released += held.length;
    }
    this.#metrics.gauge('assay_notify_channel_disabled', 0, {channel});
    this.#logger.info('channel enabled', {channel, released});
    this.#wake();
  }

  async #disabledRows(channel: string): Promise<DeliveryRow[]> {
    const rows = await this.#store.deliveries({states: ['disabled'], limit: NOTIFY_LIMITS.dueRowsMax});
    return rows.filter(row => row.channel === channel);
  }

  /** Another process may have redelivered: the store knows better than memory. */
  async #isStillDisabled(channel: string): Promise<boolean> {
    const isDisabled = (await this.#disabledRows(channel)).length > 0;
    this.#health.setDisabled(channel, isDisabled);
    return isDisabled;
  }

  /** Reads the channels' state from the store, once; a failure is tried again by the next call. */
  #restore(): Promise<void> {
    this.#restored ??= this.#store
      .deliveries({states: ['due', 'disabled'], limit: NOTIFY_LIMITS.dueRowsMax})
      .then(rows => this.#health.restore(rows))
      .catch(error => {
        this.#restored = null;
        throw error;
      });
    return this.#restored;
  }

  async #lane(channel: string, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const sleeper = new AbortController();
      this.#sleepers.add(sleeper);
      const waitMs = await this.#round(channel);
      if (!signal.aborted) await this.#clock.sleep(waitMs, sleeper.signal);
      this.#sleepers.delete(sleeper);
    }
  }

  /** One round of a lane; returns how long to rest. What cannot be retried stops the lane. */
  async #round(channel: string): Promise<number> {
    try {
      const {nextDueAt} = await this.runDue(channel);
      return nextDueAt === null ? NOTIFY_LIMITS.pollMs : Math.min(NOTIFY_LIMITS.pollMs, Math.max(1, nextDueAt - this.#clock.now()));
    } catch (error) {
      if (!(error instanceof AssayError) || error.kind !== 'retry') throw error;
      this.#logger.warn('outbox round failed', {channel, code: error.code, error: messageOf(error)});
      return NOTIFY_LIMITS.pollMs;
    }
  }

  #wake(): void {
    for (const sleeper of this.#sleepers) sleeper.abort();
  }
}

function messageOfRows({digesting}: Channel, [first, ...others]: readonly [DeliveryRow, ...DeliveryRow[]]): OutboundMessage {
  const messageOf = (row: DeliveryRow): OutboundMessage => ({deliveryId: row.delivery_id, body: row.body, contentType: row.content_type});
  return digesting === undefined || others.length === 0 ? messageOf(first) : digesting.combine([first, ...others].map(messageOf));
}
