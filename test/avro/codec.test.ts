import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {RecordCodec} from '../../src/avro/codec.ts';
import {decodeConfig, decodeRecord, encodeExperiment, encodeExposure, encodeStream, RELEASED_SCHEMAS} from '../../src/avro/released.ts';
import type {ExperimentRecord} from '../../src/avro/records.ts';
import {type RecordSchema, recordSchema} from '../../src/avro/schema-files.ts';
import {checkShape} from '../../src/avro/shape.ts';
import {DEAD_LETTER_CODES, type Exposure, type LogEvent, type Outcome} from '../../src/core/events.ts';
import {seededRng} from '../../src/core/rng.ts';
import {durationMs, type EpochMs, epochMs} from '../../src/core/units.ts';

const codec = new RecordCodec(RELEASED_SCHEMAS);

const name = fc.string({unit: 'grapheme', minLength: 1, maxLength: 20}).filter(text => text !== '__proto__');
const strings = fc.dictionary(name, fc.string({unit: 'grapheme', maxLength: 30}), {maxKeys: 6, noNullPrototype: true});
const instants = fc.integer({min: -(2 ** 50), max: 2 ** 50}).map(ms => ms as EpochMs);
const tail = {
  eventId: fc.uint8Array({minLength: 16, maxLength: 16}).map(bytes => Uint8Array.from(bytes)),
  unitId: name,
  eventTs: instants,
  itemId: fc.option(name),
  sampleRate: fc.double(),
  traceId: fc.constantFrom('', '4bf92f3577b34da6a3ce929d0e0e4736'),
  attributes: strings,
};
const exposures: fc.Arbitrary<Exposure> = fc.record({
  kind: fc.constant('exposure' as const),
  experiment: name,
  variant: name,
  phase: fc.integer(),
  configVersion: fc.integer(),
  reason: fc.constantFrom('assigned' as const, 'override' as const, 'fallback' as const),
  sessionId: fc.option(name),
  ...tail,
});
const outcomes: fc.Arbitrary<Outcome> = fc.record({
  kind: fc.constant('outcome' as const),
  variantHint: strings,
  measures: fc.dictionary(name, fc.double(), {maxKeys: 8, noNullPrototype: true}),
  status: fc.constantFrom('ok' as const, 'client_error' as const, 'server_error' as const, 'timeout' as const),
  ...tail,
});
const events: fc.Arbitrary<LogEvent> = fc.oneof(exposures, outcomes, fc.record({kind: fc.constant('tick' as const), sentTs: instants, owner: name}));

const EXPOSURE: Exposure = {
  kind: 'exposure', eventId: new Uint8Array(16), experiment: 'e', variant: 'a', phase: 1, unitId: 'u', eventTs: epochMs(5),
  configVersion: 1, reason: 'assigned', itemId: null, sessionId: null, sampleRate: 1, traceId: '', attributes: {},
};

describe('encoding and decoding', () => {
  test('every event comes back as it was, by the hand-written layout and by avsc', () => {
    fc.assert(
      fc.property(events, event => {
        const bytes = codec.encode(event);
        const decoded = codec.decode(bytes);
        expect(decoded).toMatchObject({ok: true, event});
        expect(codec.decodeGeneric(bytes)).toEqual(decoded);
      }),
      {numRuns: 500},
    );
  });

  test('decoded events hold no bytes of the record, which the log may reuse', () => {
    const bytes = encodeExposure(EXPOSURE);
    const decoded = decodeRecord(bytes);
    bytes.fill(255);
    expect(decoded).toMatchObject({ok: true, event: EXPOSURE});
  });

  test('a record that lies inside a larger buffer is read by its own bounds', () => {
    const bytes = encodeExposure(EXPOSURE);
    const large = new Uint8Array(bytes.length + 20).fill(7);
    large.set(bytes, 9);
    expect(decodeRecord(large.subarray(9, 9 + bytes.length))).toMatchObject({ok: true, event: EXPOSURE});
    expect(codec.decodeGeneric(large.subarray(9, 9 + bytes.length))).toMatchObject({ok: true, event: EXPOSURE});
  });

  test('experiments and streams come back as they were', () => {
    const experiment: ExperimentRecord = {
      kind: 'experiment', stream: 'live', experiment: 'e', version: 2, predecessor: 1, phase: 1, definition: '{"ü":1}',
      slots: Int8Array.from([-1, 0, 1, 126]), layerSlots: Uint8Array.from([1, 255]), author: 'a', reason: '', validFrom: null,
    };
    expect(decodeConfig(encodeExperiment(experiment))).toMatchObject({ok: true, event: experiment});
    const stream = {
      name: 's', kind: 'import', topic: 't', latenessMs: durationMs(1), sliceMs: durationMs(10), maxAgeMs: null, partitions: 4,
    } as const;
    expect(decodeConfig(encodeStream(stream))).toMatchObject({ok: true, event: {kind: 'stream', stream}});
    expect(decodeRecord(encodeStream(stream))).toMatchObject({ok: false, code: 'unknown_schema'});
    expect(decodeConfig(encodeExposure(EXPOSURE))).toMatchObject({ok: false, code: 'unknown_schema'});
  });

  test('a record larger than the scratch buffer is encoded whole', () => {
    const experiment: ExperimentRecord = {
      kind: 'experiment', stream: 'live', experiment: 'e', version: 1, predecessor: 0, phase: 1, definition: 'x'.repeat(40_000),
      slots: new Int8Array(10_000), layerSlots: new Uint8Array(0), author: '', reason: '', validFrom: epochMs(3),
    };
    expect(decodeConfig(encodeExperiment(experiment))).toMatchObject({ok: true, event: experiment});
  });
});

describe('decoding never throws', () => {
  const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));

  test(`on 24 000 damaged records and random bytes (SEED=${seed})`, () => {
    const rng = seededRng(seed);
    const bases = fc.sample(events, {numRuns: 40, seed}).map(event => codec.encode(event));
    const codes = new Set<string>(DEAD_LETTER_CODES);
    let refused = 0;
    for (let run = 0; run < 8_000; run += 1) {
      const base = bases[run % bases.length] ?? new Uint8Array(0);
      for (const bytes of [damaged(base, rng), rng.bytes(Math.floor(rng.next() * 40)), withRandomBody(base, rng)]) {
        const decoded = codec.decode(bytes);
        const generic = codec.decodeGeneric(bytes);
        expect(generic.ok, Buffer.from(bytes).toString('hex')).toBe(decoded.ok);
        if (decoded.ok) {
          expect(generic).toEqual(decoded);
          if (decoded.event.kind !== 'tick') expect(checkShape(decoded.event)).toBeNull();
        } else {
          refused += 1;
          expect(codes.has(decoded.code)).toBe(true);
          expect(decoded.message).not.toBe('');
        }
        codec.decodeConfig(bytes);
      }
    }
    expect(refused).toBeGreaterThan(12_000);
  });
});

function damaged(base: Uint8Array, rng: ReturnType<typeof seededRng>): Uint8Array {
  const bytes = Uint8Array.from(base);
  const times = 1 + Math.floor(rng.next() * 3);
  for (let i = 0; i < times; i += 1) bytes[10 + Math.floor(rng.next() * (bytes.length - 10))] = Math.floor(rng.next() * 256);
  const cut = rng.next();
  if (cut < 0.2) return bytes.subarray(0, Math.floor(rng.next() * bytes.length));
  return cut < 0.3 ? Uint8Array.from([...bytes, ...rng.bytes(3)]) : bytes;
}

function withRandomBody(base: Uint8Array, rng: ReturnType<typeof seededRng>): Uint8Array {
  return Uint8Array.from([...base.subarray(0, 10), ...rng.bytes(Math.floor(rng.next() * 120))]);
}

describe('versions', () => {
  const v1 = RELEASED_SCHEMAS.filter(({record}) => record === 'exposure');
  const v2 = withField('exposure', {name: 'surface', type: 'string', default: 'web'});

  test('a worker that knows v2 decodes v1 records, and v2 records', () => {
    const newer = new RecordCodec([...RELEASED_SCHEMAS, v2]);
    expect(newer.decode(encodeExposure(EXPOSURE))).toMatchObject({ok: true, event: EXPOSURE, schema: {name: 'exposure.v1'}});
    expect(newer.decodeGeneric(encodeExposure(EXPOSURE))).toMatchObject({ok: true, event: EXPOSURE});
    const written = new RecordCodec([withField('exposure', {name: 'surface', type: 'string', default: 'web'}, {surface: 'app'})]);
    expect(newer.decode(written.encode(EXPOSURE))).toMatchObject({ok: true, event: EXPOSURE, schema: {name: 'exposure.v2'}});
  });

  test('a worker that only knows v1 says which fingerprint it lacks, and reads v2 when a registry has the schema', () => {
    const newer = new RecordCodec([v2], undefined);
    expect(codec.decode(newer.encode(EXPOSURE))).toMatchObject({ok: false, code: 'unknown_schema', message: expect.stringContaining('fingerprint')});
    const registry = {idOf: () => 300_000, schemaOf: (id: number) => (id === 300_000 ? v2.schema : undefined)};
    const older = new RecordCodec(v1, registry);
    const framed = new RecordCodec([v2], registry).encode(EXPOSURE);
    expect([...framed.subarray(0, 5)]).toEqual([0, 0, 4, 147, 224]);
    expect(older.decode(framed)).toMatchObject({ok: true, event: EXPOSURE, schema: {name: 'exposure#300000'}, bodyOffset: 5});
  });

  test('a version that dropped a field without default is refused when the codec is made', () => {
    const schema = structuredClone(v1[0]?.schema) as {fields: {name: string}[]};
    schema.fields.push({name: 'must', type: 'string'} as never);
    expect(() => new RecordCodec([...v1, recordSchema('exposure', 2, schema)])).toThrow('must');
  });

  test('the registry holding a foreign schema is a dead letter, not a crash', () => {
    const of = (schema: unknown) => new RecordCodec(v1, {idOf: () => 1, schemaOf: () => schema}).decode(Uint8Array.from([0, 0, 0, 0, 1, 2]));
    expect(of({type: 'record', name: 'Other', namespace: 'x', fields: []})).toMatchObject({ok: false, code: 'unknown_schema'});
    expect(of({type: 'record', name: 'Exposure', namespace: 'assay', fields: []})).toMatchObject({ok: false, code: 'unknown_schema'});
    expect(of('string')).toMatchObject({ok: false, code: 'unknown_schema'});
    expect(of(undefined)).toMatchObject({ok: false, code: 'unknown_schema'});
  });
});

function withField(record: string, field: object, defaults: Record<string, unknown> = {}): RecordSchema {
  const newest = RELEASED_SCHEMAS.filter(schema => schema.record === record).at(-1);
  const schema = structuredClone(newest?.schema) as {fields: object[]};
  schema.fields.push({...field, ...(Object.keys(defaults).length > 0 ? {default: Object.values(defaults)[0]} : {})});
  return recordSchema(record, 2, schema);
}
