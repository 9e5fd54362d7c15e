/** Longer stretches rarely repeat, and comparing them costs what decoding costs. */
const STRETCH_BYTES_MAX = 64;
/** Of one group. With two, a table filled to a third lost a twentieth of what was asked for; with eight hardly anything. */
const WAYS = 8;
export const NOWHERE = -1;

/**
 * Remembers what stretches of bytes mean that come in nearly every record, so that
 * they are neither decoded nor allocated again. A fixed number of places in groups;
 * the hash names the group, and a stretch that finds it full takes one place after
 * the other, which only costs a decode.
 *
 *     hashes      of a group beside each other   │ 9f31 │ 0 │ 04c2 │ …   0: free
 *     stretches   64 bytes a place               │ exp-3 · a ………… │ exp-7 · b ………… │
 *     lengths     one a place                    │ 8              │ 8              │
 */
export class ByteCache<T> {
  readonly #hashes: Int32Array;
  readonly #stretches: Uint8Array;
  readonly #lengths: Uint8Array;
  readonly #meanings: (T | undefined)[];
  readonly #mask: number;
  #turn = 0;

  /** @param places a power of two, at least eight */
  constructor(places: number) {
    this.#hashes = new Int32Array(places);
    this.#stretches = new Uint8Array(places * STRETCH_BYTES_MAX);
    this.#lengths = new Uint8Array(places);
    this.#meanings = Array.from({length: places}, () => undefined);
    this.#mask = places - WAYS;
  }

  /** What bytes `start` to `end` mean; undefined when that is not remembered. */
  get(bytes: Uint8Array, start: number, end: number): T | undefined {
    const place = this.find(bytes, start, end);
    return place === NOWHERE ? undefined : this.#meanings[place];
  }

  /** Where bytes `start` to `end` are remembered, or NOWHERE. */
  find(bytes: Uint8Array, start: number, end: number): number {
    const hash = hashOf(bytes, start, end);
    const group = this.#groupOf(hash);
    for (let place = group; place < group + WAYS; place += 1) {
      if (this.#hashes[place] === hash && this.#isAt(place, bytes, {start, end})) return place;
    }
    return NOWHERE;
  }

  meaningAt(place: number): T | undefined {
    return this.#meanings[place];
  }

  /** @returns where it is remembered from now on, or NOWHERE when it is too long */
  set(stretch: Uint8Array, meaning: T): number {
    if (stretch.length === 0 || stretch.length > STRETCH_BYTES_MAX) return NOWHERE;
    const hash = hashOf(stretch, 0, stretch.length);
    const group = this.#groupOf(hash);
    let place = group;
    while (place < group + WAYS && this.#hashes[place] !== 0) place += 1;
    if (place === group + WAYS) {
      this.#turn = (this.#turn + 1) % WAYS;
      place = group + this.#turn;
    }
    this.#hashes[place] = hash;
    this.#stretches.set(stretch, place * STRETCH_BYTES_MAX);
    this.#lengths[place] = stretch.length;
    this.#meanings[place] = meaning;
    return place;
  }

  #groupOf(hash: number): number {
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

/** FNV-1a, never 0. */
function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = end - start;
  for (let at = start; at < end; at += 1) hash = Math.imul(hash ^ (bytes[at] ?? 0), 0x01000193);
  return hash === 0 ? 1 : hash;
}
