/**
 * Ids of a partition's recent outcomes, so that a duplicate does not count twice in
 * a provisional slice. Forgetting is harmless: closing reads facts, which know.
 *
 * Facts are inserted all the same, duplicates too: what is stored must not depend on
 * what a worker happens to remember.
 *
 * Two generations of half the limit each: when the young one is full the old one
 * goes, which costs nothing per id (an LRU's bookkeeping would).
 */
export class DuplicateHints {
  readonly #halfMax: number;
  #young = new IdSet();
  #old = new IdSet();

  constructor(idsMax: number) {
    this.#halfMax = Math.max(1, Math.floor(idsMax / 2));
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }

  /** Remembers the id; true when it was known. */
  seen(idHash: bigint): boolean {
    if (this.#young.has(idHash)) return true;
    const wasOld = this.#old.has(idHash);
    if (this.#young.size >= this.#halfMax) {
      this.#old = this.#young;
      this.#young = new IdSet();
    }
    this.#young.add(idHash);
    return wasOld;
  }
}

const PLACES_MIN = 1_024;
const STANDS_FOR_ZERO = 0x9e37_79b9_7f4a_7c15n;
/** A 64-bit number as two of 32 bits, without arithmetic on bigints. */
const whole = new BigUint64Array(1);
const halves = new Uint32Array(whole.buffer);

/** 64-bit hashes in a table with open addressing: a third of a `Set` of bigints in time, a fifth in memory. */
class IdSet {
  size = 0;
  #places = PLACES_MIN;
  /** Two numbers a place; both 0 where it is free. */
  #ids = new Uint32Array(PLACES_MIN * 2);

  has(id: bigint): boolean {
    const place = this.#placeOf(id);
    return this.#ids[place] !== 0 || this.#ids[place + 1] !== 0;
  }

  add(id: bigint): void {
    const place = this.#placeOf(id);
    if (this.#ids[place] !== 0 || this.#ids[place + 1] !== 0) return;
    this.#ids[place] = halves[0] as number;
    this.#ids[place + 1] = halves[1] as number;
    this.size++;
    if (this.size * 2 > this.#places) this.#grow();
  }

  /** Where the id is, or the free place where it belongs; leaves the id in `halves`. */
  #placeOf(id: bigint): number {
    whole[0] = id;
    // 0 marks a free place; who hashes to it is kept as another number.
    if (halves[0] === 0 && halves[1] === 0) whole[0] = STANDS_FOR_ZERO;
    return this.#find(halves[0] as number, halves[1] as number);
  }

  #find(low: number, high: number): number {
    const ids = this.#ids;
    const mask = this.#places - 1;
    for (let place = low & mask; ; place = (place + 1) & mask) {
      const at = place * 2;
      const isFree = ids[at] === 0 && ids[at + 1] === 0;
      if (isFree || (ids[at] === low && ids[at + 1] === high)) return at;
    }
  }

  #grow(): void {
    const before = this.#ids;
    this.#places *= 2;
    this.#ids = new Uint32Array(this.#places * 2);
    for (let at = 0; at < before.length; at += 2) {
      const [low, high] = [before[at] as number, before[at + 1] as number];
      if (low === 0 && high === 0) continue;
      const place = this.#find(low, high);
      this.#ids[place] = low;
      this.#ids[place + 1] = high;
    }
  }
}
