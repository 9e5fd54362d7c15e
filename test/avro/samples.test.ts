import {readdirSync, readFileSync} from 'node:fs';
import {describe, expect, test} from 'vitest';
import {checkEvent} from '../../src/avro/check-event.ts';
import {RecordCodec} from '../../src/avro/codec.ts';
import {decodeRecord, encodeExposure, encodeOutcome, encodeTick, RELEASED_SCHEMAS} from '../../src/avro/released.ts';
import {MAPPINGS} from '../../src/avro/records.ts';
import type {LogEvent} from '../../src/core/events.ts';
import type {EpochMs} from '../../src/core/units.ts';

const SAMPLES = new URL('../../schemas/samples/', import.meta.url);
const codec = new RecordCodec(RELEASED_SCHEMAS);

type Sample = {
  title: string;
  hex: string;
  schema?: string;
  event?: Record<string, unknown>;
  code?: string;
  words?: string[];
  append_ts?: EpochMs;
  arrival_ts?: EpochMs;
  max_age_ms?: number | null;
};

const load = (folder: string): [string, Sample][] =>
  readdirSync(new URL(folder, SAMPLES))
    .sort()
    .map(file => [file, JSON.parse(readFileSync(new URL(folder + file, SAMPLES), 'utf8')) as Sample]);

describe('samples written by fastavro', () => {
  const valid = load('valid/');
  const invalid = load('invalid/');

  test('there are samples of both kinds', () => {
    expect(valid.length).toBeGreaterThan(10);
    expect(invalid.length).toBeGreaterThan(40);
  });

  test.each(valid)('%s decodes to its event, both ways, and survives encoding', (_, sample) => {
    const bytes = Buffer.from(sample.hex, 'hex');
    const decoded = decodeRecord(bytes);
    if (!decoded.ok) throw new Error(decoded.message);
    expect(decoded.schema.name).toBe(sample.schema);
    expect(toRow(decoded.event)).toEqual(sample.event);
    expect(codec.decodeGeneric(bytes)).toEqual(decoded);
    // Other block sizes are other bytes for the same event, so events are compared, not bytes.
    const again = decodeRecord(encode(decoded.event));
    expect(again).toEqual(decoded);
    if (!sample.title.includes('block')) expect(Buffer.from(encode(decoded.event)).toString('hex')).toBe(sample.hex);
  });

  test.each(invalid)('%s is refused with its code, and the message says what is wrong', (_, sample) => {
    const decoded = decodeRecord(Buffer.from(sample.hex, 'hex'));
    const problem = decoded.ok ? checked(decoded.event, sample) : decoded;
    expect(problem?.code).toBe(sample.code);
    for (const word of sample.words ?? []) expect(problem?.message).toContain(word);
  });

  test.each(invalid)('%s gets the same code the general way', (_, sample) => {
    const decoded = codec.decodeGeneric(Buffer.from(sample.hex, 'hex'));
    if (sample.append_ts === undefined && !sample.title.includes('config record')) {
      expect(decoded.ok ? null : decoded.code).toBe(sample.code);
    }
  });
});

function checked(event: LogEvent, sample: Sample): ReturnType<typeof checkEvent> {
  if (event.kind === 'tick' || sample.append_ts === undefined || sample.arrival_ts === undefined) return null;
  return checkEvent(event, {appendTs: sample.append_ts, arrivalTs: sample.arrival_ts, maxAgeMs: sample.max_age_ms ?? null});
}

function toRow(event: LogEvent): Record<string, unknown> {
  const row = {...MAPPINGS[event.kind].toRow(event as never)};
  if (event.kind !== 'tick') row['event_id'] = Buffer.from(event.eventId).toString('hex');
  return row;
}

function encode(event: LogEvent): Uint8Array {
  if (event.kind === 'exposure') return encodeExposure(event);
  return event.kind === 'outcome' ? encodeOutcome(event) : encodeTick(event);
}
