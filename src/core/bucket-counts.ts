const PLACES_MIN = 8;
/** No bucket: they lie within ±4 000. */
const FREE = -32_768;

/**
 * Counts per histogram bucket that are added to often: a small table with open
 * addressing, bucket and count behind each other in one array of small integers,
 * where a `Map` would cost several times as much per update and per copy.
 */
export class BucketCounts implements Iterable<readonly [bucket: number, count: number]> {
  #places: number[];
  #size: number;

  constructor(from?: BucketCounts) {
    this.#places = from === undefined ? freePlaces(PLACES_MIN) : from.#places.slice();
    this.#size = from === undefined ? 0 : from.#size;
  }

  /** Buckets that were counted in. */
  get size(): number {
    return this.#size;
  }

  add(bucket: number, count: number): void {
    const places = this.#places;
    const at = placeOf(places, bucket);
    places[at + 1] = (places[at + 1] as number) + count;
    if (places[at] === bucket) return;
    places[at] = bucket;
    this.#size++;
    if (this.#size * 8 > places.length * 3) this.#grow();
  }

  addAll(other: Iterable<readonly [number, number]>): void {
    for (const [bucket, count] of other) this.add(bucket, count);
  }

  *[Symbol.iterator](): Iterator<readonly [number, number]> {
    const places = this.#places;
    for (let at = 0; at < places.length; at += 2) {
      if (places[at] !== FREE) yield [places[at] as number, places[at + 1] as number];
    }
  }

  #grow(): void {
    const before = this.#places;
    this.#places = freePlaces(before.length);
    for (let at = 0; at < before.length; at += 2) {
      const bucket = before[at] as number;
      if (bucket === FREE) continue;
      const to = placeOf(this.#places, bucket);
      this.#places[to] = bucket;
      this.#places[to + 1] = before[at + 1] as number;
    }
  }
}

function freePlaces(count: number): number[] {
  const places: number[] = [];
  for (let place = 0; place < count; place++) places.push(FREE, 0);
  return places;
}

function placeOf(places: readonly number[], bucket: number): number {
  const mask = places.length / 2 - 1;
  let place = (Math.imul(bucket, 0x9e3779b1) >>> 16) & mask;
  while (places[place * 2] !== FREE && places[place * 2] !== bucket) place = (place + 1) & mask;
  return place * 2;
}
