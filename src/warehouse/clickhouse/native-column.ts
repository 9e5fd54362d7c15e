import type {EntryPlaces} from '../../core/event-cells.ts';

/**
 * Columns of ClickHouse's Native format: each is one run of memory, so the engine takes
 * a block over with a copy per column where rows have to be parsed cell by cell.
 */
export type NativeColumn = {
  readonly type: string;
  /** Its bytes, in pieces that hold until the column is cleared. */
  pieces(): readonly Uint8Array[];
  clear(): void;
};

const START = 1_024;
const utf8 = new TextEncoder();

/** Bytes behind each other, in memory that grows and is used again. */
export class Bytes {
  bytes: Uint8Array = new Uint8Array(START);
  length = 0;

  /** Makes room for `size` bytes and counts them in. @returns where they belong */
  reserve(size: number): number {
    const at = this.length;
    this.length = at + size;
    if (this.length > this.bytes.length) this.#grow();
    return at;
  }

  push(from: Uint8Array, start: number, end: number): void {
    const at = this.reserve(end - start);
    const {bytes} = this;
    // A call into the runtime costs more than copying a short text.
    if (end - start > 64) bytes.set(from.subarray(start, end), at);
    else for (let index = start; index < end; index++) bytes[at + index - start] = from[index] as number;
  }

  pushVarint(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      const at = this.reserve(1);
      this.bytes[at] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    const at = this.reserve(1);
    this.bytes[at] = rest;
  }

  piece(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }

  #grow(): void {
    const larger = new Uint8Array(Math.max(this.length, this.bytes.length * 2));
    larger.set(this.bytes);
    this.bytes = larger;
  }
}

/** Numbers of 32 bits; wider ones take several places, the lowest first. */
export class WordColumn implements NativeColumn {
  readonly type: string;
  words = new Uint32Array(START);
  length = 0;

  constructor(type: string) {
    this.type = type;
  }

  push(word: number): void {
    if (this.length === this.words.length) this.#grow();
    this.words[this.length++] = word;
  }

  pushTwo(low: number, high: number): void {
    this.push(low);
    this.push(high);
  }

  /** A whole number within ±2^53 as 64 bits. */
  pushWhole(value: number): void {
    this.push(value >>> 0);
    this.push(Math.floor(value / 0x1_0000_0000));
  }

  pieces(): readonly Uint8Array[] {
    return [new Uint8Array(this.words.buffer, 0, this.length * 4)];
  }

  clear(): void {
    this.length = 0;
  }

  #grow(): void {
    const larger = new Uint32Array(this.words.length * 2);
    larger.set(this.words);
    this.words = larger;
  }
}

/** One number of 16 bits, the same in many rows or not. */
export class ShortColumn implements NativeColumn {
  readonly type = 'UInt16';
  readonly #bytes = new Bytes();

  push(value: number): void {
    const at = this.#bytes.reserve(2);
    this.#bytes.bytes[at] = value & 0xff;
    this.#bytes.bytes[at + 1] = value >>> 8;
  }

  pieces(): readonly Uint8Array[] {
    return [this.#bytes.piece()];
  }

  clear(): void {
    this.#bytes.length = 0;
  }
}

/** Values of one size, copied as they are: a FixedString, or floats that already lie low byte first. */
export class FixedColumn implements NativeColumn {
  readonly type: string;
  readonly #bytes = new Bytes();

  constructor(type: string) {
    this.type = type;
  }

  push(from: Uint8Array, start: number, end: number): void {
    this.#bytes.push(from, start, end);
  }

  pushDouble(value: number): void {
    double[0] = value;
    this.#bytes.push(doubleBytes, 0, 8);
  }

  pieces(): readonly Uint8Array[] {
    return [this.#bytes.piece()];
  }

  clear(): void {
    this.#bytes.length = 0;
  }
}

const double = new Float64Array(1);
const doubleBytes = new Uint8Array(double.buffer);

/** Texts (or any bytes) with their lengths before them; `isNullable` puts a byte a row in front of all. */
export class TextColumn implements NativeColumn {
  readonly type: string;
  readonly #nulls: Bytes | null;
  readonly #bytes = new Bytes();

  constructor(type: 'String' | 'Nullable(String)' = 'String') {
    this.type = type;
    this.#nulls = type === 'String' ? null : new Bytes();
  }

  push(from: Uint8Array, start: number, end: number): void {
    if (this.#nulls !== null) this.#pushIsNull(0);
    this.#bytes.pushVarint(end - start);
    this.#bytes.push(from, start, end);
  }

  pushText(text: string): void {
    const bytes = utf8.encode(text);
    this.push(bytes, 0, bytes.length);
  }

  pushNullable(text: string | null): void {
    if (text === null) this.pushNull();
    else this.pushText(text);
  }

  pushNull(): void {
    this.#pushIsNull(1);
    this.#bytes.pushVarint(0);
  }

  pieces(): readonly Uint8Array[] {
    return this.#nulls === null ? [this.#bytes.piece()] : [this.#nulls.piece(), this.#bytes.piece()];
  }

  clear(): void {
    this.#bytes.length = 0;
    if (this.#nulls !== null) this.#nulls.length = 0;
  }

  #pushIsNull(isNull: 0 | 1): void {
    const nulls = this.#nulls as Bytes;
    const at = nulls.reserve(1);
    nulls.bytes[at] = isNull;
  }
}

/** Keys follow, and they are all the keys there are: no dictionary is shared between blocks. */
const OWN_KEYS = 1 << 9;
const INDEX_TYPES = [Uint8Array, Uint16Array, Uint32Array] as const;

/** LowCardinality(String): each text once, and a number a row. */
export class DictionaryColumn implements NativeColumn {
  readonly type = 'LowCardinality(String)';
  readonly #keys = new Bytes();
  /** Where key `i` ends in `#keys`. */
  #ends: number[] = [];
  /** Open addressing: the number of a key + 1; 0 is free. */
  #places = new Uint32Array(64);
  readonly #rows = new WordColumn('UInt32');

  get length(): number {
    return this.#rows.length;
  }

  push(from: Uint8Array, start: number, end: number): void {
    this.#rows.push(this.keyOf(from, start, end));
  }

  pushText(text: string): void {
    const bytes = utf8.encode(text);
    this.push(bytes, 0, bytes.length);
  }

  /** A key that `keyOf` gave. */
  pushKey(key: number): void {
    this.#rows.push(key);
  }

  /** The number of a text. */
  keyOf(from: Uint8Array, start: number, end: number): number {
    let hash = 0x811c9dc5;
    for (let index = start; index < end; index++) hash = Math.imul(hash ^ (from[index] as number), 0x01000193);
    const mask = this.#places.length - 1;
    for (let place = (hash ^ (hash >>> 15)) & mask; ; place = (place + 1) & mask) {
      const known = this.#places[place] as number;
      if (known === 0) return this.#add(place, from, start, end);
      if (this.#isKey(known - 1, from, start, end)) return known - 1;
    }
  }

  keyOfText(text: string): number {
    const bytes = utf8.encode(text);
    return this.keyOf(bytes, 0, bytes.length);
  }

  /** The format's head of the column: a version. A map writes it before its own sizes. */
  head(): Uint8Array {
    return uint64(1);
  }

  body(): readonly Uint8Array[] {
    if (this.#rows.length === 0) return [];
    const keys = new Bytes();
    for (const [key, end] of this.#ends.entries()) {
      const start = this.#startOf(key);
      keys.pushVarint(end - start);
      keys.push(this.#keys.bytes, start, end);
    }
    const width = this.#ends.length <= 0x100 ? 0 : this.#ends.length <= 0x1_0000 ? 1 : 2;
    const rows = INDEX_TYPES[width].from(this.#rows.words.subarray(0, this.#rows.length));
    return [
      uint64(OWN_KEYS | width),
      uint64(this.#ends.length),
      keys.piece(),
      uint64(rows.length),
      new Uint8Array(rows.buffer, 0, rows.byteLength),
    ];
  }

  pieces(): readonly Uint8Array[] {
    return [this.head(), ...this.body()];
  }

  clear(): void {
    this.#keys.length = 0;
    this.#ends = [];
    this.#places.fill(0);
    this.#rows.clear();
  }

  #startOf(key: number): number {
    return key === 0 ? 0 : (this.#ends[key - 1] as number);
  }

  #isKey(key: number, from: Uint8Array, start: number, end: number): boolean {
    const at = this.#startOf(key);
    if ((this.#ends[key] as number) - at !== end - start) return false;
    const {bytes} = this.#keys;
    for (let index = start; index < end; index++) if (bytes[at + index - start] !== from[index]) return false;
    return true;
  }

  #add(place: number, from: Uint8Array, start: number, end: number): number {
    this.#keys.push(from, start, end);
    this.#ends.push(this.#keys.length);
    this.#places[place] = this.#ends.length;
    if (this.#ends.length * 2 > this.#places.length) this.#rehash();
    return this.#ends.length - 1;
  }

  #rehash(): void {
    this.#places = new Uint32Array(this.#places.length * 2);
    const mask = this.#places.length - 1;
    const {bytes} = this.#keys;
    for (const [key, end] of this.#ends.entries()) {
      let hash = 0x811c9dc5;
      for (let index = this.#startOf(key); index < end; index++) hash = Math.imul(hash ^ (bytes[index] as number), 0x01000193);
      let place = (hash ^ (hash >>> 15)) & mask;
      while (this.#places[place] !== 0) place = (place + 1) & mask;
      this.#places[place] = key + 1;
    }
  }
}

/** One text in every row. */
export class ConstantColumn implements NativeColumn {
  readonly type = 'LowCardinality(String)';
  readonly #text: string;
  #rows = 0;

  constructor(text: string) {
    this.#text = text;
  }

  set rows(rows: number) {
    this.#rows = rows;
  }

  pieces(): readonly Uint8Array[] {
    const key = new Bytes();
    const text = utf8.encode(this.#text);
    key.pushVarint(text.length);
    key.push(text, 0, text.length);
    return [uint64(1), uint64(OWN_KEYS), uint64(1), key.piece(), uint64(this.#rows), new Uint8Array(this.#rows)];
  }

  clear(): void {
    this.#rows = 0;
  }
}

type MapValues = DictionaryColumn | TextColumn | FixedColumn;

/** Map(LowCardinality(String), …): where each row's entries end, all keys, all values. */
export class MapColumn<Values extends MapValues> implements NativeColumn {
  readonly type: string;
  readonly #ends = new WordColumn('UInt64');
  readonly #keys = new DictionaryColumn();
  readonly #values: Values;
  readonly #pushValue: (values: Values, value: string | number) => void;

  constructor(values: Values, pushValue: (values: Values, value: string | number) => void) {
    this.type = `Map(LowCardinality(String), ${values.type})`;
    this.#values = values;
    this.#pushValue = pushValue;
  }

  push(from: Uint8Array, {count, places}: EntryPlaces): void {
    for (let at = 0; at < count * 4; at += 4) {
      this.#keys.push(from, places[at] as number, places[at + 1] as number);
      this.#values.push(from, places[at + 2] as number, places[at + 3] as number);
    }
    this.#ends.pushTwo(this.#keys.length, 0);
  }

  pushRecord(members: Readonly<Record<string, string | number>>): void {
    for (const name of Object.keys(members)) {
      this.#keys.pushText(name);
      this.#pushValue(this.#values, members[name] as string | number);
    }
    this.#ends.pushTwo(this.#keys.length, 0);
  }

  pieces(): readonly Uint8Array[] {
    const values = this.#values;
    const isDictionary = values instanceof DictionaryColumn;
    return [
      this.#keys.head(),
      ...(isDictionary ? [values.head()] : []),
      ...this.#ends.pieces(),
      ...this.#keys.body(),
      ...(isDictionary ? values.body() : values.pieces()),
    ];
  }

  clear(): void {
    this.#ends.clear();
    this.#keys.clear();
    this.#values.clear();
  }
}

/** Whole numbers from 0 to 2^53. */
export function uint64(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, value >>> 0, true);
  view.setUint32(4, Math.floor(value / 0x1_0000_0000), true);
  return bytes;
}

/** `rows` rows of the named columns as one block. */
export function nativeBlock(columns: Readonly<Record<string, NativeColumn>>, rows: number): Uint8Array {
  const head = new Bytes();
  const pieces: Uint8Array[] = [];
  const pushHead = (from: number): void => void pieces.push(head.bytes.slice(from, head.length));
  head.pushVarint(Object.keys(columns).length);
  head.pushVarint(rows);
  let from = 0;
  for (const [name, column] of Object.entries(columns)) {
    for (const text of [name, column.type]) {
      const bytes = utf8.encode(text);
      head.pushVarint(bytes.length);
      head.push(bytes, 0, bytes.length);
    }
    pushHead(from);
    from = head.length;
    pieces.push(...column.pieces());
  }
  return Buffer.concat(pieces);
}
