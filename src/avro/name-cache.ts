import {ByteCache} from './byte-cache.ts';

/** Longer names rarely repeat. */
const NAME_BYTES_MAX = 32;
/** Ten thousand experiments and what else has a name. */
const NAMES = 16_384;

/**
 * Remembers the text of names that come in nearly every record (experiments,
 * variants, measures, models). Only ASCII is remembered: it needs no check for
 * being UTF-8.
 */
export class NameCache {
  readonly #texts = new ByteCache<string>(NAMES);

  /** The text of bytes `start` to `end`; undefined when they are long or not ASCII. */
  get(bytes: Uint8Array, start: number, end: number): string | undefined {
    if (end - start > NAME_BYTES_MAX) return undefined;
    const known = this.#texts.get(bytes, start, end);
    if (known !== undefined) return known;
    const name = bytes.subarray(start, end);
    if (name.some(byte => byte >= 0x80)) return undefined;
    const text = internalized(String.fromCharCode(...name));
    this.#texts.set(name, text);
    return text;
  }
}

/** The engine's own copy of a text, by which equal names are told equal without looking at their letters. */
const internalized = (text: string): string => Object.keys({[text]: 0})[0] as string;
