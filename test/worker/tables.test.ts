import fc from 'fast-check';
import {expect, test} from 'vitest';
import {BucketCounts} from '../../src/core/bucket-counts.ts';
import {DuplicateHints} from '../../src/worker/duplicate-hints.ts';

test('bucket counts say what a Map would, copies stay as they were', () => {
  const adds = fc.array(fc.tuple(fc.integer({min: -3_000, max: 3_000}), fc.integer({min: 1, max: 5})), {maxLength: 300});
  fc.assert(
    fc.property(adds, adds, (before, after) => {
      const counts = new BucketCounts();
      const map = new Map<number, number>();
      const add = ([bucket, count]: [number, number]): void => {
        counts.add(bucket, count);
        map.set(bucket, (map.get(bucket) ?? 0) + count);
      };
      const sorted = (entries: Iterable<readonly [number, number]>): (readonly [number, number])[] => [...entries].sort(([a], [b]) => a - b);
      for (const entry of before) add(entry);
      const copy = new BucketCounts(counts);
      const then = sorted(map);
      for (const entry of after) add(entry);
      expect(sorted(counts)).toEqual(sorted(map));
      expect(counts.size).toBe(map.size);
      expect(sorted(copy)).toEqual(then);
    }),
  );
});

test('duplicate hints below their limit say what a Set would, whatever the hashes', () => {
  const hash = fc.oneof(fc.bigInt({min: 0n, max: 2n ** 64n - 1n}), fc.bigInt({min: 0n, max: 40n}), fc.bigInt({min: 0n, max: 40n}).map(high => high << 32n));
  fc.assert(
    fc.property(fc.array(hash, {maxLength: 3_000}), hashes => {
      const hints = new DuplicateHints(10_000);
      const known = new Set<bigint>();
      for (const id of hashes) {
        expect(hints.seen(id)).toBe(known.has(id));
        known.add(id);
      }
    }),
    {numRuns: 30},
  );
});
