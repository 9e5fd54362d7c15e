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

  /** The length, then the bytes. */
  pushText(from: Uint8Array, start: number, end: number): void {
    const size = end - start;
    if (size > 64) {
      this.pushVarint(size);
      this.push(from, start, end);
      return;
    }
    const at = this.reserve(size + 1);
    const {bytes} = this;
    bytes[at] = size;
    for (let index = 0; index < size; index++) bytes[at + 1 + index] = from[start + index] as number;
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
    const at = this.length;
    if (at + 2 > this.words.length) this.#grow();
    this.words[at] = low;
    this.words[at + 1] = high;
    this.length = at + 2;
  }

  /** A whole number within ±2^53 as 64 bits. */
  pushWhole(value: number): void {
    this.pushTwo(value >>> 0, Math.floor(value / 0x1_0000_0000));
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

/** Numbers of 16 bits. */
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
    this.#bytes.pushText(from, start, end);
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

/** Map(String, …): where each row's entries end, all keys, all values. */
export class MapColumn<Values extends TextColumn | FixedColumn> implements NativeColumn {
  readonly type: string;
  readonly #ends = new WordColumn('UInt64');
  readonly #keys = new TextColumn();
  readonly #values: Values;
  readonly #pushValue: (values: Values, value: string | number) => void;
  #entries = 0;

  constructor(values: Values, pushValue: (values: Values, value: string | number) => void) {
    this.type = `Map(String, ${values.type})`;
    this.#values = values;
    this.#pushValue = pushValue;
  }

  push(from: Uint8Array, {count, places}: EntryPlaces): void {
    for (let at = 0; at < count * 4; at += 4) {
      this.#keys.push(from, places[at] as number, places[at + 1] as number);
      this.#values.push(from, places[at + 2] as number, places[at + 3] as number);
    }
    this.#entries += count;
    this.#ends.pushTwo(this.#entries, 0);
  }

  pushRecord(members: Readonly<Record<string, string | number>>): void {
    for (const name of Object.keys(members)) {
      this.#keys.pushText(name);
      this.#pushValue(this.#values, members[name] as string | number);
      this.#entries += 1;
    }
    this.#ends.pushTwo(this.#entries, 0);
  }

  pieces(): readonly Uint8Array[] {
    return [...this.#ends.pieces(), ...this.#keys.pieces(), ...this.#values.pieces()];
  }

  clear(): void {
    this.#entries = 0;
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

/** `rows` rows of the named columns as one block, in pieces that hold until a column is cleared. */
export function nativeBlock(columns: Readonly<Record<string, NativeColumn>>, rows: number): readonly Uint8Array[] {
  const head = new Bytes();
  const pieces: Uint8Array[] = [];
  const pushHead = (from: number): void => void pieces.push(head.bytes.slice(from, head.length));
  head.pushVarint(Object.keys(columns).length);
  head.pushVarint(rows);
  let from = 0;
  for (const [name, column] of Object.entries(columns)) {
    for (const text of [name, column.type]) {
      const bytes = utf8.encode(text);
      head.pushText(bytes, 0, bytes.length);
    }
    pushHead(from);
    from = head.length;
    pieces.push(...column.pieces());
  }
  return pieces;
}
