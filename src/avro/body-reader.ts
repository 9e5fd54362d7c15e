import {isUtf8} from 'node:buffer';
import {LIMITS} from '../core/limits.ts';
import {DecodeFault} from './decode-fault.ts';
import {NameCache} from './name-cache.ts';

const LONG_MAX = 2 ** 52;

/**
 * Reads Avro's binary encoding with every length checked before it is used.
 *
 * avsc checks only at the end whether it ran past the buffer: a map that claims
 * 2^50 entries keeps it busy for weeks. Nothing here loops or allocates by a
 * number from the record that the record's own bytes don't back.
 *
 * One reader is reused for all records of a process; it is never re-entered.
 */
export class BodyReader {
  /** What is being read, for the message of a fault. */
  field = '';
  #bytes: Uint8Array = Buffer.alloc(0);
  #start = 0;
  #pos = 0;
  #end = 0;
  /** Over the memory that `bytes` is a view of: kept while records share it, as those of a fetch do. */
  #view: DataView = new DataView(new ArrayBuffer(0));
  readonly #names = new NameCache();

  get bytes(): Uint8Array {
    return this.#bytes;
  }

  get position(): number {
    return this.#pos;
  }

  /** Starts at `offset` of `bytes`, which may go on behind `end`; the reader does not keep what it returned. */
  open(bytes: Uint8Array, offset: number, end: number = bytes.length): void {
    this.#pos = offset;
    this.#end = end;
    if (this.#bytes === bytes) return;
    this.#bytes = bytes;
    this.#start = bytes.byteOffset;
    if (this.#view.buffer !== bytes.buffer) this.#view = new DataView(bytes.buffer);
  }

  /** @throws DecodeFault unless every byte was read. */
  close(): void {
    const rest = this.#end - this.#pos;
    if (rest > 0) throw new DecodeFault('undecodable', `${rest} trailing bytes after the record; write one record per message`);
  }

  int(): number {
    const value = this.long();
    if (value !== (value | 0)) throw new DecodeFault('undecodable', `${this.field}: ${value} does not fit into 32 bits`);
    return value;
  }

  /**
   * A whole number within ±2^52. Beyond it avsc, which adds up the zigzag form in
   * a double, gets the sign wrong; no time or count of ours comes near.
   */
  long(): number {
    const bytes = this.#bytes;
    let pos = this.#pos;
    let byte = bytes[pos] ?? -1;
    pos += 1;
    let low = byte & 0x7f;
    let shift = 7;
    while (byte >= 0x80 && shift < 28) {
      byte = bytes[pos] ?? -1;
      pos += 1;
      low |= (byte & 0x7f) << shift;
      shift += 7;
    }
    if (byte < 0x80) {
      if (pos > this.#end) throw this.#truncated();
      this.#pos = pos;
      return (low >>> 1) ^ -(low & 1);
    }
    let high = 0;
    shift = 0;
    while (byte >= 0x80 && shift < 28) {
      byte = bytes[pos] ?? -1;
      pos += 1;
      high |= (byte & 0x7f) << shift;
      shift += 7;
    }
    if (byte < 0 || pos > this.#end) throw this.#truncated();
    const size = (low >>> 1) + high * 2 ** 27;
    if (byte >= 0x80 || size >= LONG_MAX) {
      throw new DecodeFault('undecodable', `${this.field}: a whole number outside ±2^52`);
    }
    this.#pos = pos;
    return (low & 1) === 0 ? size : -size - 1;
  }

  double(): number {
    return this.#view.getFloat64(this.#start + this.#take(8), true);
  }

  /** A copy of `length` bytes. */
  fixed(length: number): Uint8Array {
    const start = this.#take(length);
    const copy = new Uint8Array(length);
    for (let i = 0; i < length; i += 1) copy[i] = this.#bytes[start + i] ?? 0;
    return copy;
  }

  /** @throws DecodeFault `schema_invalid` when longer than `charsMax` UTF-16 units, `undecodable` when not UTF-8. */
  string(charsMax: number): string {
    const length = this.#length();
    const start = this.#take(length);
    if (length === 0) return '';
    const text = this.#text(start, start + length);
    // Only a replacement character can hide bytes that are not UTF-8.
    if (text.includes('\ufffd') && !isUtf8(this.#bytes.subarray(start, start + length))) {
      throw new DecodeFault('undecodable', `${this.field}: bytes that are not UTF-8`);
    }
    if (text.length > charsMax) {
      throw new DecodeFault('schema_invalid', `${this.field}: ${text.length} characters, the limit is ${charsMax}`);
    }
    return text;
  }

  /** As `string`, for texts that repeat from record to record. */
  name(charsMax: number = LIMITS.nameCharsMax): string {
    const start = this.#pos;
    const length = this.#length();
    const from = this.#take(length);
    const known = this.#names.get(this.#bytes, from, from + length);
    if (known !== undefined) return known;
    this.#pos = start;
    return this.string(charsMax);
  }

  nullableString(charsMax: number): string | null {
    return this.index(2, 'branch') === 0 ? null : this.string(charsMax);
  }

  /** An enum's symbol or a union's branch, below `count`. */
  index(count: number, what: string): number {
    const index = this.long();
    if (index < 0 || index >= count) {
      throw new DecodeFault('undecodable', `${this.field}: ${what} ${index} of ${count}`);
    }
    return index;
  }

  strings(entriesMax: number): Record<string, string> {
    const map: Record<string, string> = {};
    let entries = 0;
    for (let count = this.blockCount(); count > 0; count = this.blockCount()) {
      entries = this.#entries(entries + count, entriesMax);
      for (let i = 0; i < count; i += 1) {
        const key = this.#key(map);
        map[key] = this.name(LIMITS.unitIdCharsMax);
      }
    }
    return map;
  }

  doubles(entriesMax: number): Record<string, number> {
    const map: Record<string, number> = {};
    let entries = 0;
    for (let count = this.blockCount(); count > 0; count = this.blockCount()) {
      entries = this.#entries(entries + count, entriesMax);
      for (let i = 0; i < count; i += 1) {
        const key = this.#key(map);
        map[key] = this.double();
      }
    }
    return map;
  }

  /** The number of items in the next block; 0 ends the list. Negative counts carry the block's size in bytes. */
  blockCount(): number {
    const count = this.long();
    if (count >= 0) return this.#backed(count);
    const size = this.long();
    if (size < 0 || size > this.#end - this.#pos) throw this.#truncated();
    return this.#backed(-count);
  }

  /** Goes back to a place it was at before. */
  goBack(position: number): void {
    this.#pos = position;
  }

  /** Skips these bytes if they come next. */
  skipIf(expected: Uint8Array): boolean {
    const start = this.#pos;
    const end = start + expected.length;
    if (end > this.#end) return false;
    const bytes = this.#bytes;
    for (let at = 0; at < expected.length; at += 1) if (bytes[start + at] !== expected[at]) return false;
    this.#pos = end;
    return true;
  }

  /** Skips `length` bytes that are there. */
  skip(length: number): void {
    this.#take(length);
  }

  skipString(): void {
    const length = this.#length();
    const start = this.#take(length);
    if (!isUtf8(this.#bytes.subarray(start, start + length))) {
      throw new DecodeFault('undecodable', `${this.field}: bytes that are not UTF-8`);
    }
  }

  /** Skips a string; false when it is not ASCII or not of `charsMin` to `charsMax` characters. */
  skipAscii(charsMin: number, charsMax: number): boolean {
    const length = this.#length();
    const start = this.#take(length);
    if (length < charsMin || length > charsMax) return false;
    const bytes = this.#bytes;
    let seen = 0;
    for (let at = start; at < start + length; at += 1) seen |= bytes[at] ?? 0x80;
    return seen < 0x80;
  }

  /** Where the characters of the string at `at` begin. */
  textStart(at: number): number {
    let start = at;
    while ((this.#bytes[start] ?? 0) >= 0x80) start += 1;
    return start + 1;
  }

  uint48At(at: number): number {
    const start = this.#start + at;
    return this.#view.getUint16(start) * 2 ** 32 + this.#view.getUint32(start + 2);
  }

  isAtEnd(): boolean {
    return this.#pos === this.#end;
  }

  skipBytes(): void {
    this.#take(this.#length());
  }

  #entries(entries: number, entriesMax: number): number {
    if (entries <= entriesMax) return entries;
    throw new DecodeFault('schema_invalid', `${this.field}: ${entries} entries, the limit is ${entriesMax}`);
  }

  #key(map: object): string {
    const key = this.key();
    if (Object.hasOwn(map, key)) throw new DecodeFault('schema_invalid', `${this.field}: ${JSON.stringify(key)} is there twice`);
    return key;
  }

  /** The name of a map's entry. */
  key(): string {
    const key = this.name();
    if (key === '') throw new DecodeFault('schema_invalid', `${this.field}: an entry has an empty name`);
    // `__proto__` would not become an entry but change the object.
    if (key === '__proto__') throw new DecodeFault('schema_invalid', `${this.field}: the name __proto__ is not allowed`);
    return key;
  }

  #length(): number {
    const length = this.long();
    if (length < 0) throw new DecodeFault('undecodable', `${this.field}: negative length ${length}`);
    return length;
  }

  /** Every item of a map or of our arrays takes at least one byte. */
  #backed(count: number): number {
    if (count > this.#end - this.#pos) throw this.#truncated();
    return count;
  }

  #take(length: number): number {
    const start = this.#pos;
    if (length > this.#end - start) throw this.#truncated();
    this.#pos = start + length;
    return start;
  }

  #text(start: number, end: number): string {
    const bytes = this.#bytes;
    const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return buffer.toString('utf8', start, end);
  }

  #truncated(): DecodeFault {
    return new DecodeFault('undecodable', `${this.field}: the record ends in the middle of it (${this.#bytes.length} bytes)`);
  }
}
