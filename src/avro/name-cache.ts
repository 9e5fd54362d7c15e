/** Longer strings rarely repeat, and comparing them costs what decoding costs. */
const NAME_BYTES_MAX = 32;
/** A power of two. Collisions only cost a decode. */
const ENTRIES = 1_024;

type Entry = {readonly bytes: Uint8Array; readonly text: string};

/**
 * Remembers the text of names that come in nearly every record (experiments,
 * variants, measures, models), so that they are neither decoded nor allocated
 * again. A fixed number of places; a name that hashes to a taken place takes it.
 * Only ASCII is remembered: it needs no check for being UTF-8.
 */
export class NameCache {
  readonly #entries: (Entry | undefined)[] = Array.from({length: ENTRIES}, () => undefined);

  /** The text of bytes `start` to `end`; undefined when they are long or not ASCII. */
  get(bytes: Buffer, start: number, end: number): string | undefined {
    const length = end - start;
    if (length > NAME_BYTES_MAX) return undefined;
    let hash = length;
    let seen = 0;
    for (let i = start; i < end; i += 1) {
      const byte = bytes[i] ?? 0;
      seen |= byte;
      hash = Math.imul(hash ^ byte, 0x01000193);
    }
    if (seen >= 0x80) return undefined;
    const place = (hash ^ (hash >>> 15)) & (ENTRIES - 1);
    const entry = this.#entries[place];
    if (entry !== undefined && entry.bytes.length === length && isEqual(entry.bytes, bytes, start)) return entry.text;
    const text = bytes.toString('latin1', start, end);
    this.#entries[place] = {bytes: Uint8Array.from(bytes.subarray(start, end)), text};
    return text;
  }
}

function isEqual(known: Uint8Array, bytes: Buffer, start: number): boolean {
  for (let i = 0; i < known.length; i += 1) if (known[i] !== bytes[start + i]) return false;
  return true;
}
