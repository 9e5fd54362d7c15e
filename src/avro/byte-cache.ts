/** Longer stretches rarely repeat, and comparing them costs what decoding costs. */
const STRETCH_BYTES_MAX = 64;

/**
 * Remembers what stretches of bytes mean that come in nearly every record, so that
 * they are neither decoded nor allocated again. A fixed number of places, two for
 * each hash; a stretch that finds both taken takes the one it was not put in last,
 * which only costs a decode.
 *
 *     stretches   64 bytes a place: │ exp-3 · a ………… │ exp-7 · b ………… │
 *     lengths     one a place       │ 8              │ 8              │   0: free
 */
export class ByteCache<T> {
  readonly #stretches: Uint8Array;
  readonly #lengths: Uint8Array;
  readonly #meanings: (T | undefined)[];
  readonly #mask: number;
  #turn = 0;

  /** @param places a power of two */
  constructor(places: number) {
    this.#stretches = new Uint8Array(places * STRETCH_BYTES_MAX);
    this.#lengths = new Uint8Array(places);
    this.#meanings = Array.from({length: places}, () => undefined);
    this.#mask = places - 1;
  }

  /** What bytes `start` to `end` mean; undefined when that is not remembered. */
  get(bytes: Uint8Array, start: number, end: number): T | undefined {
    const place = this.#placeOf(bytes, start, end);
    if (this.#isAt(place, bytes, {start, end})) return this.#meanings[place];
    return this.#isAt(place ^ 1, bytes, {start, end}) ? this.#meanings[place ^ 1] : undefined;
  }

  set(stretch: Uint8Array, meaning: T): void {
    if (stretch.length === 0 || stretch.length > STRETCH_BYTES_MAX) return;
    let place = this.#placeOf(stretch, 0, stretch.length);
    if (this.#lengths[place] !== 0) {
      this.#turn ^= 1;
      if (this.#lengths[place ^ 1] === 0 || this.#turn === 1) place ^= 1;
    }
    this.#stretches.set(stretch, place * STRETCH_BYTES_MAX);
    this.#lengths[place] = stretch.length;
    this.#meanings[place] = meaning;
  }

  #placeOf(bytes: Uint8Array, start: number, end: number): number {
    let hash = end - start;
    for (let at = start; at < end; at += 1) hash = Math.imul(hash ^ (bytes[at] ?? 0), 0x01000193);
    return (hash ^ (hash >>> 15)) & this.#mask;
  }

  #isAt(place: number, bytes: Uint8Array, {start, end}: {readonly start: number; readonly end: number}): boolean {
    const length = end - start;
    if (this.#lengths[place] !== length) return false;
    const stretches = this.#stretches;
    const from = place * STRETCH_BYTES_MAX;
    for (let at = 0; at < length; at += 1) if (stretches[from + at] !== bytes[start + at]) return false;
    return true;
  }
}
