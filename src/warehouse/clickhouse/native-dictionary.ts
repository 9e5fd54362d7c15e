import {Bytes, type NativeColumn, uint64, WordColumn} from './native-column.ts';

const utf8 = new TextEncoder();

/** Keys follow, and they are all the keys there are: no dictionary is shared between blocks. */
const OWN_KEYS = 1 << 9;
const DICTIONARY_VERSION = 1;
const INDEX_TYPES = [Uint8Array, Uint16Array, Uint32Array] as const;

/** LowCardinality(String): each text once, and a number a row. */
export class DictionaryColumn implements NativeColumn {
  readonly type = 'LowCardinality(String)';
  readonly #keys = new Bytes();
  /** Where key `i` ends in `#keys`. */
  #ends: number[] = [];
  /** Open addressing: the number of a key + 1; 0 is free. */
  #places = new Uint32Array(64);
  /** By key, the one that came after it: names come in the same order in row after row. */
  #successors: number[] = [];
  #last = 0;
  readonly #rows = new WordColumn('UInt32');

  push(from: Uint8Array, start: number, end: number): void {
    const likely = this.#successors[this.#last];
    const key = likely !== undefined && this.#isKey(likely, from, start, end) ? likely : this.keyOf(from, start, end);
    this.#successors[this.#last] = key;
    this.#last = key;
    this.#rows.push(key);
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

  pieces(): readonly Uint8Array[] {
    const keys = new Bytes();
    for (const [key, end] of this.#ends.entries()) keys.pushText(this.#keys.bytes, this.#startOf(key), end);
    const width = this.#ends.length <= 0x100 ? 0 : this.#ends.length <= 0x1_0000 ? 1 : 2;
    const rows = INDEX_TYPES[width].from(this.#rows.words.subarray(0, this.#rows.length));
    return [
      uint64(DICTIONARY_VERSION),
      uint64(OWN_KEYS | width),
      uint64(this.#ends.length),
      keys.piece(),
      uint64(rows.length),
      new Uint8Array(rows.buffer, 0, rows.byteLength),
    ];
  }

  clear(): void {
    this.#keys.length = 0;
    this.#ends = [];
    this.#places.fill(0);
    this.#successors = [];
    this.#last = 0;
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
    key.pushText(text, 0, text.length);
    return [uint64(DICTIONARY_VERSION), uint64(OWN_KEYS), uint64(1), key.piece(), uint64(this.#rows), new Uint8Array(this.#rows)];
  }

  clear(): void {
    this.#rows = 0;
  }
}

/** One of a few texts, told by its place among them. */
export class ChoiceColumn implements NativeColumn {
  readonly type = 'LowCardinality(String)';
  readonly #choices: readonly string[];
  readonly #texts = new DictionaryColumn();
  #keys: readonly number[] = [];

  constructor(choices: readonly string[]) {
    this.#choices = choices;
  }

  push(choice: number): void {
    if (this.#keys.length === 0) this.#keys = this.#choices.map(text => this.#texts.keyOfText(text));
    this.#texts.pushKey(this.#keys[choice] as number);
  }

  pushText(text: string): void {
    this.push(this.#choices.indexOf(text));
  }

  pieces(): readonly Uint8Array[] {
    return this.#texts.pieces();
  }

  clear(): void {
    this.#texts.clear();
    this.#keys = [];
  }
}
