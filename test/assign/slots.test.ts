import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {deriveSlots, movedShare, NO_OWNER, SLOTS, type SlotTable, slotCounts} from '../../src/assign/slots.ts';

const weighted = (weights: Record<string, number>) => Object.entries(weights).map(([key, weight]) => ({key, weight}));
const table = (weights: Record<string, number>, slots: Int8Array): SlotTable => ({variants: weighted(weights), slots});
const countsOf = (slots: Int8Array, variants: number): number[] => Array.from({length: variants}, (_, owner) => slots.filter(slot => slot === owner).length);

describe('slot counts', () => {
  test.each([
    [{a: 60, b: 30, c: 10}, 1, [6000, 3000, 1000]],
    [{a: 1, b: 1, c: 1}, 1, [3334, 3333, 3333]],
    [{a: 1, b: 1, c: 1}, 0.5, [1667, 1667, 1666]],
    [{a: 99.99, b: 0.01}, 1, [9999, 1]],
    [{a: 1, b: 0}, 0.25, [2500, 0]],
    [{a: 0, b: 0}, 1, [0, 0]],
    [{a: 1e9, b: 1e-9}, 1, [10_000, 0]],
  ])('%j at %d is %j: largest remainder, ties in written order', (weights, allocation, counts) => {
    expect(slotCounts(weighted(weights), allocation)).toEqual(counts);
  });
});

describe('deriving a table from its predecessor', () => {
  test('60/30/10 → 50/30/20 moves exactly 10 % of the slots, all from a to c, and back moves the same ones', () => {
    const before = {a: 60, b: 30, c: 10};
    const after = {a: 50, b: 30, c: 20};
    const first = deriveSlots(weighted(before), 1);
    const second = deriveSlots(weighted(after), 1, [table(before, first)]);
    expect(movedShare(first, second)).toBe(0.1);
    for (let slot = 0; slot < SLOTS; slot += 1) {
      if (first[slot] !== second[slot]) expect([first[slot], second[slot]]).toEqual([0, 2]);
    }
    const third = deriveSlots(weighted(before), 1, [table(after, second), table(before, first)]);
    expect(third).toEqual(first);
  });

  test('who gains takes back what it owned before it takes the lowest', () => {
    const a = deriveSlots(weighted({a: 50, b: 30, c: 20}), 1);
    const b = deriveSlots(weighted({a: 80, b: 0, c: 20}), 1, [table({a: 50, b: 30, c: 20}, a)]);
    const c = deriveSlots(weighted({a: 40, b: 40, c: 20}), 1, [table({a: 80, b: 0, c: 20}, b), table({a: 50, b: 30, c: 20}, a)]);
    for (let slot = 5_000; slot < 8_000; slot += 1) expect(c[slot]).toBe(1);
    for (let slot = 0; slot < 1_000; slot += 1) expect(c[slot]).toBe(1);
  });

  test('variants may come, go and change their order; those that stay keep their slots', () => {
    const first = deriveSlots(weighted({a: 50, b: 50}), 1);
    const reordered = deriveSlots(weighted({b: 50, a: 50}), 1, [table({a: 50, b: 50}, first)]);
    expect(reordered).toEqual(first.map(owner => 1 - owner));
    const replaced = deriveSlots(weighted({a: 50, c: 50}), 1, [table({a: 50, b: 50}, first)]);
    expect(replaced.subarray(0, 5_000)).toEqual(first.subarray(0, 5_000));
    expect(countsOf(replaced, 2)).toEqual([5_000, 5_000]);
  });

  test('any chain of changes gives the counts asked for and never moves more than it must', () => {
    const step = fc.record({
      weights: fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd', 'e'), fc.integer({min: 0, max: 100}), {minKeys: 1, noNullPrototype: true}),
      allocation: fc.integer({min: 1, max: 100}).map(percent => percent / 100),
    });
    fc.assert(
      fc.property(fc.array(step, {minLength: 2, maxLength: 6}), steps => {
        const history: SlotTable[] = [];
        for (const {weights, allocation} of steps) {
          const variants = weighted(weights);
          const slots = deriveSlots(variants, allocation, history);
          const counts = slotCounts(variants, allocation);
          expect(countsOf(slots, variants.length)).toEqual(counts);
          const [previous] = history;
          if (previous !== undefined) expect(moves(previous, {variants, slots})).toBe(fewestMoves(previous, variants, counts));
          history.unshift({variants, slots});
        }
      }),
      {numRuns: 60},
    );
  });
});

const ownerOf = ({variants, slots}: SlotTable, slot: number): string | undefined => variants[slots[slot] ?? NO_OWNER]?.key;

/** Slots whose owner changed; those of a variant that is gone count as without an owner. */
function moves(before: SlotTable, after: SlotTable): number {
  const known = new Set(after.variants.map(({key}) => key));
  let moved = 0;
  for (let slot = 0; slot < SLOTS; slot += 1) {
    const owner = ownerOf(before, slot);
    if ((owner !== undefined && known.has(owner) ? owner : undefined) !== ownerOf(after, slot)) moved += 1;
  }
  return moved;
}

/** What all gainers together must gain; no table can do with less. */
function fewestMoves(before: SlotTable, variants: SlotTable['variants'], counts: readonly number[]): number {
  const held = variants.map(({key}) => Array.from({length: SLOTS}, (_, slot) => ownerOf(before, slot)).filter(owner => owner === key).length);
  const gains = counts.map((count, index) => Math.max(0, count - (held[index] ?? 0)));
  const unowned = SLOTS - counts.reduce((sum, count) => sum + count, 0);
  const wasUnowned = SLOTS - held.reduce((sum, count) => sum + count, 0);
  return gains.reduce((sum, gain) => sum + gain, 0) + Math.max(0, unowned - wasUnowned);
}
