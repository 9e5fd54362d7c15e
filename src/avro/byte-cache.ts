/** Longer stretches rarely repeat, and comparing them costs what decoding costs. */
const STRETCH_BYTES_MAX = 64;

type Entry<T> = {readonly bytes: Uint8Array; readonly meaning: T};

/**
 * Remembers what stretches of bytes mean that come in nearly every record, so that
 * they are neither decoded nor allocated again. A fixed number of places; a stretch
 * that hashes to a taken place takes it, which only costs a decode.
 */
export class ByteCache<T> {
  readonly #entries: (Entry<T> | undefined)[];
  readonly #mask: number;

  /** @param places a power of two */
  constructor(places: number) {
    this.#entries = Array.from({length: places}, () => undefined);
    this.#mask = places - 1;
  }

  /** What bytes `start` to `end` mean; undefined when that is not remembered. */
  get(bytes: Uint8Array, start: number, end: number): T | undefined {
    const entry = this.#entries[this.#placeOf(bytes, start, end)];
    return entry !== undefined && isEqual(entry.bytes, bytes, {start, end}) ? entry.meaning : undefined;
  }

  set(stretch: Uint8Array, meaning: T): void {
    if (stretch.length > STRETCH_BYTES_MAX) return;
    const bytes = Uint8Array.from(stretch);
    this.#entries[this.#placeOf(bytes, 0, bytes.length)] = {bytes, meaning};
  }

  #placeOf(bytes: Uint8Array, start: number, end: number): number {
    let hash = end - start;
    for (let at = start; at < end; at += 1) hash = Math.imul(hash ^ (bytes[at] ?? 0), 0x01000193);
    return (hash ^ (hash >>> 15)) & this.#mask;
  }
}

function isEqual(known: Uint8Array, bytes: Uint8Array, {start, end}: {readonly start: number; readonly end: number}): boolean {
  if (known.length !== end - start) return false;
  for (let at = 0; at < known.length; at += 1) if (known[at] !== bytes[start + at]) return false;
  return true;
}
