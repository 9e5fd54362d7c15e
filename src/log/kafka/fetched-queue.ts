import type {KafkaMessage} from 'kafkajs';
import {wholeBatchOf} from './fetched-batches.ts';
import {type Fetched, toEvents} from './to-records.ts';

/** Messages of one fetch of one partition, as the library hands them over. */
export type FetchedMessages = {readonly partition: number; readonly messages: readonly KafkaMessage[]; readonly fromOffset: bigint};

/**
 * What was fetched and not yet pulled, in order. Batches wait as the bytes they came
 * in and become records when they are taken: objects that wait outlive the young
 * generation, and moving them out of it costs more than reading them.
 */
export class FetchedQueue {
  readonly #recordsMax: number;
  #waiting: (FetchedMessages & {readonly bytes: number})[] = [];
  /** Of the first that waits: messages already taken. */
  #messagesTaken = 0;
  /** Read and cut off: handed out before anything else. */
  #ready: Fetched[] = [];
  #bytes = 0;

  constructor(recordsMax: number) {
    this.#recordsMax = recordsMax;
  }

  /** Of values that wait, with the little that lies between them. */
  get bytes(): number {
    return this.#bytes;
  }

  put(fetched: FetchedMessages): void {
    const bytes = fetched.messages.reduce((sum, message) => sum + bytesOf(message), 0);
    this.#waiting.push({...fetched, bytes});
    this.#bytes += bytes;
  }

  take(): Fetched | undefined {
    while (this.#ready.length === 0 && this.#waiting.length > 0) this.#readSome();
    const event = this.#ready[0];
    if (event === undefined) return undefined;
    if (event.type !== 'batch' || event.records.length <= this.#recordsMax) return this.#ready.shift();
    const {partition, records} = event;
    this.#ready[0] = {type: 'batch', partition, records: records.slice(this.#recordsMax)};
    return {type: 'batch', partition, records: records.slice(0, this.#recordsMax)};
  }

  clear(): void {
    this.#waiting = [];
    this.#messagesTaken = 0;
    this.#ready = [];
    this.#bytes = 0;
  }

  /** Reads messages of the first fetch until they make a full batch, or all of them. */
  #readSome(): void {
    const first = this.#waiting[0];
    if (first === undefined) return;
    const {partition, messages, fromOffset} = first;
    const start = this.#messagesTaken;
    let end = start;
    for (let records = 0; end < messages.length && records < this.#recordsMax; end++) {
      const message = messages[end] as KafkaMessage;
      records += wholeBatchOf(message)?.header.records ?? 1;
      this.#bytes -= bytesOf(message);
    }
    this.#ready = toEvents(partition, messages.slice(start, end), fromOffset);
    this.#messagesTaken = end;
    if (end < messages.length) return;
    this.#waiting.shift();
    this.#messagesTaken = 0;
  }
}

const bytesOf = (message: KafkaMessage): number =>
  wholeBatchOf(message)?.records.length ?? message.value?.length ?? 0;
