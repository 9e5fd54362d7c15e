import type {KafkaMessage} from 'kafkajs';
import {epochMs} from '../../core/units.ts';
import type {ConsumerEvent, LogRecord} from '../event-log.ts';
import {unreadableOf} from './fetched-batches.ts';

export type Fetched = Extract<ConsumerEvent, {type: 'batch' | 'unreadable'}>;

const NO_VALUE = new Uint8Array(0);
const NO_HEADERS: Readonly<Record<string, string>> = Object.freeze({});

/** Messages in offset order, as batches with the unreadable ranges between them. */
export function toEvents(partition: number, messages: readonly KafkaMessage[]): Fetched[] {
  const events: Fetched[] = [];
  let records: LogRecord[] = [];
  const closeBatch = (): void => {
    if (records.length > 0) events.push({type: 'batch', partition, records});
    records = [];
  };
  for (const message of messages) {
    const unreadable = unreadableOf(message);
    if (unreadable === undefined) {
      records.push(toRecord(partition, message));
      continue;
    }
    closeBatch();
    events.push({
      type: 'unreadable',
      partition,
      ...unreadable,
      timestamp: epochMs(Number(message.timestamp)),
    });
  }
  closeBatch();
  return events;
}

export const bytesOf = (event: Fetched): number =>
  event.type === 'batch' ? event.records.reduce((sum, record) => sum + record.value.length, 0) : 0;

function toRecord(partition: number, {offset, timestamp, key, value, headers}: KafkaMessage): LogRecord {
  return {
    partition,
    offset: BigInt(offset),
    timestamp: epochMs(Number(timestamp)),
    key: key === null ? null : key.toString('utf8'),
    value: value ?? NO_VALUE,
    headers: headers === undefined ? NO_HEADERS : toHeaders(headers),
  };
}

/** A header that comes several times keeps its last value; one without a value is empty. */
function toHeaders(headers: NonNullable<KafkaMessage['headers']>): Readonly<Record<string, string>> {
  const entries = Object.entries(headers);
  if (entries.length === 0) return NO_HEADERS;
  return Object.fromEntries(
    entries.map(([name, value]) => {
      const last = Array.isArray(value) ? value.at(-1) : value;
      return [name, last?.toString('utf8') ?? ''];
    }),
  );
}
