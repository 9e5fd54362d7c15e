import {describe, expect, test} from 'vitest';
import {slotOf} from '../../src/assign/assign.ts';
import {parseSdkConfig} from '../../src/assign/sdk-config.ts';
import {SLOTS} from '../../src/assign/slots.ts';
import {deriveChain, parseWeights} from '../../src/assign/weights.ts';

describe('weights on a command line', () => {
  test('keep the written order and take anything that is a number from 0', () => {
    expect(parseWeights('a=60, b=30,c=1e1')).toEqual([{key: 'a', weight: 60}, {key: 'b', weight: 30}, {key: 'c', weight: 10}]);
    expect(parseWeights('x=y=1')).toEqual([{key: 'x=y', weight: 1}]);
  });

  test('every mistake is told at once', () => {
    expect(() => parseWeights('a=60,a=x,=3,b')).toThrow(/a has weight "x".*"=3" names no variant.*b has weight "".*a is there twice/);
    expect(() => parseWeights('a=0,b=0')).toThrow(/all weights are 0/);
    expect(() => parseWeights('')).toThrow(/names no variant/);
  });
});

type Ids = {readonly name: string; readonly of: (index: number) => string};
/** A UUID of a counter, spread by a multiplicative hash so that all digits vary. */
const uuid = (index: number): string => {
  const hex = (Math.imul(index, 2_654_435_761) >>> 0).toString(16).padStart(8, '0');
  return `${hex}-${hex.slice(0, 4)}-4${hex.slice(1, 4)}-8${hex.slice(4, 7)}-${(index >>> 0).toString(16).padStart(12, '0')}`;
};
const IDS: readonly Ids[] = [
  {name: 'sequential', of: index => `user-${index}`},
  {name: 'UUID', of: uuid},
  {name: 'numeric', of: index => String(1_000_000_007 + index)},
];
const UNITS = 1_000_000;

/** Σ (observed − expected)² / expected */
const chiSquare = (observed: readonly number[], expected: readonly number[]): number =>
  observed.reduce((sum, count, index) => sum + (count - (expected[index] ?? 0)) ** 2 / (expected[index] ?? 1), 0);

describe.each(IDS)('10⁶ $name ids', ({of}) => {
  test('60/30/10 is balanced, and 10 points from a to c move 10 % of the units, all from a to c', () => {
    const before = deriveChain([parseWeights('a=60,b=30,c=10')]);
    const after = deriveChain(['a=60,b=30,c=10', 'a=50,b=30,c=20'].map(parseWeights));
    const counts = [0, 0, 0];
    const tenths = Array.from({length: 100}, () => 0);
    let moved = 0;
    for (let index = 0; index < UNITS; index += 1) {
      const slot = slotOf('S', of(index));
      const [was, is] = [before.slots[slot] ?? -1, after.slots[slot] ?? -1];
      counts[was] = (counts[was] ?? 0) + 1;
      tenths[Math.floor(slot / (SLOTS / 100))] = (tenths[Math.floor(slot / (SLOTS / 100))] ?? 0) + 1;
      if (was === is) continue;
      moved += 1;
      if (was !== 0 || is !== 2) throw new Error(`unit ${of(index)} moved from ${was} to ${is}`);
    }
    // The 99.99 % points of χ² with 2 and 99 degrees of freedom; four standard errors of a share of 10 %.
    expect(chiSquare(counts, [0.6, 0.3, 0.1].map(share => share * UNITS))).toBeLessThan(18.42);
    expect(chiSquare(tenths, tenths.map(() => UNITS / 100))).toBeLessThan(159.3);
    expect(Math.abs(moved / UNITS - 0.1)).toBeLessThan(4 * Math.sqrt(0.09 / UNITS));
  });
});

describe('the configuration an SDK gets', () => {
  const whole = {revision: 'r', experiments: [{experiment: 'e', version: 2, phase: 1, definition: {variants: []}, slots: [0, 6_000, -1, 4_000], layer_slots: [10, 5]}]};

  test('unpacks runs of owners and of the layer', () => {
    const version = parseSdkConfig(whole).experiments.get('e');
    expect([version?.slots[0], version?.slots[5_999], version?.slots[6_000], version?.slots.length]).toEqual([0, 0, -1, SLOTS]);
    expect(version?.layerSlots?.subarray(0, 3)).toEqual(Uint8Array.of(0, 0b0111_1100, 0));
  });

  test.each([[{}], [{revision: 'r', experiments: [{...whole.experiments[0], slots: [0, 9]}]}]])('refuses what is not whole: %j', document => {
    expect(() => parseSdkConfig(document)).toThrow();
  });
});
