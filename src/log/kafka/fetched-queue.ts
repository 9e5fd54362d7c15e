import {bytesOf, type Fetched} from './to-records.ts';

/** What was fetched and not yet pulled, in order, cut into batches when it is taken. */
export class FetchedQueue {
  readonly #recordsMax: number;
  #events: Fetched[] = [];
  /** Records of the first event already taken. */
  #taken = 0;
  #bytes = 0;

  constructor(recordsMax: number) {
    this.#recordsMax = recordsMax;
  }

  /** Of values that wait. */
  get bytes(): number {
    return this.#bytes;
  }

  put(event: Fetched): void {
    this.#events.push(event);
    this.#bytes += bytesOf(event);
  }

  take(): Fetched | undefined {
    const event = this.#events[0];
    if (event?.type !== 'batch') return this.#events.shift();
    const {partition} = event;
    const records = event.records.slice(this.#taken, this.#taken + this.#recordsMax);
    this.#taken += records.length;
    const batch: Fetched = {type: 'batch', partition, records};
    this.#bytes -= bytesOf(batch);
    if (this.#taken >= event.records.length) {
      this.#events.shift();
      this.#taken = 0;
    }
    return batch;
  }

  clear(): void {
    this.#events = [];
    this.#taken = 0;
    this.#bytes = 0;
  }
}
