/** Randomness as a port, so that a run can be repeated from its seed. */
export interface Rng {
  /** A uniform number in [0, 1). */
  next(): number;
  /** `length` uniform bytes. */
  bytes(length: number): Uint8Array;
}

/** mulberry32 (Tommy Ettinger, public domain): 32 bits of state, enough for simulation, not for keys. */
export function seededRng(seed: number): Rng {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  return {
    next,
    bytes: length => Uint8Array.from({length}, () => Math.floor(next() * 256)),
  };
}
