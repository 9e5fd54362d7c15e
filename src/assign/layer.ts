import {SLOTS} from './slots.ts';

/**
 * A layer shares its units out among experiments, so that no unit is in two of
 * them. It has slots of its own under its own salt; each experiment stores which
 * of them it holds as a bitmap (bit i of byte i/8, least significant bit first).
 * Within the units a layer gives it, an experiment splits by its own salt.
 */
export const LAYER_BYTES = SLOTS / 8;

export const layerSalt = (layer: string): string => `layer/${layer}`;

export const holdsLayerSlot = (bitmap: Uint8Array, slot: number): boolean =>
  (((bitmap[slot >> 3] ?? 0) >> (slot & 7)) & 1) === 1;

export const layerSlotCount = (bitmap: Uint8Array): number =>
  bitmap.reduce((count, byte) => count + (BITS[byte & 15] ?? 0) + (BITS[byte >> 4] ?? 0), 0);

const BITS: readonly number[] = [0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4];

/** Whether two experiments claim a common slot. */
export function layersOverlap(a: Uint8Array, b: Uint8Array): boolean {
  return a.some((byte, index) => (byte & (b[index] ?? 0)) !== 0);
}

/**
 * The bitmap for a share of a layer: keeps what the experiment holds (giving up
 * its highest slots when it shrinks) and takes the lowest free ones when it grows.
 * undefined when the layer has not enough free slots.
 *
 * @param previous what the experiment holds; empty for nothing
 * @param others what the layer's other experiments hold
 */
export function deriveLayerSlots(
  share: number,
  previous: Uint8Array,
  others: readonly Uint8Array[],
): Uint8Array | undefined {
  const wanted = Math.round(share * SLOTS);
  const bitmap = new Uint8Array(LAYER_BYTES);
  const isFree = (slot: number): boolean => !others.some(other => holdsLayerSlot(other, slot));
  let held = 0;
  for (const wasHeld of [true, false]) {
    for (let slot = 0; slot < SLOTS && held < wanted; slot += 1) {
      if (holdsLayerSlot(previous, slot) !== wasHeld || !isFree(slot)) continue;
      bitmap[slot >> 3] = (bitmap[slot >> 3] ?? 0) | (1 << (slot & 7));
      held += 1;
    }
  }
  return held === wanted ? bitmap : undefined;
}
