import type {QueuedEvent} from './transport.ts';

/** First in, first out, bounded; a ring, so that a full one costs no more than an empty one. */
export class EventQueue {
  readonly #slots: (QueuedEvent | undefined)[];
  #head = 0;
  #length = 0;

  constructor(max: number) {
    this.#slots = new Array(max);
  }

  get length(): number {
    return this.#length;
  }

  get max(): number {
    return this.#slots.length;
  }

  /** False when it is full; the event is then not in it. */
  push(event: QueuedEvent): boolean {
    if (this.#length === this.#slots.length) return false;
    this.#slots[(this.#head + this.#length) % this.#slots.length] = event;
    this.#length += 1;
    return true;
  }

  take(max: number): QueuedEvent[] {
    const taken: QueuedEvent[] = [];
    while (taken.length < max && this.#length > 0) {
      const event = this.#slots[this.#head];
      this.#slots[this.#head] = undefined;
      this.#head = (this.#head + 1) % this.#slots.length;
      this.#length -= 1;
      if (event !== undefined) taken.push(event);
    }
    return taken;
  }
}
