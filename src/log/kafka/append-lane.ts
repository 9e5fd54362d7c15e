import type {Kafka, Message, Producer} from 'kafkajs';
import type {Clock} from '../../core/clock.ts';
import {AssayError} from '../../core/errors.ts';
import type {AppendedRecord, NewRecord} from '../event-log.ts';
import {bounded, toAssayError} from './kafka-errors.ts';
import {KAFKA_LIMITS} from './kafka-options.ts';

export type PlacedRecord = NewRecord & {readonly partition: number};

type Waiting = {
  readonly messages: readonly Placed[];
  readonly bytes: number;
  readonly positions: AppendedRecord[];
  readonly resolve: (appended: AppendedRecord[]) => void;
  readonly reject: (error: unknown) => void;
};
type Placed = Message & {readonly partition: number; readonly bytes: number};
/** Part of an append: which of its records go with this request. */
type Piece = {readonly waiting: Waiting; readonly from: number; readonly to: number};

export type AppendLaneOptions = {
  readonly kafka: Kafka;
  readonly topic: string;
  /** kafkajs' CompressionTypes. */
  readonly compression: number;
  readonly clock: Clock;
  readonly requestTimeoutMs: number;
};

/**
 * Sends to one topic, one request at a time, each with all that waits meanwhile.
 *
 * One at a time, and a new producer after each failure, because of the idempotent
 * producer of kafkajs: it takes a sequence number back when an answer is lost, so
 * that the next request in line, sent under the same number, is dropped by the
 * broker as a duplicate and answered as if it were stored.
 */
export class AppendLane {
  readonly #options: AppendLaneOptions;
  #producer: Promise<Producer> | undefined;
  #queue: Waiting[] = [];
  #queueBytes = 0;
  #draining: Promise<void> | undefined;

  constructor(options: AppendLaneOptions) {
    this.#options = options;
  }

  append(records: readonly PlacedRecord[]): Promise<AppendedRecord[]> {
    const {topic} = this.#options;
    const messages = records.map(toMessage);
    const bytes = messages.reduce((sum, message) => sum + message.bytes, 0);
    const large = messages.find(message => message.bytes > KAFKA_LIMITS.sendBytesMax);
    if (large !== undefined) {
      const text = `a record of ${large.bytes} bytes for topic ${topic} exceeds ${KAFKA_LIMITS.sendBytesMax}`;
      return Promise.reject(new AssayError('ASSAY_DECODE_OVERSIZED', text));
    }
    if (this.#queueBytes > 0 && this.#queueBytes + bytes > KAFKA_LIMITS.sendQueueBytesMax) {
      const text = `${this.#queueBytes} bytes wait to be sent to topic ${topic}: append less at once or retry`;
      return Promise.reject(new AssayError('ASSAY_LOG_UNAVAILABLE', text));
    }
    this.#queueBytes += bytes;
    return new Promise((resolve, reject) => {
      this.#queue.push({messages, bytes, positions: [], resolve, reject});
      this.#draining ??= this.#drain();
    });
  }

  async close(): Promise<void> {
    await this.#draining;
    await this.#dropProducer();
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0) {
      const pieces = this.#takePieces();
      try {
        await this.#send(pieces);
      } catch (error) {
        this.#fail(pieces, error);
        await this.#dropProducer();
        continue;
      }
      for (const {waiting} of pieces) {
        if (waiting.positions.length === waiting.messages.length) this.#finish(waiting);
      }
    }
    this.#draining = undefined;
  }

  /** As much of the queue, in order, as fits into one request with one batch per partition. */
  #takePieces(): Piece[] {
    const filled = new Map<number, {bytes: number; records: number}>();
    const pieces: Piece[] = [];
    for (const waiting of this.#queue) {
      const from = waiting.positions.length;
      let to = from;
      for (; to < waiting.messages.length; to++) {
        const {partition = 0, bytes = 0} = waiting.messages[to] ?? {};
        const batch = filled.get(partition) ?? {bytes: 0, records: 0};
        if (batch.bytes + bytes > KAFKA_LIMITS.sendBytesMax || batch.records === KAFKA_LIMITS.sendRecordsMax)
          break;
        filled.set(partition, {bytes: batch.bytes + bytes, records: batch.records + 1});
      }
      pieces.push({waiting, from, to});
      if (to < waiting.messages.length) break;
    }
    return pieces.filter(({from, to}) => to > from);
  }

  async #send(pieces: readonly Piece[]): Promise<void> {
    const {topic, compression, clock, requestTimeoutMs} = this.#options;
    const messages = pieces.flatMap(({waiting, from, to}) => waiting.messages.slice(from, to));
    const sent = await bounded(
      `cannot append to topic ${topic}`,
      async () => (await this.#connected()).send({topic, acks: -1, compression, messages: [...messages]}),
      {clock, ms: requestTimeoutMs},
    );
    const next = new Map(sent.map(({partition, baseOffset}) => [partition, BigInt(baseOffset ?? -1)]));
    for (const {waiting, from, to} of pieces) {
      for (const {partition} of waiting.messages.slice(from, to)) {
        const offset = next.get(partition) ?? -1n;
        if (offset < 0n)
          throw new AssayError(
            'ASSAY_LOG_UNAVAILABLE',
            `the broker gave no offset for ${topic}[${partition}]`,
          );
        waiting.positions.push({partition, offset});
        next.set(partition, offset + 1n);
      }
    }
  }

  #connected(): Promise<Producer> {
    this.#producer ??= this.#open();
    return this.#producer;
  }

  async #open(): Promise<Producer> {
    const producer = this.#options.kafka.producer({
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      retry: {retries: 6, initialRetryTime: 100, maxRetryTime: 3_000},
    });
    await producer.connect();
    return producer;
  }

  async #dropProducer(): Promise<void> {
    const producer = this.#producer;
    this.#producer = undefined;
    const opened = await producer?.catch(() => undefined);
    // May hang with the broker away; nobody needs to wait for it.
    opened?.disconnect().catch(() => undefined);
  }

  #fail(pieces: readonly Piece[], error: unknown): void {
    const failed = new Set(pieces.map(piece => piece.waiting));
    this.#queue = this.#queue.filter(waiting => !failed.has(waiting));
    for (const waiting of failed) {
      this.#queueBytes -= waiting.bytes;
      waiting.reject(toAssayError(`cannot append to topic ${this.#options.topic}`, error));
    }
  }

  #finish(waiting: Waiting): void {
    this.#queue = this.#queue.filter(other => other !== waiting);
    this.#queueBytes -= waiting.bytes;
    waiting.resolve(waiting.positions);
  }
}

/** Of one record's framing in a batch, at most. */
const RECORD_OVERHEAD_BYTES = 40;

function toMessage({key, value, partition, timestamp, headers}: PlacedRecord): Placed {
  let bytes = value.length + RECORD_OVERHEAD_BYTES + (key?.length ?? 0) * 3;
  for (const [name, text] of Object.entries(headers ?? {})) bytes += 10 + (name.length + text.length) * 3;
  return {
    key: key === null ? null : Buffer.from(key),
    value: Buffer.from(value),
    partition,
    bytes,
    ...(timestamp !== undefined && {timestamp: `${timestamp}`}),
    ...(headers !== undefined && {headers: {...headers}}),
  };
}
