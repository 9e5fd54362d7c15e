import type {Clock} from '../../core/clock.ts';
import {AssayError} from '../../core/errors.ts';
import type {ConsumerEvent, ConsumerOptions, LogConsumer} from '../event-log.ts';
import type {GapReporter} from '../gap.ts';
import type {LogStore} from './log-store.ts';
import {Wakeup} from './wakeup.ts';

export type Assignment = {
  readonly logEpoch: number;
  readonly partitions: readonly {readonly partition: number; readonly startOffset: bigint}[];
};

export type LocalConsumerParts = {
  readonly options: ConsumerOptions;
  readonly store: LogStore;
  readonly clock: Clock;
  readonly onGap: GapReporter;
  /** Leaves the group. */
  readonly onClose: (consumer: LocalConsumer) => void;
};

/**
 * A group member inside this process. It holds no records: each `next` reads
 * what is due from the store, partitions in turn.
 *
 * Control events (`revoked`, `assigned`) go before batches. From the moment the
 * group reassigns, a commit is refused until the loop has seen the new assignment.
 */
export class LocalConsumer implements LogConsumer {
  readonly #parts: LocalConsumerParts;
  readonly #wakeup = new Wakeup();
  readonly #paused = new Set<number>();
  #control: ConsumerEvent[] = [];
  /** Partitions of the assignment the loop has been told of. */
  #seen: readonly number[] = [];
  /** Next offset per assigned partition; replaced as a whole by each assignment. */
  #positions = new Map<number, bigint>();
  #turn = 0;
  #failure: AssayError | undefined;
  #isClosed = false;

  constructor(parts: LocalConsumerParts) {
    this.#parts = parts;
  }

  /** By the group: takes the old assignment away and gives this one. */
  reassign(assignment: Assignment): void {
    this.#control = [];
    if (this.#seen.length > 0) this.#control.push({type: 'revoked', partitions: this.#seen});
    this.#control.push({type: 'assigned', ...assignment});
    this.#positions = new Map(assignment.partitions.map(p => [p.partition, p.startOffset]));
    this.#paused.clear();
    this.#wakeup.signal();
  }

  /** By the group: this member is dead, as after a missed heartbeat. */
  fence(reason: string): void {
    this.#failure ??= new AssayError('ASSAY_LOG_FENCED', reason);
    this.#positions = new Map();
    this.#wakeup.signal();
  }

  wake(): void {
    this.#wakeup.signal();
  }

  async next(timeoutMs: number): Promise<ConsumerEvent | undefined> {
    const {clock} = this.#parts;
    const deadline = clock.now() + timeoutMs;
    for (;;) {
      if (this.#isClosed) return undefined;
      if (this.#failure !== undefined) throw this.#failure;
      const seen = this.#wakeup.version;
      const event = this.#takeControl() ?? (await this.#fetch());
      if (event !== undefined) return event;
      if (this.#wakeup.version !== seen) continue;
      const leftMs = deadline - clock.now();
      if (leftMs <= 0) return undefined;
      await this.#wakeup.waitFor(seen, leftMs, clock);
    }
  }

  /** Local topics are never deleted. */
  confirm(): Promise<void> {
    return Promise.resolve();
  }

  async commit(offsets: readonly {readonly partition: number; readonly offset: bigint}[]): Promise<void> {
    const {options, store} = this.#parts;
    const stale = offsets.find(({partition}) => !this.#positions.has(partition));
    if (stale !== undefined || this.#control.length > 0 || this.#failure !== undefined || this.#isClosed) {
      const partition = stale?.partition ?? offsets[0]?.partition;
      throw new AssayError(
        'ASSAY_LOG_FENCED',
        `partition ${partition} of ${options.topic} is not assigned to this member of ${options.group} any more`,
      );
    }
    if (offsets.length > 0) await store.commit({topic: options.topic, group: options.group, offsets});
  }

  pause(partitions: readonly number[]): void {
    for (const partition of partitions) this.#paused.add(partition);
  }

  resume(partitions: readonly number[]): void {
    for (const partition of partitions) this.#paused.delete(partition);
    this.#wakeup.signal();
  }

  endOffsets(): ReadonlyMap<number, bigint> {
    const {store, options} = this.#parts;
    return new Map([...this.#positions.keys()].map(p => [p, store.end(options.topic, p)]));
  }

  close(): Promise<void> {
    if (!this.#isClosed) {
      this.#isClosed = true;
      this.#control = [];
      this.#positions = new Map();
      this.#parts.onClose(this);
      this.#wakeup.signal();
    }
    return Promise.resolve();
  }

  #takeControl(): ConsumerEvent | undefined {
    const event = this.#control.shift();
    if (event?.type === 'revoked') this.#seen = [];
    if (event?.type === 'assigned') this.#seen = event.partitions.map(p => p.partition);
    return event;
  }

  /** One batch of the first partition, from the one whose turn it is, that has any. */
  async #fetch(): Promise<ConsumerEvent | undefined> {
    const positions = this.#positions;
    const partitions = [...positions.keys()];
    for (let i = 0; i < partitions.length; i++) {
      const partition = partitions[(this.#turn + i) % partitions.length] ?? 0;
      if (this.#paused.has(partition)) continue;
      const event = await this.#fetchFrom(partition, positions);
      // A reassignment while reading makes what was read stale.
      if (positions !== this.#positions) return undefined;
      if (event === undefined) continue;
      this.#turn = (this.#turn + i + 1) % partitions.length;
      return event;
    }
    return undefined;
  }

  async #fetchFrom(partition: number, positions: Map<number, bigint>): Promise<ConsumerEvent | undefined> {
    const {options, store, onGap} = this.#parts;
    const {topic} = options;
    let from = positions.get(partition) ?? 0n;
    const start = store.start(topic, partition);
    if (from < start) {
      onGap({topic, partition, expected: from, actual: start});
      from = start;
      positions.set(partition, start);
    }
    if (from >= store.end(topic, partition)) return undefined;
    const {batchRecordsMax: recordsMax, bufferBytesMax: bytesMax} = options;
    const chunk = await store.read({topic, partition, from, recordsMax, bytesMax});
    if (chunk === undefined || positions !== this.#positions) return undefined;
    if (chunk.type === 'unreadable') {
      positions.set(partition, chunk.lastOffset + 1n);
      return {...chunk, partition};
    }
    positions.set(partition, from + BigInt(chunk.records.length));
    return {type: 'batch', partition, records: chunk.records};
  }
}
