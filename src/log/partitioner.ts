/**
 * Kafka's default partitioner: murmur2 over the key's UTF-8 bytes. Every adapter
 * uses it, so that a key lies in the same partition whichever log it is sent to,
 * and a producer in another language agrees.
 */
const SEED = 0x9747b28c;
const MULTIPLIER = 0x5bd1e995;

const encoder = new TextEncoder();
let scratch = new Uint8Array(2048);

export function partitionOf(key: string, partitions: number): number {
  if (key.length * 3 > scratch.length) scratch = new Uint8Array(key.length * 3);
  const {written} = encoder.encodeInto(key, scratch);
  return (murmur2(scratch, written) & 0x7fffffff) % partitions;
}

/** The 32-bit murmur2 of the first `length` bytes, as Kafka's `Utils.murmur2`. */
export function murmur2(bytes: Uint8Array, length = bytes.length): number {
  const at = (index: number): number => bytes[index] ?? 0;
  const wholes = length & ~3;
  let hash = SEED ^ length;
  for (let i = 0; i < wholes; i += 4) {
    let word = at(i) | (at(i + 1) << 8) | (at(i + 2) << 16) | (at(i + 3) << 24);
    word = Math.imul(word, MULTIPLIER);
    word ^= word >>> 24;
    hash = Math.imul(hash, MULTIPLIER) ^ Math.imul(word, MULTIPLIER);
  }
  const rest = length - wholes;
  if (rest > 2) hash ^= at(wholes + 2) << 16;
  if (rest > 1) hash ^= at(wholes + 1) << 8;
  if (rest > 0) hash = Math.imul(hash ^ at(wholes), MULTIPLIER);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, MULTIPLIER);
  return hash ^ (hash >>> 15);
}
