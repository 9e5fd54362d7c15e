import {expect, test} from 'vitest';
import type {Arrival, ExposureFact, OutcomeFact} from '../../src/core/facts.ts';
import {epochMs} from '../../src/core/units.ts';
import {exposure, openWorld, outcome, STREAM, T0} from '../worker/worker-world.ts';

/*
 * Found by seed 10329: a closer whose call took seconds revised under cut 6.5 s after
 * another had revised under 14 s. The unit had become a crossover in between, so at 14 s
 * there was no such key and no row that said so; the row of 6.5 s then was its newest.
 */
test('a revision from an older state than the newest one counts for nobody', async () => {
  const {warehouse, views} = await openWorld();
  let offset = 0n;
  const arrived = (seconds: number): {arrival: Arrival} => {
    const at = epochMs(T0 + seconds * 1_000);
    return {arrival: {logEpoch: 1, partition: 0, offset: offset++, appendTs: at, arrivalTs: at}};
  };
  const exposures: ExposureFact[] = [
    {...exposure('u', T0), ...arrived(0)},
    {...exposure('u', T0, {variant: 't'}), ...arrived(9)},
  ];
  const outcomes: OutcomeFact[] = [{...outcome('u', T0), ...arrived(5)}];
  await warehouse.mirrorStream(STREAM);
  await warehouse.insertFacts({stream: 'live', exposures, outcomes, deadLetters: [], arrivals: []});
  const request = {stream: STREAM, views, committed: [], closedThrough: epochMs(T0 + 1_000), sinceCut: epochMs(T0 + 3_000)};
  await warehouse.closeSlices({...request, fromSlice: T0, throughSlice: epochMs(T0 + 1_000)});
  await warehouse.reviseSlices({...request, cut: epochMs(T0 + 14_000)});
  await warehouse.reviseSlices({...request, cut: epochMs(T0 + 6_500)});
  expect((await warehouse.closedSlices('live', 'split')).filter(({n}) => n > 0)).toEqual([]);
  expect((await warehouse.closingState('live')).revisedCut).toBe(T0 + 14_000);
});
