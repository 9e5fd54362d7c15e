import {describe, expect, test} from 'vitest';
import {epochMs} from '../../src/core/units.ts';
import {revisionGroups} from '../../src/warehouse/clickhouse/revision-groups.ts';

const HOUR_MS = 3_600_000;
const START = epochMs(1_800_000_000_000 - (1_800_000_000_000 % HOUR_MS));
const at = (hours: number) => epochMs(START + hours * HOUR_MS);
const steady = (hours: number, outcomes: number) => Array.from({length: hours}, (_, hour) => ({hour: at(hour), outcomes}));

describe('slices revised together', () => {
  test('late events of twenty days of little traffic are one request', () => {
    const slices = Array.from({length: 200}, (_, index) => at(index * 2.4));
    expect(revisionGroups(slices, steady(480, 10))).toEqual([slices]);
  });

  test('slices with much traffic between them are apart, the near ones of each together', () => {
    const slices = [at(0), at(0.1), at(5), at(5.2)];
    expect(revisionGroups(slices, steady(6, 60_000))).toEqual([[at(0), at(0.1)], [at(5), at(5.2)]]);
  });

  test('a request reads a bounded number of outcomes, however near each slice is to the next', () => {
    const slices = Array.from({length: 24}, (_, index) => at(index));
    const groups = revisionGroups(slices, steady(24, 90_000));
    expect(groups.map(group => group.length)).toEqual([6, 6, 6, 6]);
    expect(groups.flat()).toEqual(slices);
  });

  test('a request names a bounded number of slices', () => {
    const slices = Array.from({length: 4_500}, (_, index) => epochMs(START + index * 10_000));
    expect(revisionGroups(slices, []).map(group => group.length)).toEqual([2_000, 2_000, 500]);
  });

  test('nothing late, nothing to do', () => {
    expect(revisionGroups([], [])).toEqual([]);
  });
});
