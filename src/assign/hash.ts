/**
 * murmur3-32 (x86, seed 0) over the UTF-8 bytes of `salt + ':' + unit`, without
 * building that string or its bytes: an assignment allocates nothing.
 *
 * Over UTF-8, not UTF-16 units as some npm packages have it, so that every other
 * language gets the same slot. A lone surrogate counts as U+FFFD, as in every
 * UTF-8 encoder.
 */
export function hashUnit(salt: string, unit: string): number {
  state.hash = 0;
  state.block = 0;
  state.length = 0;
  feedText(salt);
  feedByte(0x3a);
  feedText(unit);
  return finish();
}

/** murmur3-32 (x86, seed 0) over the UTF-8 bytes of `text`; unsigned. */
export function murmur3(text: string): number {
  state.hash = 0;
  state.block = 0;
  state.length = 0;
  feedText(text);
  return finish();
}

/** One hash at a time: JavaScript runs one function to its end, so module state is safe and free. */
const state = {hash: 0, block: 0, length: 0};

function feedText(text: string): void {
  for (let i = 0; i < text.length; i += 1) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) {
      feedByte(unit);
    } else if (unit < 0x800) {
      feedByte(0xc0 | (unit >> 6));
      feedByte(0x80 | (unit & 0x3f));
    } else if (unit >= 0xd800 && unit <= 0xdfff) {
      const next = i + 1 < text.length ? text.charCodeAt(i + 1) : 0;
      if (unit <= 0xdbff && next >= 0xdc00 && next <= 0xdfff) {
        feedAstral(0x10000 + ((unit - 0xd800) << 10) + (next - 0xdc00));
        i += 1;
      } else {
        feedThree(0xfffd);
      }
    } else {
      feedThree(unit);
    }
  }
}

function feedThree(point: number): void {
  feedByte(0xe0 | (point >> 12));
  feedByte(0x80 | ((point >> 6) & 0x3f));
  feedByte(0x80 | (point & 0x3f));
}

function feedAstral(point: number): void {
  feedByte(0xf0 | (point >> 18));
  feedByte(0x80 | ((point >> 12) & 0x3f));
  feedByte(0x80 | ((point >> 6) & 0x3f));
  feedByte(0x80 | (point & 0x3f));
}

function feedByte(byte: number): void {
  const shift = (state.length & 3) << 3;
  state.block |= byte << shift;
  state.length += 1;
  if (shift !== 24) return;
  const hash = state.hash ^ scramble(state.block);
  state.hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0;
  state.block = 0;
}

function scramble(block: number): number {
  const k = Math.imul(block, 0xcc9e2d51);
  return Math.imul((k << 15) | (k >>> 17), 0x1b873593);
}

function finish(): number {
  let hash = state.hash;
  if ((state.length & 3) !== 0) hash ^= scramble(state.block);
  hash ^= state.length;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
