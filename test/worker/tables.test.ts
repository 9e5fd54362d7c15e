import fc from 'fast-check';
import {expect, test} from 'vitest';
import {BucketSpan, BucketTables} from '../../src/worker/bucket-tables.ts';
import {DuplicateHints} from '../../src/worker/duplicate-hints.ts';

test('bucket tables say what a Map each would, whichever are opened, filled and closed in between', () => {
  const step = fc.oneof(
    {weight: 12, arbitrary: fc.record({to: fc.constant('add' as const), table: fc.nat({max: 5}), bucket: fc.integer({min: -3_000, max: 3_000}), count: fc.integer({min: 1, max: 5})})},
    {weight: 1, arbitrary: fc.record({to: fc.constant('empty' as const), table: fc.nat({max: 5}), bucket: fc.constant(0), count: fc.constant(0)})},
  );
  const sorted = (entries: Iterable<readonly [number, number]>): (readonly [number, number])[] => [...entries].sort(([a], [b]) => a - b);
  fc.assert(
    fc.property(fc.array(step, {maxLength: 400}), steps => {
      const tables = new BucketTables();
      const maps = Array.from({length: 6}, () => new Map<number, number>());
      for (let table = 0; table < maps.length; table++) tables.open(table);
      for (const {to, table, bucket, count} of steps) {
        const map = maps[table] as Map<number, number>;
        if (to === 'empty') {
          tables.close(table);
          tables.open(table);
          map.clear();
        } else {
          tables.add(table, bucket, count);
          map.set(bucket, (map.get(bucket) ?? 0) + count);
        }
      }
      for (const [table, map] of maps.entries()) {
        const pairs = new Int32Array(tables.size(table) * 2 + 3);
        const span = new BucketSpan(pairs, 3, tables.copyTo(pairs, 3, table));
        expect(sorted(span)).toEqual(sorted(map));
        expect([span.size, tables.size(table)]).toEqual([map.size, map.size]);
      }
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
        expect(hints.seen(Number(id & 0xffff_ffffn), Number(id >> 32n))).toBe(known.has(id));
        known.add(id);
      }
    }),
    {numRuns: 30},
  );
});
