import type {Event} from '../core/events.ts';
import {LIMITS} from '../core/limits.ts';
import {LIVE_TOPIC} from '../core/streams.ts';
import type {EventLog, NewRecord} from '../log/event-log.ts';
import type {QueuedEvent, SendResult, Transport} from './transport.ts';

/** A log and how its events are written. */
export type OpenedLog = {
  readonly log: EventLog;
  readonly encode: (event: Event) => Uint8Array;
  /** Closes the log, unless somebody else opened it. */
  close(): Promise<void>;
};

export type LogTransportOptions = {
  /** Asked again after a failure: a log that is away at the start is no error. */
  readonly open: () => Promise<OpenedLog>;
  readonly topic?: string;
};

/** Straight into the event log, Kafka or the one of this process: Avro, keyed by unit, context in the headers. */
export class LogTransport implements Transport {
  readonly #options: LogTransportOptions;
  #opened: OpenedLog | undefined;

  constructor(options: LogTransportOptions) {
    this.#options = options;
  }

  async send(batch: readonly QueuedEvent[]): Promise<SendResult> {
    const {topic = LIVE_TOPIC, open} = this.#options;
    this.#opened ??= await open();
    const {log, encode} = this.#opened;
    const records: NewRecord[] = [];
    for (const {event, headers} of batch) {
      const value = encode(event);
      if (value.length <= LIMITS.eventBytesMax) records.push({key: event.unitId, value, headers});
    }
    if (records.length > 0) await log.append(topic, records);
    const refused = batch.length - records.length;
    return {refused, ...(refused === 0 ? {} : {reason: `an event takes more than ${LIMITS.eventBytesMax} bytes; leave texts out`})};
  }

  async close(): Promise<void> {
    await this.#opened?.close();
  }
}
