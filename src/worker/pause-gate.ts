import type {LogConsumer} from '../log/event-log.ts';

/**
 * Which partitions are paused, and why: all of them while the buffer is full or the
 * sink refuses (backpressure), one of them until it is seeded. The consumer goes on
 * being polled, so the group sees it alive.
 */
export class PauseGate {
  readonly #consumer: LogConsumer;
  readonly #paused = new Set<number>();

  constructor(consumer: LogConsumer) {
    this.#consumer = consumer;
  }

  /** Makes `wanted` the paused ones among `assigned`. */
  set(assigned: Iterable<number>, wanted: (partition: number) => boolean): void {
    const toPause: number[] = [];
    const toResume: number[] = [];
    for (const partition of assigned) {
      const isPaused = this.#paused.has(partition);
      if (wanted(partition) === isPaused) continue;
      if (isPaused) toResume.push(partition);
      else toPause.push(partition);
    }
    for (const partition of toPause) this.#paused.add(partition);
    for (const partition of toResume) this.#paused.delete(partition);
    if (toPause.length > 0) this.#consumer.pause(toPause);
    if (toResume.length > 0) this.#consumer.resume(toResume);
  }

  /** A new assignment starts unpaused. */
  forget(partitions: readonly number[]): void {
    for (const partition of partitions) this.#paused.delete(partition);
  }
}
