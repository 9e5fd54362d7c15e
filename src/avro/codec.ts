import avro from 'avsc';
import type {EventCells} from '../core/event-cells.ts';
import type {DeadLetterCode, LogEvent} from '../core/events.ts';
import {messageOf} from '../core/errors.ts';
import {LIMITS} from '../core/limits.ts';
import {BodyReader} from './body-reader.ts';
import {LAYOUTS, type OutcomeProjection, PROJECTIONS} from './decode-event.ts';
import {DecodeFault} from './decode-fault.ts';
import type {EventArrival} from './check-event.ts';
import {type Glance, GLANCES} from './glance.ts';
import {fingerprintText} from './fingerprint.ts';
import {LOCATORS} from './locate-cells.ts';
import {type AnyRecord, type ConfigRecord, EVENT_KINDS, kindOfSchema, MAPPINGS, type RecordKind, type Row} from './records.ts';
import {newestOf, type RecordSchema, recordSchema} from './schema-files.ts';
import {checkShape} from './shape.ts';
import {compileWalk, type Walk} from './walk-record.ts';

/** Of a decoded record: what it says, the schema it was written with, and where its Avro body starts. */
type Decoded<T> = {readonly ok: true; readonly event: T; readonly schema: RecordSchema; readonly bodyOffset: number};
type Refused = {readonly ok: false; readonly code: DeadLetterCode; readonly message: string};
export type DecodedRecord = Decoded<LogEvent> | Refused;
export type DecodedConfig = Decoded<ConfigRecord> | Refused;

/**
 * The Confluent framing (`00` + 4-byte schema id), as far as the codec needs it.
 * `registry-framing.ts` fills it from a schema registry.
 */
export interface Framing {
  /** The id to write records of this schema with. @throws AssayError when it was not registered. */
  idOf(schema: RecordSchema): number;
  /** The schema behind an id; undefined when it was not fetched (yet). */
  schemaOf(id: number): unknown;
}

/** A record's value among others: `from` up to `to` of `bytes`. */
export type ValuePlace = {readonly bytes: Uint8Array; readonly from: number; readonly to: number};

/** How to read records written with one schema. */
type Plan = {
  readonly schema: RecordSchema;
  /** The upper 32 bits. */
  readonly fingerprintHigh: number;
  readonly kind: RecordKind;
  readonly layout: ((reader: BodyReader) => LogEvent) | undefined;
  readonly glance: ((reader: BodyReader, arrival: EventArrival) => Glance | null) | undefined;
  readonly projection: ((reader: BodyReader) => OutcomeProjection) | undefined;
  readonly locator: ((reader: BodyReader, cells: EventCells) => void) | undefined;
  readonly walk: Walk;
  readonly resolver: unknown;
};

const SINGLE_OBJECT_HEADER_BYTES = 10;
const CONFLUENT_HEADER_BYTES = 5;

/**
 * Encodes and decodes the records of Assay's topics. Single-object encoding
 * (`C3 01` + fingerprint, little-endian + body) unless a framing is given;
 * decoding takes both.
 *
 * Every schema given stays readable: a record of an older version is resolved to
 * the newest one. A record of a newer version than this process knows is
 * `unknown_schema` (its schema is not in it), unless a framing knows its id.
 */
export class RecordCodec {
  readonly #newest: ReadonlyMap<string, {schema: RecordSchema; type: avro.Type}>;
  readonly #planByFingerprint = new Map<bigint, Plan>();
  readonly #planById = new Map<number, Plan>();
  /** The same plans by the low half of the fingerprint: no BigInt per record. */
  readonly #planByLowHalf = new Map<number, Plan>();
  readonly #framing: Framing | undefined;
  readonly #reader = new BodyReader();
  #scratch: Buffer = Buffer.allocUnsafe(4096);

  constructor(schemas: readonly RecordSchema[], framing?: Framing) {
    this.#framing = framing;
    this.#newest = new Map(
      [...newestOf(schemas)].map(([record, schema]) => [record, {schema, type: typeOf(schema.schema)}]),
    );
    for (const schema of schemas) {
      const plan = this.#makePlan(schema);
      this.#planByFingerprint.set(schema.fingerprint, plan);
      const low = Number(BigInt.asUintN(32, schema.fingerprint));
      if (this.#planByLowHalf.has(low)) throw new Error(`${schema.name} shares half its fingerprint with another schema`);
      this.#planByLowHalf.set(low, plan);
    }
  }

  /**
   * The bytes of a record, framed. Bounds are not checked: call `checkShape` first.
   * @throws Error when a value does not fit its field's type.
   */
  encode(record: AnyRecord): Uint8Array {
    const newest = this.#newest.get(record.kind);
    if (newest === undefined) throw new Error(`there is no schema for ${record.kind} records`);
    const row = MAPPINGS[record.kind].toRow(record as never);
    const offset = this.#framing === undefined ? SINGLE_OBJECT_HEADER_BYTES : CONFLUENT_HEADER_BYTES;
    let end = newest.type.encode(row, this.#scratch, offset);
    if (end < 0) {
      // avsc answers with minus the bytes that were missing.
      this.#scratch = Buffer.allocUnsafe(this.#scratch.length - end + 1024);
      end = newest.type.encode(row, this.#scratch, offset);
    }
    const bytes = new Uint8Array(end);
    bytes.set(this.#scratch.subarray(0, end));
    this.#writeHeader(bytes, newest.schema);
    return bytes;
  }

  /** Decodes a record of an events topic. Never throws, whatever the bytes. */
  decode(bytes: Uint8Array): DecodedRecord {
    return this.#decode<LogEvent>(bytes, true);
  }

  /** Accepts an ordinary event without decoding it, from where it lies among others; null when `decode` and `checkEvent` have to judge. Never throws. */
  glance({bytes, from, to}: ValuePlace, arrival: EventArrival): Glance | null {
    try {
      const isFramed = bytes[from] === 0x00;
      const plan = isFramed ? this.#planOfId(bytes.subarray(from, to)) : this.#planAt(bytes, from);
      if (plan?.glance === undefined || to - from > LIMITS.eventBytesMax) return null;
      this.#reader.open(bytes, from + (isFramed ? CONFLUENT_HEADER_BYTES : SINGLE_OBJECT_HEADER_BYTES), to);
      return plan.glance(this.#reader, arrival);
    } catch {
      return null;
    }
  }

  /**
   * What slices need of a record that `decode` took for an outcome.
   * @throws DecodeFault when it is none
   */
  project(bytes: Uint8Array): OutcomeProjection {
    const {plan, bodyOffset} = this.#planOf(bytes);
    if (plan.projection === undefined) {
      const decoded = this.decode(bytes);
      if (decoded.ok && decoded.event.kind === 'outcome') return decoded.event;
      throw new DecodeFault('undecodable', decoded.ok ? `a ${decoded.event.kind} has no measures` : decoded.message);
    }
    this.#reader.open(bytes, bodyOffset);
    return plan.projection(this.#reader);
  }

  /** Fills in where the cells of a record lie that `decode` took; false when its schema is read the general way. */
  locate(bytes: Uint8Array, cells: EventCells): boolean {
    const {plan, bodyOffset} = this.#planOf(bytes);
    if (plan.locator === undefined) return false;
    this.#reader.open(bytes, bodyOffset);
    plan.locator(this.#reader, cells);
    return true;
  }

  /** Decodes a record of the experiments topic. Never throws, whatever the bytes. */
  decodeConfig(bytes: Uint8Array): DecodedConfig {
    return this.#decode<ConfigRecord>(bytes, false);
  }

  /** Decodes by avsc even where a hand-written layout exists; the tests hold the two equal. */
  decodeGeneric(bytes: Uint8Array): DecodedRecord {
    return guarded(() => {
      const {plan, bodyOffset} = this.#planOf(bytes);
      return {ok: true, event: this.#resolve(plan, bytes, bodyOffset) as LogEvent, schema: plan.schema, bodyOffset};
    });
  }

  #decode<T extends AnyRecord>(bytes: Uint8Array, isEvent: boolean): Decoded<T> | Refused {
    return guarded(() => {
      const {plan, bodyOffset} = this.#planOf(bytes);
      if (EVENT_KINDS.has(plan.kind) !== isEvent) {
        throw new DecodeFault('unknown_schema', `a record of schema ${plan.schema.name} does not belong on this topic`);
      }
      if (plan.layout === undefined) {
        return {ok: true, event: this.#resolve(plan, bytes, bodyOffset) as T, schema: plan.schema, bodyOffset};
      }
      const reader = this.#reader;
      reader.open(bytes, bodyOffset);
      const event = plan.layout(reader) as T;
      reader.close();
      return {ok: true, event, schema: plan.schema, bodyOffset};
    });
  }

  #resolve(plan: Plan, bytes: Uint8Array, bodyOffset: number): AnyRecord {
    const reader = this.#reader;
    reader.open(bytes, bodyOffset);
    plan.walk(reader);
    reader.close();
    const newest = this.#newest.get(plan.kind);
    if (newest === undefined) throw new DecodeFault('unknown_schema', `there is no schema for ${plan.kind} records`);
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const {value} = newest.type.decode(buffer, bodyOffset, plan.resolver as never) as {value: Row};
    const record = MAPPINGS[plan.kind].fromRow(value as never);
    const problem = record.kind === 'exposure' || record.kind === 'outcome' ? checkShape(record) : null;
    if (problem !== null) throw new DecodeFault(problem.code, problem.message);
    return record;
  }

  #planOf(bytes: Uint8Array): {plan: Plan; bodyOffset: number} {
    if (bytes.length === 0) throw new DecodeFault('undecodable', 'the record is empty');
    if (bytes.length > LIMITS.eventBytesMax) {
      throw new DecodeFault('oversized', `${bytes.length} bytes, the limit is ${LIMITS.eventBytesMax}; leave texts out`);
    }
    if (bytes[0] === 0xc3 && bytes[1] === 0x01) return {plan: this.#planOfFingerprint(bytes), bodyOffset: SINGLE_OBJECT_HEADER_BYTES};
    if (bytes[0] === 0x00) return {plan: this.#planOfId(bytes), bodyOffset: CONFLUENT_HEADER_BYTES};
    throw new DecodeFault('undecodable', 'does not start with C3 01: not an Avro single-object encoding');
  }

  /** Of a record in single-object encoding at `from`; its body is read with every length checked, so that a short one is found there. */
  #planAt(bytes: Uint8Array, from: number): Plan | undefined {
    if (bytes[from] !== 0xc3 || bytes[from + 1] !== 0x01) return undefined;
    const plan = this.#planByLowHalf.get(readUint32(bytes, from + 2));
    return plan?.fingerprintHigh === readUint32(bytes, from + 6) ? plan : undefined;
  }

  #planOfFingerprint(bytes: Uint8Array): Plan {
    if (bytes.length < SINGLE_OBJECT_HEADER_BYTES) throw new DecodeFault('undecodable', 'the record ends inside its fingerprint');
    const plan = this.#planAt(bytes, 0);
    if (plan !== undefined) return plan;
    const fingerprint = BigInt(readUint32(bytes, 6)) * 2n ** 32n + BigInt(readUint32(bytes, 2));
    throw new DecodeFault(
      'unknown_schema',
      `no schema with fingerprint ${fingerprintText(fingerprint)}; update this worker, or write with a released schema`,
    );
  }

  #planOfId(bytes: Uint8Array): Plan {
    if (this.#framing === undefined) {
      throw new DecodeFault('undecodable', 'starts with 00, as Confluent framing does, but no schema registry is configured');
    }
    if (bytes.length < CONFLUENT_HEADER_BYTES) throw new DecodeFault('undecodable', 'the record ends inside its schema id');
    const id = ((bytes[1] ?? 0) * 2 ** 24) + ((bytes[2] ?? 0) << 16) + ((bytes[3] ?? 0) << 8) + (bytes[4] ?? 0);
    const known = this.#planById.get(id);
    if (known !== undefined) return known;
    const schema = this.#framing.schemaOf(id);
    if (schema === undefined) throw new DecodeFault('unknown_schema', `the schema registry has no schema ${id}`);
    const plan = this.#planOfForeign(id, schema);
    this.#planById.set(id, plan);
    return plan;
  }

  /** A schema that came from a registry: one of ours, or a newer version that must resolve to ours. */
  #planOfForeign(id: number, schema: unknown): Plan {
    const kind = kindOfSchema(schema);
    if (kind === undefined) throw new DecodeFault('unknown_schema', `schema ${id} of the registry is none of Assay's records`);
    const foreign = recordSchema(kind, 0, schema);
    const ours = this.#planByFingerprint.get(foreign.fingerprint);
    if (ours !== undefined) return ours;
    try {
      return this.#makePlan({...foreign, name: `${kind}#${id}`});
    } catch (error) {
      throw new DecodeFault('unknown_schema', `schema ${id} of the registry cannot be read as ${kind}: ${messageOf(error)}`);
    }
  }

  #makePlan(schema: RecordSchema): Plan {
    const kind = kindOfSchema(schema.schema);
    const newest = kind === undefined ? undefined : this.#newest.get(kind);
    if (kind === undefined || newest === undefined) throw new Error(`${schema.name} describes none of Assay's records`);
    return {
      schema,
      fingerprintHigh: Number(schema.fingerprint >> 32n),
      kind,
      layout: LAYOUTS[schema.name],
      glance: GLANCES[schema.name],
      projection: PROJECTIONS[schema.name],
      locator: LOCATORS[schema.name],
      walk: compileWalk(schema.schema),
      resolver: newest.type.createResolver(typeOf(schema.schema)),
    };
  }

  #writeHeader(bytes: Uint8Array, schema: RecordSchema): void {
    const view = new DataView(bytes.buffer);
    if (this.#framing === undefined) {
      view.setUint16(0, 0xc301);
      view.setBigUint64(2, schema.fingerprint, true);
      return;
    }
    view.setUint8(0, 0);
    view.setUint32(1, this.#framing.idOf(schema));
  }
}

/** avsc notes things in the schema it is given, so it gets a copy. */
const typeOf = (schema: unknown): avro.Type => avro.Type.forSchema(structuredClone(schema) as avro.Schema, {omitRecordMethods: true});

function readUint32(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) + ((bytes[at + 1] ?? 0) << 8) + ((bytes[at + 2] ?? 0) << 16) + (bytes[at + 3] ?? 0) * 2 ** 24);
}

/** Anything thrown while decoding is the record's fault: it becomes an answer. */
function guarded<T>(decode: () => Decoded<T>): Decoded<T> | Refused {
  try {
    return decode();
  } catch (error) {
    if (error instanceof DecodeFault) return {ok: false, code: error.code, message: error.message};
    return {ok: false, code: 'undecodable', message: messageOf(error)};
  }
}
