import type {DeadLetterRow} from '../core/facts.ts';
import type {NewRecord} from '../log/event-log.ts';
import {WORKER_LIMITS} from './worker-limits.ts';

/** Dead letters as records of the dead-letter topic: the raw bytes, and in the headers where they lay and why. */
export function toDeadLetterRecord(stream: string, row: DeadLetterRow): NewRecord {
  const isTooLarge = row.value.byteLength > WORKER_LIMITS.deadLetterTopicBytesMax;
  return {
    key: row.key ?? `${stream}/${row.partition}`,
    value: isTooLarge ? new Uint8Array(0) : row.value,
    headers: {
      stream,
      partition: String(row.partition),
      offset: String(row.offset),
      last_offset: String(row.lastOffset),
      code: row.code,
      ...(isTooLarge ? {bytes_left_out: String(row.value.byteLength)} : {}),
    },
  };
}
