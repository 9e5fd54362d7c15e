import type {Clock} from '../../core/clock.ts';
import {AssayError, type ErrorCode} from '../../core/errors.ts';
import type {Rng} from '../../core/rng.ts';
import type {EventLog, LogConsumer} from '../../log/event-log.ts';
import type {Warehouse} from '../../warehouse/warehouse.ts';
import type {FaultRates} from './fault-rates.ts';

export type SimProcessParts = {
  readonly log: EventLog;
  readonly warehouse: Warehouse;
  readonly clock: Clock;
  readonly rng: Rng;
  /** Asked at each step: the weather changes. */
  readonly faults: () => FaultRates;
  readonly onCommitted: () => Promise<void>;
  readonly wrapConsumer?: (consumer: LogConsumer) => LogConsumer;
};

const never = <T>(): Promise<T> => new Promise(() => undefined);

/**
 * A process that may die at every step, before a call leaves it or before the answer
 * comes back. Its code then never runs on, while requests that had left it may still
 * arrive: the zombie's write.
 */
export class SimProcess {
  readonly #parts: SimProcessParts;
  readonly #consumers: LogConsumer[] = [];
  #isDead = false;
  #bury: () => void = () => undefined;
  readonly died = new Promise<void>(resolve => {
    this.#bury = resolve;
  });

  constructor(parts: SimProcessParts) {
    this.#parts = parts;
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  die(): void {
    this.#isDead = true;
    this.#bury();
  }

  /** The group notices, as after a session timeout. */
  async leaveGroups(): Promise<void> {
    for (const consumer of this.#consumers) await consumer.close();
  }

  clock(): Clock {
    const {clock} = this.#parts;
    return {
      now: () => clock.now(),
      sleep: async (ms, signal) => {
        await clock.sleep(ms, signal);
        if (this.#isDead) await never();
      },
    };
  }

  warehouse(): Warehouse {
    const {warehouse} = this.#parts;
    const methods: Record<string, unknown> = {};
    for (const [name, method] of Object.entries(warehouse) as [string, (...values: unknown[]) => unknown][]) {
      methods[name] =
        name === 'openOutcomes'
          ? (...values: unknown[]) => this.#stream(() => method(...values) as AsyncIterable<unknown>)
          : (...values: unknown[]) => this.#step('ASSAY_SINK_UNAVAILABLE', () => method(...values) as Promise<unknown>);
    }
    return methods as unknown as Warehouse;
  }

  log(): EventLog {
    const {log, rng, faults} = this.#parts;
    const step = <T>(work: () => Promise<T>): Promise<T> => this.#step('ASSAY_LOG_UNAVAILABLE', work);
    return {
      createTopic: spec => step(() => log.createTopic(spec)),
      describeTopic: topic => step(() => log.describeTopic(topic)),
      listTopics: () => step(() => log.listTopics()),
      append: (topic, records) =>
        step(async () => {
          const places = await log.append(topic, records);
          if (rng.next() < faults().lostAppend) throw new AssayError('ASSAY_LOG_UNAVAILABLE', 'the answer was lost');
          return places;
        }),
      openConsumer: options =>
        step(async () => {
          const consumer = await log.openConsumer(options);
          // At once: the group has to be left even when the process dies before it knows.
          this.#consumers.push(consumer);
          return this.#consumer(consumer);
        }),
      read: options => log.read(options),
      offsets: topic => step(() => log.offsets(topic)),
      committed: (topic, group) => step(() => log.committed(topic, group)),
      close: () => Promise.resolve(),
    };
  }

  #consumer(opened: LogConsumer): LogConsumer {
    const {rng, faults, onCommitted, wrapConsumer} = this.#parts;
    const inner = wrapConsumer === undefined ? opened : wrapConsumer(opened);
    return {
      next: async timeoutMs => {
        const event = await inner.next(timeoutMs);
        return this.#isDead ? never() : event;
      },
      confirm: logEpoch => this.#step('ASSAY_LOG_UNAVAILABLE', () => inner.confirm(logEpoch)),
      commit: offsets =>
        this.#step('ASSAY_LOG_UNAVAILABLE', async () => {
          const rates = faults();
          if (rng.next() < rates.failedCommit) throw new AssayError('ASSAY_LOG_UNAVAILABLE', 'the commit failed');
          if (rng.next() >= rates.lostCommit) await inner.commit(offsets);
          await onCommitted();
        }),
      pause: partitions => inner.pause(partitions),
      resume: partitions => inner.resume(partitions),
      endOffsets: () => inner.endOffsets(),
      close: () => (this.#isDead ? never() : inner.close()),
    };
  }

  async #step<T>(code: ErrorCode, work: () => Promise<T>): Promise<T> {
    const {clock, rng, faults} = this.#parts;
    this.#perhapsDie();
    if (this.#isDead) return never();
    const rates = faults();
    if (rng.next() < rates.refusal) throw new AssayError(code, 'refused');
    if (rng.next() < rates.slowness) {
      await clock.sleep(rng.next() * rates.slowMsMax);
      // On its way when the process died: it may arrive all the same.
      if (this.#isDead && rng.next() < 0.5) return never();
    }
    try {
      return await work();
    } finally {
      this.#perhapsDie();
      if (this.#isDead) await never();
    }
  }

  async *#stream(open: () => AsyncIterable<unknown>): AsyncGenerator<unknown> {
    for await (const part of open()) {
      await this.#step('ASSAY_SINK_UNAVAILABLE', () => Promise.resolve());
      yield part;
    }
  }

  #perhapsDie(): void {
    if (this.#parts.rng.next() < this.#parts.faults().crash) this.die();
  }
}
