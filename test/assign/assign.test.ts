import {readFileSync} from 'node:fs';
import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {type AssignableVersion, assign, assignVariant, isSampled, slotOf} from '../../src/assign/assign.ts';
import {hashUnit, murmur3} from '../../src/assign/hash.ts';
import {deriveLayerSlots, holdsLayerSlot, layerSalt, layerSlotCount, layersOverlap} from '../../src/assign/layer.ts';
import {deriveSlots, SLOTS} from '../../src/assign/slots.ts';

type Golden = {
  tables: Record<string, {variants: string[]; slots: [number, number][]}>;
  cases: {salt: string; unit_id: string; hash: number; slot: number; variant: Record<string, string | null>}[];
};
const golden = JSON.parse(readFileSync(new URL('../golden/assignment.json', import.meta.url), 'utf8')) as Golden;
const variants = [{key: 'v1', weight: 60}, {key: 'v2', weight: 30}, {key: 'v3', weight: 10}];

describe('hashing', () => {
  test('test/golden/assignment.json: every language has the same hash, slot and variant', () => {
    expect(golden.cases.length).toBeGreaterThan(100);
    for (const {salt, unit_id, hash, slot, variant} of golden.cases) {
      expect(hashUnit(salt, unit_id), `${salt}:${unit_id}`).toBe(hash);
      expect(murmur3(`${salt}:${unit_id}`)).toBe(hash);
      expect(slotOf(salt, unit_id)).toBe(slot);
      for (const [name, table] of Object.entries(golden.tables)) {
        const slots = Int8Array.from(table.slots.flatMap(([owner, length]) => Array.from({length}, () => owner)));
        const found = assignVariant({salt, unitId: unit_id, slots, variants: table.variants.map(key => ({key}))});
        expect(found ?? null).toBe(variant[name]);
      }
    }
  });

  test('a lone surrogate counts as U+FFFD, as in every UTF-8 encoder', () => {
    expect(murmur3('a\ud800')).toBe(murmur3('a\ufffd'));
    expect(murmur3('\udc00b')).toBe(murmur3('\ufffdb'));
    fc.assert(
      fc.property(fc.string({unit: 'binary'}), text => {
        expect(murmur3(text)).toBe(murmur3(Buffer.from(text, 'utf8').toString('utf8')));
      }),
    );
  });
});

/** Σ (observed − expected)² / expected */
function chiSquare(observed: readonly number[], expected: readonly number[]): number {
  return observed.reduce((sum, count, index) => sum + (count - (expected[index] ?? 0)) ** 2 / (expected[index] ?? 1), 0);
}

describe('balance', () => {
  test.each(['answer-model', 'e', '实验'])('400 000 units meet the variants of %s in the weights given (χ² below its 99.99 % point)', salt => {
    const slots = deriveSlots(variants, 1);
    const n = 400_000;
    const counts = [0, 0, 0];
    const tenths = Array.from({length: 100}, () => 0);
    for (let i = 0; i < n; i += 1) {
      const slot = slotOf(salt, `user-${i}`);
      const owner = slots[slot] ?? -1;
      counts[owner] = (counts[owner] ?? 0) + 1;
      tenths[Math.floor(slot / 100)] = (tenths[Math.floor(slot / 100)] ?? 0) + 1;
    }
    expect(chiSquare(counts, [0.6 * n, 0.3 * n, 0.1 * n])).toBeLessThan(18.42);
    expect(chiSquare(tenths, tenths.map(() => n / 100))).toBeLessThan(159.3);
  });

  test('two experiments split independently of each other, of a layer and of a sample', () => {
    const halves = deriveSlots([{key: 'a', weight: 1}, {key: 'b', weight: 1}], 1);
    const inA = (salt: string) => (unit: string) => halves[slotOf(salt, unit)] === 0;
    const splits = [inA('answer-model'), inA('answer-modem'), inA('e'), inA(layerSalt('answering')), (unit: string) => isSampled('answer-model', unit, 0.5)];
    const n = 200_000;
    for (let i = 0; i < splits.length; i += 1) {
      for (let j = i + 1; j < splits.length; j += 1) {
        let agreed = 0;
        for (let unit = 0; unit < n; unit += 1) if (splits[i]?.(`u${unit}`) === splits[j]?.(`u${unit}`)) agreed += 1;
        // Four standard errors of a fair coin.
        expect(Math.abs(agreed / n - 0.5), `${i} and ${j}`).toBeLessThan(2 / Math.sqrt(n));
      }
    }
  });
});

const version = (other: object = {}, layerSlots: Uint8Array = new Uint8Array(0)): AssignableVersion => ({
  version: 7,
  phase: 2,
  slots: deriveSlots(variants, 1),
  layerSlots,
  definition: {
    variants, control: 'v1', fallback: 'v1', salt: 'e', layer: null, lifecycle: 'running', targeting: {},
    overrides: [{kind: 'header', name: 'x-assay-variant'}, {kind: 'query', name: 'variant'}, {kind: 'session', name: 'v'}], ...other,
  } as never,
});

describe('assign', () => {
  test('a unit keeps its variant and is told phase and version', () => {
    const found = assign(version(), {unitId: 'user-1'});
    expect(found).toEqual({variant: variants[deriveSlots(variants, 1)[slotOf('e', 'user-1')] ?? 0]?.key, reason: 'assigned', cause: 'slot', phase: 2, configVersion: 7});
    expect(assign(version(), {unitId: 'user-1'})).toEqual(found);
  });

  test('overrides by header (any case), query and session win over targeting, in the order written; unknown variants are no wish', () => {
    const targeted = version({targeting: {region: ['eu']}});
    expect(assign(targeted, {unitId: 'u', headers: {'X-Assay-Variant': 'v3'}, query: {variant: 'v2'}})).toMatchObject({variant: 'v3', reason: 'override'});
    expect(assign(targeted, {unitId: 'u', headers: {'x-assay-variant': 'nope'}, query: {variant: 'v2'}})).toMatchObject({variant: 'v2', reason: 'override'});
    expect(assign(targeted, {unitId: 'u', session: {v: 'v2'}})).toMatchObject({variant: 'v2', reason: 'override'});
    expect(assign(version({lifecycle: 'concluded'}), {unitId: 'u', session: {v: 'v2'}})).toMatchObject({variant: 'v1', reason: 'fallback'});
    expect(assign(targeted, {unitId: 'u', headers: {toString: 'v2'}})).toMatchObject({cause: 'not_targeted'});
  });

  test.each([
    ['not_running', {lifecycle: 'paused'}, {unitId: 'u'}],
    ['not_running', {lifecycle: 'draft'}, {unitId: 'u'}],
    ['not_targeted', {targeting: {region: ['eu']}}, {unitId: 'u', attributes: {region: 'ap'}}],
    ['not_targeted', {targeting: {constructor: ['eu']}}, {unitId: 'u', attributes: {}}],
    ['invalid_unit', {}, {unitId: ''}],
    ['invalid_unit', {}, {unitId: 'x'.repeat(513)}],
    ['invalid_unit', {}, {unitId: undefined as never}],
    ['not_in_layer_share', {layer: 'l'}, {unitId: 'u'}],
    ['error', {overrides: null}, {unitId: 'u'}],
  ])('%s serves the fallback', (cause, other, request) => {
    expect(assign(version(other), request)).toMatchObject({variant: 'v1', reason: 'fallback', cause});
  });

  test('who is not allocated gets the fallback, in the share asked for', () => {
    const half = {...version(), slots: deriveSlots(variants, 0.5)};
    const served = Array.from({length: 20_000}, (_, index) => assign(half, {unitId: `u${index}`}).cause);
    expect(served.filter(cause => cause === 'slot').length / served.length).toBeCloseTo(0.5, 1);
    expect(new Set(served)).toEqual(new Set(['slot', 'not_allocated']));
  });
});

describe('layers', () => {
  test('two experiments of a layer share no unit, and get the shares they asked for', () => {
    const x = deriveLayerSlots(0.5, new Uint8Array(0), []) ?? new Uint8Array(0);
    const y = deriveLayerSlots(0.3, new Uint8Array(0), [x]) ?? new Uint8Array(0);
    expect([layerSlotCount(x), layerSlotCount(y), layersOverlap(x, y)]).toEqual([5_000, 3_000, false]);
    const [one, two] = [version({layer: 'l', salt: 'x'}, x), version({layer: 'l', salt: 'y'}, y)];
    for (let i = 0; i < 5_000; i += 1) {
      const causes = [assign(one, {unitId: `u${i}`}).cause, assign(two, {unitId: `u${i}`}).cause];
      expect(causes.filter(cause => cause === 'slot').length).toBeLessThan(2);
    }
    expect(deriveLayerSlots(0.3, new Uint8Array(0), [x, y])).toBeUndefined();
  });

  test('a share that grows keeps what it has, and one that shrinks gives up its highest', () => {
    fc.assert(
      fc.property(fc.integer({min: 1, max: SLOTS}), fc.integer({min: 1, max: SLOTS}), (before, after) => {
        const old = deriveLayerSlots(before / SLOTS, new Uint8Array(0), []) ?? new Uint8Array(0);
        const next = deriveLayerSlots(after / SLOTS, old, []) ?? new Uint8Array(0);
        let kept = 0;
        for (let slot = 0; slot < SLOTS; slot += 1) if (holdsLayerSlot(old, slot) && holdsLayerSlot(next, slot)) kept += 1;
        expect([layerSlotCount(next), kept]).toEqual([after, Math.min(before, after)]);
      }),
      {numRuns: 30},
    );
  });
});
