import {SqlEngineError} from '../../warehouse/sql-executor.ts';

/*
 * ClickHouse's Native format depends on the version of the protocol that the client names
 * (`client_protocol_version`). The engine in this process writes version 0:
 *
 *     version 0        columns rows (name type data)*
 *     from 1 on        info columns rows …
 *     from 54454 on    info columns rows (name type custom? data)*
 *
 * To put `custom?` (always no) in its place, the length of each column's data must be known.
 */

const CUSTOM_SERIALIZATION_FROM = 54_454;
/** Field 1: no overflow; field 2: no bucket (−1); end. */
const BLOCK_INFO = Uint8Array.of(1, 0, 2, 0xff, 0xff, 0xff, 0xff, 0);
const NO_CUSTOM_SERIALIZATION = Uint8Array.of(0);

/** Blocks of version 0 as a client of another version reads them. @throws SqlEngineError for a type without a known layout */
export function nativeFor(version: number, body: Uint8Array): Uint8Array {
  if (version <= 0) return body;
  const reader = new BlockReader(body);
  const parts: Uint8Array[] = [];
  while (!reader.isAtEnd) {
    parts.push(BLOCK_INFO);
    const header = reader.at;
    const columns = reader.varint();
    const rows = reader.varint();
    parts.push(body.subarray(header, reader.at));
    for (let index = 0; index < columns; index += 1) {
      const start = reader.at;
      reader.skip(reader.varint());
      const type = parseType(reader.text());
      parts.push(body.subarray(start, reader.at));
      if (version >= CUSTOM_SERIALIZATION_FROM) parts.push(NO_CUSTOM_SERIALIZATION);
      const data = reader.at;
      if (rows > 0) {
        skipPrefix(reader, type);
        skipData(reader, type, rows);
      }
      parts.push(body.subarray(data, reader.at));
    }
  }
  return Buffer.concat(parts);
}

type Type = {readonly name: string; readonly inner: readonly Type[]; /** Bytes of a value; 0 where it varies. */ readonly width: number};

class BlockReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get isAtEnd(): boolean {
    return this.at >= this.#bytes.length;
  }

  skip(bytes: number): void {
    this.at += bytes;
    if (this.at > this.#bytes.length) throw new SqlEngineError(33, 'the engine’s Native answer ends within a block');
  }

  varint(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.#bytes[this.at];
      this.skip(1);
      value += ((byte ?? 0) & 0x7f) * factor;
      if ((byte ?? 0) < 0x80) return value;
    }
  }

  uint64(): number {
    const start = this.at;
    this.skip(8);
    return Number(this.#view.getBigUint64(start, true));
  }

  text(): string {
    const length = this.varint();
    this.skip(length);
    return Buffer.from(this.#bytes.subarray(this.at - length, this.at)).toString('utf8');
  }
}

/** What stands before all data of a column, in the order of its parts: a version for each dictionary. */
function skipPrefix(reader: BlockReader, type: Type): void {
  if (type.name === 'LowCardinality') reader.skip(8);
  else for (const inner of type.inner) skipPrefix(reader, inner);
}

function skipData(reader: BlockReader, type: Type, rows: number): void {
  const {name, inner, width} = type;
  if (rows === 0) return;
  if (width > 0) {
    reader.skip(width * rows);
  } else if (name === 'String') {
    for (let row = 0; row < rows; row += 1) reader.skip(reader.varint());
  } else if (name === 'Array') {
    reader.skip(8 * (rows - 1));
    skipAll(reader, inner, reader.uint64());
  } else if (name === 'LowCardinality') {
    skipDictionary(reader, inner);
  } else {
    if (name === 'Nullable') reader.skip(rows);
    skipAll(reader, inner, rows);
  }
}

function skipAll(reader: BlockReader, types: readonly Type[], rows: number): void {
  for (const type of types) skipData(reader, type, rows);
}

/** Flags whose lowest byte says how wide a key is, the values, then a key for each row. */
function skipDictionary(reader: BlockReader, [values]: readonly Type[]): void {
  const flags = reader.uint64();
  const keyBytes = 2 ** (flags % 256);
  const of = values?.name === 'Nullable' ? values.inner : values === undefined ? [] : [values];
  skipAll(reader, of, reader.uint64());
  reader.skip(keyBytes * reader.uint64());
}

const WIDTHS: Readonly<Record<string, number>> = {
  UInt8: 1, Int8: 1, Bool: 1, Enum8: 1, Nothing: 1,
  UInt16: 2, Int16: 2, Enum16: 2, Date: 2, BFloat16: 2,
  UInt32: 4, Int32: 4, Float32: 4, Date32: 4, DateTime: 4, Time: 4, IPv4: 4, Decimal32: 4,
  UInt64: 8, Int64: 8, Float64: 8, DateTime64: 8, Time64: 8, Decimal64: 8,
  UInt128: 16, Int128: 16, UUID: 16, IPv6: 16, Decimal128: 16,
  UInt256: 32, Int256: 32, Decimal256: 32,
};

/** @throws SqlEngineError for a type whose bytes depend on the version, or are not known here. */
function parseType(text: string): Type {
  const [, name = '', inside = ''] = /^(\w+)(?:\(([\s\S]*)\))?$/.exec(text) ?? [];
  const fixed = WIDTHS[name];
  if (fixed !== undefined) return {name, inner: [], width: fixed};
  switch (name) {
    case 'String':
      return {name, inner: [], width: 0};
    case 'FixedString':
      return {name, inner: [], width: Number(inside)};
    case 'Decimal':
      return {name, inner: [], width: decimalWidth(Number(inside.split(',')[0]))};
    case 'Nullable':
    case 'Array':
    case 'LowCardinality':
      return {name, inner: [parseType(inside)], width: 0};
    case 'Tuple':
      return {name, inner: partsOf(inside).map(withoutName).map(parseType), width: 0};
    case 'Map':
      return arrayOf({name: 'Tuple', inner: partsOf(inside).map(parseType), width: 0});
    case 'Nested':
      return arrayOf({name: 'Tuple', inner: partsOf(inside).map(withoutName).map(parseType), width: 0});
    case 'SimpleAggregateFunction':
      return parseType(partsOf(inside).slice(1).join(', '));
    default:
      if (name.startsWith('Interval')) return {name, inner: [], width: 8};
      throw new SqlEngineError(48, `a column of type ${text} cannot be sent in Native to this client; convert it, e.g. with toString() or finalizeAggregation()`);
  }
}

const arrayOf = (inner: Type): Type => ({name: 'Array', inner: [inner], width: 0});

const decimalWidth = (precision: number): number => (precision <= 9 ? 4 : precision <= 18 ? 8 : precision <= 38 ? 16 : 32);

/** `a UInt8` and `` `b c` String `` are named parts of a tuple. */
const withoutName = (part: string): string => part.replace(/^(?:`(?:[^`\\]|\\.)*`|[A-Za-z_]\w*) +(?=[A-Z])/, '');

/** Split at the commas that are in no parentheses and no quotes. */
function partsOf(text: string): string[] {
  const parts: string[] = [];
  let [depth, start] = [0, 0];
  for (const {0: token, index} of text.matchAll(/'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`|[(),]/g)) {
    if (token === '(') depth += 1;
    else if (token === ')') depth -= 1;
    else if (token === ',' && depth === 0) {
      parts.push(text.slice(start, index).trim());
      start = index + 1;
    }
  }
  return [...parts, text.slice(start).trim()].filter(part => part !== '');
}
