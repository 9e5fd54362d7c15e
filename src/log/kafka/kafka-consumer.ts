import kafkajs, {type Batch, type Consumer, type ConsumerGroupJoinEvent, type EachBatchPayload, type InstrumentationEvent} from 'kafkajs';
import type {Clock} from '../../core/clock.ts';
import {AssayError, messageOf} from '../../core/errors.ts';
import type {ConsumerEvent, ConsumerOptions, LogConsumer, PartitionOffsets} from '../event-log.ts';
import type {GapReporter} from '../gap.ts';
import {Wakeup} from '../local/wakeup.ts';
import {unreadableOf, wholeBatchOf} from './fetched-batches.ts';
import {FetchedQueue} from './fetched-queue.ts';
import {bounded, kafkaTypeOf, toAssayError} from './kafka-errors.ts';
import {KAFKA_LIMITS} from './kafka-options.ts';
import {type GroupCommit, isStale} from './kafka-topics.ts';
import {noteOf} from './topic-epochs.ts';

export type KafkaConsumerParts = {
  readonly consumer: Consumer;
  readonly options: ConsumerOptions;
  readonly clock: Clock;
  readonly onGap: GapReporter;
  /** The facts an assignment begins with, asked anew each time. */
  readonly loadOffsets: () => Promise<GroupOffsets>;
  /** What tells the topic from a later one of its name; undefined when it was made by hand. */
  readonly loadMark: () => Promise<number | undefined>;
  /** Ends of the topic's partitions, for when nothing is fetched that would tell them. */
  readonly loadEnds: () => Promise<readonly PartitionOffsets[]>;
  readonly onClose: () => void;
};

export type GroupOffsets = {
  readonly mark: number | undefined;
  readonly logEpoch: number;
  readonly offsets: readonly PartitionOffsets[];
  readonly commits: readonly GroupCommit[];
};

/**
 * A group member on Kafka.
 *
 * kafkajs pushes (`eachBatch`), the port pulls (`next`); between them lies a
 * queue. eachBatch only fills it and returns, so heartbeats go on however slow
 * the loop is; over `bufferBytesMax` the partitions are paused, below half of it
 * resumed.
 *
 *     joining ── GROUP_JOIN ─► loading offsets ─► assigned ── REBALANCING or GROUP_JOIN ─► joining
 *        any ── the topic was made again ─► dead
 *        any ── CRASH while the coordinator loads, for at most `coordinatorLoadMs` ─► joining (kafkajs begins again)
 *        any ── any other CRASH ─► dead: next rejects with ASSAY_LOG_FENCED (no restart by kafkajs)
 */
export class KafkaConsumer implements LogConsumer {
  readonly #parts: KafkaConsumerParts;
  readonly #queue: FetchedQueue;
  readonly #wakeup = new Wakeup();
  readonly #paused = new Set<number>();
  readonly #ends = new Map<number, bigint>();
  #endsAskedAt = Number.NEGATIVE_INFINITY;
  #control: ConsumerEvent[] = [];
  /** Counts assignments; what belongs to an older one is stale. */
  #generation = 0;
  #assigned: readonly number[] = [];
  #seen: readonly number[] = [];
  /** Next offset kafkajs should hand over, per partition. */
  readonly #expected = new Map<number, bigint>();
  /** Next offset after what this assignment was handed, per partition; `#expected` may know of more from an earlier one. */
  readonly #passed = new Map<number, bigint>();
  #logEpoch = 0;
  #mark: number | undefined;
  #isLoaded: Promise<void> = Promise.resolve();
  #isThrottled = false;
  #failure: AssayError | undefined;
  #isClosed = false;
  /** Since when the coordinator has been answering that it loads. */
  #loadingSince: number | undefined;

  constructor(parts: KafkaConsumerParts) {
    this.#parts = parts;
    this.#queue = new FetchedQueue(parts.options.batchRecordsMax);
    const {consumer} = parts;
    const {GROUP_JOIN, REBALANCING, CRASH, END_BATCH_PROCESS} = consumer.events;
    consumer.on(GROUP_JOIN, event => this.#onJoin(event));
    consumer.on(REBALANCING, () => this.#revoke());
    consumer.on(CRASH, ({payload}) => (payload.restart ? this.#revoke() : this.#fail(payload.error)));
    // Batches of nothing but control or aborted records never reach eachBatch.
    consumer.on(END_BATCH_PROCESS, ({payload}) => this.#onPassed(payload.partition, payload.lastOffset));
  }

  /** Begins to join; the assignment arrives as an event. */
  async start(): Promise<void> {
    const {consumer, options} = this.#parts;
    await consumer.connect();
    await consumer.subscribe({topics: [options.topic], fromBeginning: true});
    consumer
      .run({autoCommit: false, eachBatch: payload => this.#onBatch(payload)})
      .catch(error => this.#fail(error));
  }

  async next(timeoutMs: number): Promise<ConsumerEvent | undefined> {
    const {clock} = this.#parts;
    const deadline = clock.now() + timeoutMs;
    for (;;) {
      if (this.#isClosed) return undefined;
      if (this.#failure !== undefined) throw this.#failure;
      const seen = this.#wakeup.version;
      const event = this.#takeControl() ?? this.#queue.take();
      this.#unthrottle();
      if (event !== undefined) return event;
      const leftMs = deadline - clock.now();
      if (leftMs <= 0) return undefined;
      await this.#wakeup.waitFor(seen, leftMs, clock);
    }
  }

  async confirm(logEpoch: number): Promise<void> {
    const {loadMark, options} = this.#parts;
    // While leaders move, brokers may not know a topic that is there, or not answer: only another mark is proof.
    const mark = await loadMark().catch(() => logEpoch);
    // Topics made by hand cannot be told apart but by their offsets.
    if (mark === logEpoch || (mark === undefined && this.#mark === undefined)) return;
    const failure = fenced(`topic ${options.topic} was made again while group ${options.group} read it`);
    this.#fail(failure);
    throw failure;
  }

  async commit(offsets: readonly {readonly partition: number; readonly offset: bigint}[]): Promise<void> {
    const {consumer, clock, options} = this.#parts;
    const {topic, group} = options;
    const generation = this.#generation;
    const what = `cannot commit offsets of group ${group} on topic ${topic}`;
    const stale = offsets.find(({partition}) => !this.#seen.includes(partition));
    const isCurrent = (): boolean =>
      this.#control.length === 0 &&
      generation === this.#generation &&
      this.#failure === undefined &&
      !this.#isClosed;
    if (stale !== undefined || !isCurrent())
      throw fenced(`${what}: the partitions are not assigned any more`);
    if (offsets.length === 0) return;
    const positions = offsets.map(({partition, offset}) => ({topic, partition, offset: `${offset}`, metadata: noteOf(this.#logEpoch)}));
    await bounded(what, () => consumer.commitOffsets(positions), {clock, ms: KAFKA_LIMITS.requestTimeoutMs});
    // kafkajs tries again under a newer generation, and keeps quiet when it has stopped.
    if (!isCurrent()) throw fenced(`${what}: the group rebalanced meanwhile`);
  }

  pause(partitions: readonly number[]): void {
    for (const partition of partitions) this.#paused.add(partition);
    this.#pauseFetching(partitions);
  }

  resume(partitions: readonly number[]): void {
    for (const partition of partitions) this.#paused.delete(partition);
    if (!this.#isThrottled) this.#resumeFetching(partitions);
  }

  endOffsets(): ReadonlyMap<number, bigint> {
    this.#refreshEnds();
    return new Map(this.#assigned.map(partition => [partition, this.#ends.get(partition) ?? 0n]));
  }

  /** A paused partition is not fetched, and its lag must not stand still meanwhile. */
  #refreshEnds(): void {
    const {clock, loadEnds} = this.#parts;
    const now = clock.now();
    const isFetching = !this.#isThrottled && this.#paused.size === 0;
    if (isFetching || this.#isClosed || now - this.#endsAskedAt < KAFKA_LIMITS.endsEveryMs) return;
    this.#endsAskedAt = now;
    const generation = this.#generation;
    loadEnds().then(
      offsets => {
        if (generation !== this.#generation) return;
        for (const partition of this.#assigned) this.#ends.set(partition, offsets[partition]?.end ?? this.#ends.get(partition) ?? 0n);
      },
      // The next round asks again; a broker that is away shows in the fetches.
      () => undefined,
    );
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#generation++;
    this.#queue.clear();
    this.#wakeup.signal();
    const {consumer, clock, onClose} = this.#parts;
    onClose();
    const limit = {clock, ms: KAFKA_LIMITS.closeTimeoutMs};
    // With the broker away there is nobody to say goodbye to; the session will run out.
    await bounded('cannot leave the group', () => consumer.disconnect(), limit).catch(() => undefined);
  }

  /**
   * Whether kafkajs shall begin again after a crash. A coordinator that just took
   * over reads its partition first, for as long as that takes: a new consumer
   * would only wait for the same.
   */
  shouldRestart(error: unknown): boolean {
    if (kafkaTypeOf(error) !== 'GROUP_LOAD_IN_PROGRESS' || this.#isClosed || this.#failure !== undefined) return false;
    const now = this.#parts.clock.now();
    this.#loadingSince ??= now;
    return now - this.#loadingSince <= KAFKA_LIMITS.coordinatorLoadMs;
  }

  #onJoin({payload}: ConsumerGroupJoinEvent | InstrumentationEvent<ConsumerGroupJoinEvent['payload']>): void {
    this.#loadingSince = undefined;
    this.#revoke();
    const partitions = payload.memberAssignment[this.#parts.options.topic] ?? [];
    const generation = this.#generation;
    this.#assigned = [...partitions].sort((a, b) => a - b);
    this.#resumeFetching(this.#assigned);
    this.#isLoaded = this.#load(generation).catch(error => this.#fail(error));
  }

  /** At once, before kafkajs joins again: nothing of the old assignment is delivered or committed from here on. */
  #revoke(): void {
    this.#generation++;
    this.#queue.clear();
    this.#isThrottled = false;
    this.#resumeFetching([...this.#paused]);
    this.#paused.clear();
    this.#assigned = [];
    this.#control = this.#seen.length > 0 ? [{type: 'revoked', partitions: this.#seen}] : [];
    this.#wakeup.signal();
  }

  /** Where each partition begins: the committed offset, or the log's start when that is not there. */
  async #load(generation: number): Promise<void> {
    const {options, onGap, loadOffsets} = this.#parts;
    const {mark, logEpoch, offsets, commits} = await loadOffsets();
    if (generation !== this.#generation) return;
    this.#mark = mark;
    this.#logEpoch = logEpoch;
    const own = commits.filter(({partition}) => this.#assigned.includes(partition));
    await this.#replaceStale(own.filter(commit => isStale(commit, logEpoch)), offsets);
    const committed = new Map(own.map(({partition, offset}) => [partition, offset]));
    if (generation !== this.#generation) return;
    this.#expected.clear();
    this.#passed.clear();
    const partitions = this.#assigned.map(partition => {
      const {start, end} = offsets[partition] ?? {start: 0n, end: 0n};
      const wanted = committed.get(partition) ?? start;
      const isThere = wanted >= start && wanted <= end;
      if (!isThere) onGap({topic: options.topic, partition, expected: wanted, actual: start});
      const startOffset = isThere ? wanted : start;
      this.#expected.set(partition, startOffset);
      this.#ends.set(partition, end);
      return {partition, startOffset};
    });
    this.#control.push({type: 'assigned', logEpoch, partitions});
    this.#wakeup.signal();
  }

  /** kafkajs begins where the group committed; when that was in an earlier topic of this name, records would be passed over. */
  async #replaceStale(stale: readonly GroupCommit[], offsets: readonly PartitionOffsets[]): Promise<void> {
    const {consumer, clock, options} = this.#parts;
    if (stale.length === 0) return;
    const metadata = noteOf(this.#logEpoch);
    const starts = stale.map(({partition}) => ({topic: options.topic, partition, offset: `${offsets[partition]?.start ?? 0n}`, metadata}));
    await bounded(`cannot replace the commits of group ${options.group}`, () => consumer.commitOffsets(starts), {clock, ms: KAFKA_LIMITS.requestTimeoutMs});
    throw fenced(`topic ${options.topic} was made again after the last commit of group ${options.group}; it is read from its start`);
  }

  async #onBatch({batch}: EachBatchPayload): Promise<void> {
    const generation = this.#generation;
    await this.#isLoaded;
    const {partition} = batch;
    if (generation !== this.#generation || !this.#assigned.includes(partition)) return;
    const fromOffset = fetchedOffsetOf(batch);
    // kafkajs goes to the start when its offset is beyond the end: these are records of another topic of this name.
    if (fromOffset < (this.#passed.get(partition) ?? fromOffset)) return this.#fail(fenced(`topic ${batch.topic} is shorter than what was read of it: it was made again`));
    this.#passed.set(partition, BigInt(batch.lastOffset()) + 1n);
    this.#checkFirst(partition, firstOffsetOf(batch, fromOffset));
    this.#onPassed(partition, batch.lastOffset());
    this.#ends.set(partition, BigInt(batch.highWatermark));
    this.#queue.put({partition, messages: batch.messages, fromOffset});
    if (this.#queue.bytes > this.#parts.options.bufferBytesMax && !this.#isThrottled) {
      this.#isThrottled = true;
      this.#pauseFetching(this.#assigned);
    }
    this.#wakeup.signal();
  }

  /** Holes inside a fetch are control or aborted records; one before its first record is a loss. */
  #checkFirst(partition: number, first: bigint | undefined): void {
    const expected = this.#expected.get(partition);
    if (first === undefined || expected === undefined || first <= expected) return;
    this.#parts.onGap({topic: this.#parts.options.topic, partition, expected, actual: first});
  }

  #onPassed(partition: number, last: string): void {
    const next = BigInt(last) + 1n;
    if (next > (this.#expected.get(partition) ?? next)) this.#expected.set(partition, next);
  }

  #takeControl(): ConsumerEvent | undefined {
    const event = this.#control.shift();
    if (event?.type === 'revoked') this.#seen = [];
    if (event?.type === 'assigned') this.#seen = event.partitions.map(p => p.partition);
    return event;
  }

  #unthrottle(): void {
    if (!this.#isThrottled || this.#queue.bytes > this.#parts.options.bufferBytesMax / 2) return;
    this.#isThrottled = false;
    this.#resumeFetching(this.#assigned.filter(partition => !this.#paused.has(partition)));
  }

  #pauseFetching(partitions: readonly number[]): void {
    this.#steer('pause', partitions);
  }

  #resumeFetching(partitions: readonly number[]): void {
    this.#steer('resume', partitions);
  }

  /** From a crash until it joins again kafkajs has no group: it fetches nothing, and throws when it is told to fetch more or less. */
  #steer(act: 'pause' | 'resume', partitions: readonly number[]): void {
    if (partitions.length === 0) return;
    const {consumer, options} = this.#parts;
    try {
      consumer[act]([{topic: options.topic, partitions: [...partitions]}]);
    } catch (error) {
      if (!(error instanceof kafkajs.KafkaJSNonRetriableError)) throw error;
    }
  }

  #fail(error: unknown): void {
    const {topic, group} = this.#parts.options;
    const {code, message} = toAssayError(`the consumer of ${topic} in group ${group} ended`, error);
    // A wrong password stays one; everything else is healed by a new consumer.
    this.#failure ??=
      code === 'ASSAY_CONFIG_INVALID'
        ? new AssayError(code, message, {cause: error})
        : fenced(message, error);
    this.#revoke();
  }
}

/** kafkajs counts control records too; what stands for a batch or an unreadable range stands at its end. */
function firstOffsetOf(batch: Batch, fromOffset: bigint): bigint | undefined {
  const first = batch.firstOffset();
  const [message] = batch.messages;
  if (first === null || message === undefined || message.offset !== first) return first === null ? undefined : BigInt(first);
  const unreadable = unreadableOf(message);
  if (unreadable !== undefined) return unreadable.firstOffset;
  const header = wholeBatchOf(message)?.header;
  if (header === undefined) return BigInt(first);
  return header.baseOffset > fromOffset ? header.baseOffset : fromOffset;
}

/** What was asked for; kafkajs' types leave it out. */
const fetchedOffsetOf = (batch: Batch): bigint => BigInt((batch as Batch & {readonly fetchedOffset: string}).fetchedOffset);

const fenced = (message: string, cause?: unknown): AssayError =>
  new AssayError('ASSAY_LOG_FENCED', messageOf(message), cause === undefined ? undefined : {cause});
