import {describe, expect, test} from 'vitest';
import type {ExposureFact} from '../../src/core/facts.ts';
import {epochMs} from '../../src/core/units.ts';
import {ExposureCache} from '../../src/worker/exposure-cache.ts';
import {exposure, T0} from './worker-world.ts';

const found = (unitId: string) => ({unitId, experiment: 'e', phase: 1, variant: 'c', eventTs: epochMs(T0 + 10), eventId: 'ff', isCrossover: false});
const fact = (unitId: string, changes: object): ExposureFact => ({...exposure(unitId, T0), experiment: 'e', ...changes}) as ExposureFact;

describe('the exposure cache', () => {
  test('a unit that was looked up is known, with or without an exposure; others are not', () => {
    const cache = new ExposureCache(10);
    cache.learn(['a', 'b'], [found('a')]);
    expect(cache.of('a')).toMatchObject([{variant: 'c'}]);
    expect(cache.of('b')).toEqual([]);
    expect(cache.of('c')).toBeUndefined();
  });

  test('an exposure changes what is known of its unit, and says nothing of a unit that is not', () => {
    const cache = new ExposureCache(10);
    cache.learn(['a'], [found('a')]);
    cache.observe(fact('a', {variant: 't'}));
    cache.observe(fact('b', {variant: 't'}));
    expect(cache.of('a')).toMatchObject([{variant: 't', eventTs: T0, isCrossover: true}]);
    expect(cache.of('b')).toBeUndefined();
  });

  test('it holds no more units than it may, and forgets those that nobody asked for', () => {
    const cache = new ExposureCache(100);
    cache.learn(['asked for', 'forgotten'], []);
    for (let unit = 0; unit < 1_000; unit++) {
      cache.learn([`u${unit}`], []);
      expect(cache.of('asked for')).toEqual([]);
      expect(cache.units).toBeLessThanOrEqual(100);
    }
    expect(cache.of('forgotten')).toBeUndefined();
    expect(cache.of('u999')).toEqual([]);
  });

  test('learning the same units in one answer keeps what it said, also across a change of halves', () => {
    const cache = new ExposureCache(8);
    const units = ['a', 'b', 'c', 'd'];
    cache.learn(['x', 'y', 'z'], []);
    cache.learn(units, units.map(found));
    for (const unit of units) expect(cache.of(unit)).toHaveLength(1);
    cache.learn(['a'], [found('a')]);
    expect(cache.of('a')).toHaveLength(1);
    cache.drop(['a']);
    expect(cache.of('a')).toBeUndefined();
    cache.clear();
    expect(cache.units).toBe(0);
  });
});
