import {beforeAll, describe, expect, test} from 'vitest';
import {checkEvent} from '../../src/avro/check-event.ts';
import {decodeRecord, encodeOutcome, encodeTick, glanceAt, projectOutcome} from '../../src/avro/released.ts';
import {epochMs} from '../../src/core/units.ts';
import type {LogRecord} from '../../src/log/event-log.ts';
import {type DecodeContext, type DecodedBatch, decodeBatch, decodeUnreadable} from '../../src/worker/decode-batch.ts';
import {type PartitionCursor, startCursor} from '../../src/worker/partition-cursor.ts';
import {PendingRows} from '../../src/worker/pending-rows.ts';
import {openRecordHasher} from '../../src/worker/record-hasher.ts';
import {outcome, STREAM, T0} from './worker-world.ts';

const START = {logEpoch: 1, partition: 3, startOffset: 10n};

const record = (offset: bigint, at: number, value: Uint8Array): LogRecord => ({
  partition: 3, offset, timestamp: epochMs(at), key: 'u', value, headers: {},
});

describe('decoding a batch', () => {
  let context: DecodeContext;

  const decode = (start: PartitionCursor, records: readonly LogRecord[]): DecodedBatch & {rows: PendingRows} => {
    const rows = new PendingRows(START, context);
    return {...decodeBatch(start, records, {...context, rows}), rows};
  };
  beforeAll(async () => {
    const codec = {decode: decodeRecord, check: checkEvent, glance: glanceAt, project: projectOutcome, encodeTick};
    context = {codec, hasher: await openRecordHasher(), maxAgeMs: STREAM.maxAgeMs};
  });

  test('every record gives one arrivals row; the arrival never runs backwards, whichever way the batches are cut', () => {
    const records = [T0, T0 + 500, T0 - 9_000, T0 + 100, T0 + 700].map((at, index) => {
      const value = index === 1 ? encodeTick({kind: 'tick', sentTs: T0, owner: 'x'}) : index === 3 ? Uint8Array.of(7) : encodeOutcome(outcome('u', T0));
      return record(10n + BigInt(index), at, value);
    });
    const whole = decode(startCursor(START, null), records);
    expect([...whole.rows.arrivals].map(({kind}) => kind)).toEqual(['outcome', 'tick', 'outcome', 'dead_letter', 'outcome']);
    expect([...whole.rows.arrivals].map(({arrivalTs}) => arrivalTs - T0)).toEqual([0, 500, 500, 500, 700]);
    expect(whole.cursor).toEqual({logEpoch: 1, partition: 3, nextOffset: 15n, arrivalHigh: T0 + 700});
    const first = decode(startCursor(START, null), records.slice(0, 2));
    const second = decode(startCursor({...START, startOffset: 12n}, first.cursor.arrivalHigh), records.slice(2));
    expect([...first.rows.arrivals, ...second.rows.arrivals]).toEqual([...whole.rows.arrivals]);
  });

  test('an outcome from the future is judged by its arrival, an old one by its append', () => {
    const future = encodeOutcome(outcome('u', epochMs(T0 + 60_001)));
    const {rows} = decode(startCursor(START, null), [record(10n, T0, future), record(11n, T0 + 1, future)]);
    expect(rows.deadLetters.map(({code, offset}) => [code, offset])).toEqual([['from_future', 10n]]);
    expect(rows.outcomes).toHaveLength(1);
    const old = encodeOutcome(outcome('u', epochMs(T0 - 3_600_001)));
    expect(decode(startCursor(START, null), [record(10n, T0, old)]).rows.deadLetters[0]?.code).toBe('too_old');
  });

  test('equal events have equal id hashes whatever their payload; gaps and repeats are counted', () => {
    const event = outcome('ü', T0);
    const other = {...event, measures: {score: 9}};
    const records = [record(12n, T0, encodeOutcome(event)), record(12n, T0, encodeOutcome(event)), record(13n, T0, encodeOutcome(other))];
    const {rows, gapOffsets, redelivered} = decode(startCursor(START, null), records);
    expect([gapOffsets, redelivered]).toEqual([2n, 1]);
    const [a, b] = rows.arrivals;
    expect(a?.idHash).toBe(b?.idHash);
    expect(a?.payloadHash).not.toBe(b?.payloadHash);
  });

  test('an unreadable range gives a row per offset and one dead letter for all', () => {
    const range = {firstOffset: 12n, lastOffset: 14n, timestamp: T0, reason: 'no codec'};
    const rows = new PendingRows(START, context);
    const {cursor, gapOffsets} = decodeUnreadable(startCursor(START, epochMs(T0 + 5)), range, rows);
    expect([...rows.arrivals].map(({offset, arrivalTs}) => [offset, arrivalTs - T0])).toEqual([[12n, 5], [13n, 5], [14n, 5]]);
    expect(rows.deadLetters).toMatchObject([{offset: 12n, lastOffset: 14n, code: 'undecodable', message: 'no codec'}]);
    expect([cursor.nextOffset, gapOffsets]).toEqual([15n, 2n]);
  });
});
