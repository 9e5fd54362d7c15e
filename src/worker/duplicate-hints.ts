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

  /** Remembers the id, whose 64-bit hash comes in two halves; true when it was known. */
  seen(low: number, high: number): boolean {
    // 0 marks a free place; who hashes to it is kept as another number.
    const lower = low === 0 && high === 0 ? STANDS_FOR_ZERO : low;
    if (this.#young.size >= this.#halfMax) {
      const emptied = this.#old;
      this.#old = this.#young;
      this.#young = emptied;
      emptied.clear();
    }
    return !this.#young.add(lower, high) || this.#old.has(lower, high);
  }
}

const PLACES_MIN = 1_024;
const STANDS_FOR_ZERO = 0x9e37_79b9;

/** 64-bit hashes in a table with open addressing: a third of a `Set` of bigints in time, a fifth in memory. */
class IdSet {
  size = 0;
  #places = PLACES_MIN;
  /** Two numbers a place; both 0 where it is free. */
  #ids = new Uint32Array(PLACES_MIN * 2);

  has(low: number, high: number): boolean {
    const at = this.#find(low, high);
    return this.#ids[at] !== 0 || this.#ids[at + 1] !== 0;
  }

  /** @returns false when it was there */
  add(low: number, high: number): boolean {
    const at = this.#find(low, high);
    if (this.#ids[at] !== 0 || this.#ids[at + 1] !== 0) return false;
    this.#ids[at] = low;
    this.#ids[at + 1] = high;
    this.size++;
    if (this.size * 2 > this.#places) this.#grow();
    return true;
  }

  /** Keeps its size: it will be as full again. */
  clear(): void {
    this.#ids.fill(0);
    this.size = 0;
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
