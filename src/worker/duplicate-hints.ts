/**
 * Ids of a partition's recent outcomes, so that a duplicate does not count twice in
 * a provisional slice. Forgetting is harmless: closing reads facts, which know.
 *
 * Facts are inserted all the same, duplicates too. Leaving a known one out would be
 * safe against every crash (the earlier copy is durable first), but not against
 * `forget`: a tombstone takes the earlier copy away and not the later one.
 *
 * Two generations of half the limit each: when the young one is full the old one
 * goes, which costs nothing per id (an LRU's bookkeeping would).
 */
export class DuplicateHints {
  readonly #halfMax: number;
  #young = new Set<bigint>();
  #old = new Set<bigint>();

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
      this.#young = new Set();
    }
    this.#young.add(idHash);
    return wasOld;
  }
}
