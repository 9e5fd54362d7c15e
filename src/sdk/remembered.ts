/**
 * A set that forgets the oldest half when it is full: two generations, so that
 * adding is one hash lookup and nothing is ever sorted.
 */
export class Remembered {
  readonly #max: number;
  #young = new Set<string>();
  #old = new Set<string>();

  /** @param max keys per generation; between one and two generations are remembered */
  constructor(max: number) {
    this.#max = max;
  }

  /** Whether the key is new. */
  add(key: string): boolean {
    if (this.#young.has(key)) return false;
    const isNew = !this.#old.has(key);
    this.#young.add(key);
    if (this.#young.size >= this.#max) {
      this.#old = this.#young;
      this.#young = new Set();
    }
    return isNew;
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }
}
