const PAIRS_MIN = 4;
/** No bucket: they lie within ±4 000. */
const FREE = -32_768;

/** Counts of one histogram in someone else's array: bucket and count behind each other. */
export class BucketSpan implements Iterable<readonly [bucket: number, count: number]> {
  readonly #pairs: Int32Array;
  readonly #from: number;
  readonly #to: number;

  constructor(pairs: Int32Array, from: number, to: number) {
    this.#pairs = pairs;
    this.#from = from;
    this.#to = to;
  }

  /** Buckets that were counted in. */
  get size(): number {
    return (this.#to - this.#from) / 2;
  }

  *[Symbol.iterator](): Iterator<readonly [number, number]> {
    for (let at = this.#from; at < this.#to; at += 2) yield [this.#pairs[at] as number, this.#pairs[at + 1] as number];
  }
}

/**
 * Counts per histogram bucket for many small histograms: hash tables with open
 * addressing, all in one array of integers. A table that fills up moves to a place
 * twice as large, and its old place waits for another.
 *
 *     pairs   … │ 12 3 │ free │ 14 1 │ free │ …     a table of 4 pairs
 */
export class BucketTables {
  #pairs = new Int32Array(PAIRS_MIN * 2);
  #used = 0;
  /** Of each table, by its number: where it begins, how many pairs it has room for, how many it holds. */
  #starts: number[] = [];
  #rooms: number[] = [];
  #sizes: number[] = [];
  /** Left places by their room. */
  readonly #left = new Map<number, number[]>();

  /** Makes table `number` empty. */
  open(number: number): void {
    this.#starts[number] = this.#place(PAIRS_MIN);
    this.#rooms[number] = PAIRS_MIN;
    this.#sizes[number] = 0;
  }

  close(number: number): void {
    this.#leave(this.#starts[number] as number, this.#rooms[number] as number);
  }

  size(number: number): number {
    return this.#sizes[number] as number;
  }

  add(number: number, bucket: number, count: number): void {
    const pairs = this.#pairs;
    const at = placeOf(pairs, {start: this.#starts[number] as number, room: this.#rooms[number] as number, bucket});
    if (pairs[at] === bucket) {
      pairs[at + 1] = (pairs[at + 1] as number) + count;
      return;
    }
    pairs[at] = bucket;
    pairs[at + 1] = count;
    const size = (this.#sizes[number] as number) + 1;
    this.#sizes[number] = size;
    if (size * 4 > (this.#rooms[number] as number) * 3) this.#grow(number);
  }

  /** Writes the table's pairs to `target` from `at` on. @returns where they end */
  copyTo(target: Int32Array, at: number, number: number): number {
    const pairs = this.#pairs;
    const start = this.#starts[number] as number;
    const end = start + (this.#rooms[number] as number) * 2;
    for (let from = start; from < end; from += 2) {
      if (pairs[from] === FREE) continue;
      target[at++] = pairs[from] as number;
      target[at++] = pairs[from + 1] as number;
    }
    return at;
  }

  #grow(number: number): void {
    const room = this.#rooms[number] as number;
    const before = this.#starts[number] as number;
    const start = this.#place(room * 2);
    const pairs = this.#pairs;
    for (let from = before; from < before + room * 2; from += 2) {
      const bucket = pairs[from] as number;
      if (bucket === FREE) continue;
      const to = placeOf(pairs, {start, room: room * 2, bucket});
      pairs[to] = bucket;
      pairs[to + 1] = pairs[from + 1] as number;
    }
    this.#leave(before, room);
    this.#starts[number] = start;
    this.#rooms[number] = room * 2;
  }

  /** An empty place for so many pairs. */
  #place(room: number): number {
    const left = this.#left.get(room)?.pop();
    const start = left ?? this.#used;
    if (left === undefined) {
      this.#used += room * 2;
      if (this.#used > this.#pairs.length) {
        const larger = new Int32Array(Math.max(this.#used, this.#pairs.length * 2));
        larger.set(this.#pairs);
        this.#pairs = larger;
      }
    }
    const end = start + room * 2;
    for (let at = start; at < end; at += 2) this.#pairs[at] = FREE;
    return start;
  }

  #leave(start: number, room: number): void {
    const left = this.#left.get(room);
    if (left === undefined) this.#left.set(room, [start]);
    else left.push(start);
  }
}

function placeOf(pairs: Int32Array, {start, room, bucket}: {readonly start: number; readonly room: number; readonly bucket: number}): number {
  const mask = room - 1;
  let place = (Math.imul(bucket, 0x9e3779b1) >>> 16) & mask;
  let at = start + place * 2;
  while (pairs[at] !== FREE && pairs[at] !== bucket) {
    place = (place + 1) & mask;
    at = start + place * 2;
  }
  return at;
}
