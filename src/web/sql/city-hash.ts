/**
 * CityHash128 as of its version 1.0.2, with which ClickHouse checks its compressed blocks. Later versions, and its
 * SQL functions of the name, give other values.
 */

const K0 = 0xc3a5c85c97cb3127n;
const K1 = 0xb492b66fbe98f273n;
const K2 = 0x9ae16a3b2f90404fn;
const K3 = 0xc949d7c7509e6557n;
const MULTIPLIER = 0x9ddfea08eb382d69n;

/** Two unsigned words of 64 bits. */
export type Hash128 = readonly [low: bigint, high: bigint];

export function cityHash128(bytes: Uint8Array): Hash128 {
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const {byteLength: length} = data;
  if (length >= 16) return withSeed({data, from: 16, length: length - 16}, word(data, 0) ^ K3, word(data, 8));
  if (length >= 8) return withSeed({data, from: 0, length: 0}, word(data, 0) ^ low64(BigInt(length) * K0), word(data, length - 8) ^ K1);
  return withSeed({data, from: 0, length}, K0, K1);
}

type Span = {readonly data: DataView; readonly from: number; readonly length: number};

const low64 = (value: bigint): bigint => BigInt.asUintN(64, value);
const word = (data: DataView, at: number): bigint => data.getBigUint64(at, true);
const rotate = (value: bigint, by: bigint): bigint => (value >> by) | low64(value << (64n - by));
const shiftMix = (value: bigint): bigint => value ^ (value >> 47n);

function hash16(low: bigint, high: bigint): bigint {
  const a = shiftMix(low64((low ^ high) * MULTIPLIER));
  const b = shiftMix(low64((high ^ a) * MULTIPLIER));
  return low64(b * MULTIPLIER);
}

function withSeed(span: Span, low: bigint, high: bigint): Hash128 {
  return span.length < 128 ? ofShort(span, low, high) : ofLong(span, low, high);
}

function ofShort({data, from, length}: Span, low: bigint, high: bigint): Hash128 {
  let [a, b] = [low, high];
  let c: bigint;
  let d: bigint;
  if (length <= 16) {
    a = low64(shiftMix(low64(a * K1)) * K1);
    c = low64(b * K1 + upTo16({data, from, length}));
    d = shiftMix(low64(a + (length >= 8 ? word(data, from) : c)));
  } else {
    const end = from + length;
    c = hash16(low64(word(data, end - 8) + K1), a);
    d = hash16(low64(b + BigInt(length)), low64(c + word(data, end - 16)));
    a = low64(a + d);
    for (let at = from, left = length - 16; left > 0; at += 16, left -= 16) {
      a = low64((a ^ low64(shiftMix(low64(word(data, at) * K1)) * K1)) * K1);
      b ^= a;
      c = low64((c ^ low64(shiftMix(low64(word(data, at + 8) * K1)) * K1)) * K1);
      d ^= c;
    }
  }
  a = hash16(a, c);
  b = hash16(d, b);
  return [a ^ b, hash16(b, a)];
}

function upTo16({data, from, length}: Span): bigint {
  const end = from + length;
  if (length > 8) {
    const last = word(data, end - 8);
    return hash16(word(data, from), rotate(low64(last + BigInt(length)), BigInt(length))) ^ last;
  }
  if (length >= 4) return hash16(BigInt(length + data.getUint32(from, true) * 8), BigInt(data.getUint32(end - 4, true)));
  if (length === 0) return K2;
  const y = BigInt(data.getUint8(from) + data.getUint8(from + (length >> 1)) * 256);
  const z = BigInt(length + data.getUint8(end - 1) * 4);
  return low64(shiftMix(low64(y * K2) ^ low64(z * K3)) * K2);
}

function ofLong({data, from, length}: Span, low: bigint, high: bigint): Hash128 {
  let [x, y, z] = [low, high, low64(BigInt(length) * K1)];
  let v0 = low64(rotate(y ^ K1, 49n) * K1 + word(data, from));
  let v1 = low64(rotate(v0, 42n) * K1 + word(data, from + 8));
  let w0 = low64(rotate(low64(y + z), 35n) * K1 + x);
  let w1 = low64(rotate(low64(x + word(data, from + 88)), 53n) * K1);
  // Half a turn reads 64 bytes; what is left after whole turns of 128 is hashed below.
  const halves = Math.floor(length / 128) * 2;
  let at = from;
  for (let half = 0; half < halves; half++, at += 64) {
    x = low64(rotate(low64(x + y + v0 + word(data, at + 16)), 37n) * K1) ^ w1;
    y = low64(rotate(low64(y + v1 + word(data, at + 48)), 42n) * K1) ^ v0;
    z = rotate(z ^ w0, 33n);
    [v0, v1] = weak32(data, at, [low64(v1 * K1), low64(x + w0)]);
    [w0, w1] = weak32(data, at + 32, [low64(z + w1), y]);
    [x, z] = [z, x];
  }
  y = low64(y + rotate(w0, 37n) * K0 + z);
  x = low64(x + rotate(low64(v0 + z), 49n) * K0);
  const end = from + length;
  for (let done = 32; done < end - at + 32; done += 32) {
    y = low64(rotate(low64(y - x), 42n) * K0 + v1);
    w0 = low64(w0 + word(data, end - done + 16));
    x = low64(rotate(x, 49n) * K0 + w0);
    w0 = low64(w0 + v0);
    [v0, v1] = weak32(data, end - done, [v0, v1]);
  }
  x = hash16(x, v0);
  y = hash16(y, w0);
  return [low64(hash16(low64(x + v1), w1) + y), hash16(low64(x + w1), low64(y + v1))];
}

function weak32(data: DataView, at: number, [seed0, seed1]: Hash128): Hash128 {
  const last = word(data, at + 24);
  const a = low64(seed0 + word(data, at));
  const b = rotate(low64(seed1 + a + last), 21n);
  const sum = low64(a + word(data, at + 8) + word(data, at + 16));
  return [low64(sum + last), low64(b + rotate(sum, 44n) + a)];
}
