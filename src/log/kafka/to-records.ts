import type {KafkaMessage} from 'kafkajs';
import {messageOf} from '../../core/errors.ts';
import {epochMs} from '../../core/units.ts';
import type {ConsumerEvent, LogRecord} from '../event-log.ts';
import {type Unreadable, unreadableOf, wholeBatchOf} from './fetched-batches.ts';
import {readRecords} from './record-batch.ts';

export type Fetched = Extract<ConsumerEvent, {type: 'batch' | 'unreadable'}>;

const NO_VALUE = new Uint8Array(0);
const NO_HEADERS: Readonly<Record<string, string>> = Object.freeze({});

/** Messages in offset order, as batches with the unreadable ranges between them; nothing below `fromOffset`. */
export function toEvents(partition: number, messages: readonly KafkaMessage[], fromOffset: bigint): Fetched[] {
  const events: Fetched[] = [];
  let records: LogRecord[] = [];
  const closeBatch = (): void => {
    if (records.length > 0) events.push({type: 'batch', partition, records});
    records = [];
  };
  for (const message of messages) {
    const found = recordsOf(partition, message, fromOffset);
    if (Array.isArray(found)) {
      records = records.length === 0 ? found : records.concat(found);
      continue;
    }
    closeBatch();
    events.push({type: 'unreadable', partition, ...found, timestamp: epochMs(Number(message.timestamp))});
  }
  closeBatch();
  return events;
}

/** The records that a message is or stands for; a range when they cannot be read. */
function recordsOf(partition: number, message: KafkaMessage, fromOffset: bigint): LogRecord[] | Unreadable {
  const unreadable = unreadableOf(message);
  if (unreadable !== undefined) return unreadable;
  const whole = wholeBatchOf(message);
  if (whole === undefined) return [toRecord(partition, message)];
  const {header} = whole;
  try {
    const records = readRecords(partition, header, whole.records);
    // A fetch begins with the batch that holds its offset, wherever in it that lies.
    return header.baseOffset >= fromOffset ? records : records.filter(({offset}) => offset >= fromOffset);
  } catch (error) {
    return {firstOffset: header.baseOffset, lastOffset: header.lastOffset, reason: messageOf(error)};
  }
}

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
