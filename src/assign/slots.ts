import {assert} from '../core/assert.ts';

/** Virtual buckets a unit can hash to. A share is kept to a ten-thousandth. */
export const SLOTS = 10_000;
/** Slots are stored as signed bytes. */
export const VARIANTS_MAX = 100;
export const NO_OWNER = -1;

export type WeightedVariant = {readonly key: string; readonly weight: number};

/** A slot table and the variants its owners are indexes into. */
export type SlotTable = {readonly variants: readonly {readonly key: string}[]; readonly slots: Int8Array};

/**
 * How many slots each variant owns: the allocated slots shared out by largest
 * remainder; of equal remainders the variant written first gets the slot.
 */
export function slotCounts(variants: readonly WeightedVariant[], allocation: number): number[] {
  const allocated = Math.round(allocation * SLOTS);
  const sum = variants.reduce((total, {weight}) => total + weight, 0);
  if (!(sum > 0)) return variants.map(() => 0);
  const exact = variants.map(({weight}) => (weight * allocated) / sum);
  const counts = exact.map(Math.floor);
  const missing = allocated - counts.reduce((total, count) => total + count, 0);
  const byRemainder = exact
    .map((share, index) => ({index, remainder: share - Math.floor(share)}))
    .sort((a, b) => b.remainder - a.remainder || a.index - b.index);
  for (const {index} of byRemainder.slice(0, missing)) counts[index] = (counts[index] ?? 0) + 1;
  return counts;
}

/**
 * The slot table for these weights: the owner of each slot as an index into
 * `variants`, or -1.
 *
 * With `history` (earlier tables, newest first) as few slots move as possible:
 * only who owns too many gives, only who owns too few gains. Who gains first
 * takes back the slots it owned most recently, then the donors' lowest.
 *
 *     60/30/10 → 50/30/20 moves 1 000 of 10 000 slots, all from the first to the
 *     third; going back moves the same ones back.
 */
export function deriveSlots(
  variants: readonly WeightedVariant[],
  allocation: number,
  history: readonly SlotTable[] = [],
): Int8Array {
  assert(variants.length <= VARIANTS_MAX, `at most ${VARIANTS_MAX} variants`);
  const counts = slotCounts(variants, allocation);
  const unowned = SLOTS - counts.reduce((total, count) => total + count, 0);
  const tables = history.filter(table => table.slots.length === SLOTS).map(table => translate(table, variants));
  const [newest] = tables;
  if (newest === undefined) return laidOut(counts);
  return moveFewest(newest, [...counts, unowned], tables);
}

/** The first table: a block per variant in written order, the rest without an owner. */
function laidOut(counts: readonly number[]): Int8Array {
  const slots = new Int8Array(SLOTS).fill(NO_OWNER);
  let from = 0;
  counts.forEach((count, owner) => {
    slots.fill(owner, from, from + count);
    from += count;
  });
  return slots;
}

/** A table in terms of other variants; the slots of a variant that is gone have no owner. */
function translate({variants, slots}: SlotTable, into: readonly {readonly key: string}[]): Int8Array {
  const indexes = variants.map(({key}) => into.findIndex(variant => variant.key === key));
  return slots.map(owner => indexes[owner] ?? NO_OWNER);
}

/** `wanted` has one count per variant and last that of the slots without an owner, who gives and gains like one more. */
function moveFewest(from: Int8Array, wanted: readonly number[], tables: readonly Int8Array[]): Int8Array {
  const slots = Int8Array.from(from);
  const nobody = wanted.length - 1;
  const surplus = wanted.map(count => -count);
  const place = (owner: number): number => (owner === NO_OWNER ? nobody : owner);
  for (const owner of slots) surplus[place(owner)] = (surplus[place(owner)] ?? 0) + 1;
  const give = (slot: number, gainer: number): void => {
    const donor = place(slots[slot] ?? NO_OWNER);
    if ((surplus[donor] ?? 0) <= 0 || (surplus[gainer] ?? 0) >= 0) return;
    surplus[donor] = (surplus[donor] ?? 0) - 1;
    surplus[gainer] = (surplus[gainer] ?? 0) + 1;
    slots[slot] = gainer === nobody ? NO_OWNER : gainer;
  };
  const gainers = surplus.flatMap((count, gainer) => (count < 0 ? [gainer] : []));
  for (const table of tables.slice(1)) {
    for (const gainer of gainers) {
      for (let slot = 0; slot < SLOTS; slot += 1) if (place(table[slot] ?? NO_OWNER) === gainer) give(slot, gainer);
    }
  }
  for (const gainer of gainers) for (let slot = 0; slot < SLOTS; slot += 1) give(slot, gainer);
  return slots;
}

/** The share of slots that differ between two tables over the same variants. */
export function movedShare(before: Int8Array, after: Int8Array): number {
  return before.reduce((moved, owner, slot) => moved + (owner === after[slot] ? 0 : 1), 0) / SLOTS;
}
