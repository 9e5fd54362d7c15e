import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {bucketOf} from '../../src/core/histogram.ts';
import type {Outcome} from '../../src/core/events.ts';
import type {ExperimentView} from '../../src/core/experiment.ts';
import type {ProvisionalSlice} from '../../src/core/slices.ts';
import {durationMs, epochMs} from '../../src/core/units.ts';
import {Attributor, type AttributionResult} from '../../src/worker/attribution.ts';
import {DuplicateHints} from '../../src/worker/duplicate-hints.ts';
import type {CachedExposure} from '../../src/worker/exposure-cache.ts';
import {Cells} from '../../src/worker/cells.ts';
import {ChangedCells, ProvisionalRows} from '../../src/worker/provisional-rows.ts';
import {ProvisionalSlices} from '../../src/worker/provisional-slices.ts';
import {NO_PLACE, slicedOutcome} from '../../src/worker/sliced-outcome.ts';
import {simVersions, viewsAt} from '../../src/simulate/faults/sim-experiments.ts';
import {outcome, T0} from './worker-world.ts';

const VIEWS = viewsAt(simVersions(T0, epochMs(T0 + 5_000)), epochMs(T0 + 9_000));
const AT = {logEpoch: 1, partition: 0, lastOffset: 9n};

function rowOf(cells: Cells, cell: number): ProvisionalSlice {
  const key = {arm: {experiment: '', phase: 1, variant: ''}, key: {metric: '', dimension: '', dimensionValue: ''}, start: T0};
  const changed = new ChangedCells();
  changed.push(cell, key);
  const [row] = new ProvisionalRows(AT, cells, changed);
  if (row === undefined) throw new Error('no row');
  return row;
}

const exposed = (changes: Partial<CachedExposure> = {}): CachedExposure => ({
  experiment: 'split', phase: 1, variant: 'c', eventTs: T0, eventId: '00', isCrossover: false, ...changes,
});

function attribute(event: Outcome, exposures: readonly CachedExposure[] | undefined, views: readonly ExperimentView[]): AttributionResult {
  const attributor = new Attributor(views);
  // Twice, because what a hint says is remembered: by its object, and by a place that another hint had before.
  const {variantHint, eventTs} = event;
  const answers = [{variantHint, hintPlace: NO_PLACE, eventTs}, {variantHint: {}, hintPlace: 5, eventTs}, {variantHint, hintPlace: 5, eventTs}].flatMap(asked => {
    attributor.attribute(asked, exposures);
    return [attributor.attribute(asked, exposures)];
  });
  expect(answers[2]).toEqual(answers[0]);
  return answers[0] as AttributionResult;
}

const whereIs = (...args: Parameters<typeof attribute>): string[] =>
  attribute(...args).attributions.map(({view, phase, variant}) => `${view.experiment} ${phase} ${variant}`);

describe('provisional attribution', () => {
  test.each([
    ['to the unit\'s exposure at the very time', [exposed()], 0, ['split 1 c']],
    ['not before the exposure', [exposed({eventTs: epochMs(T0 + 1)})], 0, []],
    ['to the highest phase reached', [exposed(), exposed({phase: 2, variant: 't', eventTs: epochMs(T0 + 1)})], 1, ['split 2 t']],
    ['not for a crossover', [exposed({isCrossover: true})], 1, []],
    ['not to an earlier phase when the highest is a crossover', [exposed(), exposed({phase: 2, isCrossover: true})], 1, []],
  ])('%s', (_, exposures, afterMs, expected) => {
    expect(whereIs(outcome('u', epochMs(T0 + afterMs)), exposures, VIEWS)).toEqual(expected);
  });

  test('paired goes by the hint alone, into the phase valid then, for known variants only', () => {
    expect(whereIs(outcome('u', T0, {variantHint: {paired: 't'}}), [], VIEWS)).toEqual(['paired 1 t']);
    expect(whereIs(outcome('u', T0, {variantHint: {paired: 'x'}}), [], VIEWS)).toEqual([]);
  });

  test('a unit nobody looked up is taken by its hint, and said to be', () => {
    const found = attribute(outcome('u', T0, {variantHint: {split: 't'}}), undefined, VIEWS);
    expect(found.isUnjoined).toBe(true);
    expect(found.attributions).toMatchObject([{phase: 1, variant: 't'}]);
  });
});

describe('provisional slices', () => {
  test('two cells merged say what one cell would', () => {
    const values = fc.array(fc.double({min: -1e6, max: 1e6, noNaN: true}), {minLength: 1, maxLength: 30});
    fc.assert(
      fc.property(values, values, (left, right) => {
        const [cells, others] = [new Cells(), new Cells()];
        const cellIn = (where: Cells, numbers: readonly number[]): number => {
          const cell = where.open();
          for (const value of numbers) where.add(cell, value + 1e6, 1);
          return cell;
        };
        const whole = rowOf(cells, cellIn(cells, [...left, ...right]));
        const merging = cellIn(cells, left);
        cells.merge(merging, others, cellIn(others, right));
        const merged = rowOf(cells, merging);
        expect(merged.n).toBe(whole.n);
        expect([merged.min, merged.max, merged.denominatorSum]).toEqual([whole.min, whole.max, whole.denominatorSum]);
        expect(Math.abs(merged.m2 - whole.m2)).toBeLessThanOrEqual(1e-9 * Math.max(1, whole.m2) + 1e-3);
        expect([...merged.histogram].sort()).toEqual([...whole.histogram].sort());
      }),
    );
  });

  test('are cumulative, given out only when changed, and dropped with their lateness', () => {
    const slices = new ProvisionalSlices(durationMs(1_000), {keysMax: 100, keys: 0});
    const add = (score: number): void => {
      const event = outcome('u', T0, {measures: {score}});
      slices.add(slicedOutcome(event), attribute(event, [exposed()], VIEWS).attributions);
    };
    add(1);
    const first = slices.changed(AT);
    expect([...first].find(({metric}) => metric === 'score')).toMatchObject({n: 1, sum: 1, lastOffset: 9n});
    slices.settle();
    expect([...slices.changed(AT)]).toEqual([]);
    add(3);
    const second = slices.changed(AT);
    expect([...second].find(({metric}) => metric === 'score')).toMatchObject({n: 2, sum: 4, m2: 2});
    slices.dropEndingBefore(epochMs(T0 + 1_000));
    expect([...slices.changed(AT)]).not.toEqual([]);
    slices.dropEndingBefore(epochMs(T0 + 1_001));
    expect([...slices.changed(AT)]).toEqual([]);
    // Rows are made when they are read, of what was there when they were asked for.
    add(9);
    expect([...first].find(({metric}) => metric === 'score')).toMatchObject({n: 1, sum: 1});
    expect([...second].find(({metric}) => metric === 'score')).toMatchObject({n: 2, sum: 4, m2: 2});
  });

  test('sampled outcomes carry what they stand for beyond themselves; a cell of before leaves nothing to the next', () => {
    const slices = new ProvisionalSlices(durationMs(1_000), {keysMax: 100, keys: 0});
    const add = (at: number, score: number, sampleRate: number): void => {
      const event = outcome('u', epochMs(T0 + at), {measures: {score}, sampleRate});
      slices.add(slicedOutcome(event), attribute(event, [exposed()], VIEWS).attributions);
    };
    const scoreOf = (): ProvisionalSlice | undefined => [...slices.changed(AT)].find(({metric}) => metric === 'score');
    add(0, 2, 1);
    expect(scoreOf()).toMatchObject({n: 1, extraWeight: 0, extraSum: 0, extraDenominatorSum: 0});
    add(0, 3, 0.1);
    add(0, 5, 1 / 3);
    expect(scoreOf()).toMatchObject({n: 3, sum: 10, extraWeight: 11e6, extraSum: 3 * 9e6 + 5 * 2e6, extraDenominatorSum: 0});
    expect(scoreOf()?.extraBuckets).toEqual(new Map([[bucketOf(3), {weight: 9e6, squares: 99e12}], [bucketOf(5), {weight: 2e6, squares: 8e12}]]));
    slices.dropEndingBefore(epochMs(T0 + 1_001));
    add(2_000, 7, 1);
    expect(scoreOf()).toMatchObject({n: 1, sum: 7, extraWeight: 0, extraSum: 0});
    expect(scoreOf()?.extraBuckets).toBeUndefined();
  });

  test('cells of sampled outcomes merge with those of others', () => {
    const [cells, others] = [new Cells(), new Cells()];
    const [mine, theirs] = [cells.open(), others.open()];
    cells.add(mine, 1, 0);
    others.add(theirs, 4, 2);
    others.addExtra(theirs, 9e6, {value: 4, denominator: 2});
    cells.merge(mine, others, theirs);
    others.addExtra(theirs, 1e6, {value: 4, denominator: 2});
    cells.merge(mine, new Cells(), new Cells().open());
    expect(rowOf(cells, mine)).toMatchObject({n: 2, extraWeight: 9e6, extraSum: 36e6, extraDenominatorSum: 18e6});
    // What the other cell counts later is its own.
    expect(rowOf(cells, mine)?.extraBuckets).toEqual(new Map([[bucketOf(4), {weight: 9e6, squares: 99e12}]]));
  });

  test('beyond the cap keys are turned away whole: a slice that refused once takes no new key', () => {
    const budget = {keysMax: 2, keys: 0};
    const slices = new ProvisionalSlices(durationMs(1_000), budget);
    const event = outcome('u', T0);
    const {attributions} = attribute(event, [exposed()], VIEWS);
    expect(slices.add(slicedOutcome(event), attributions)).toBe(1);
    budget.keys = 0;
    expect(slices.add(slicedOutcome(event), attributions)).toBe(1);
    expect([...slices.changed(AT)].map(({n}) => n)).toEqual([2, 2]);
  });
});

test('duplicate hints remember at least half of their limit and never more than all', () => {
  const hints = new DuplicateHints(100);
  for (let id = 0; id < 1_000; id++) expect(hints.seen(id, 7)).toBe(false);
  expect(hints.size).toBeLessThanOrEqual(100);
  for (let id = 999; id > 950; id--) expect(hints.seen(id, 7)).toBe(true);
});
