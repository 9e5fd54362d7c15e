import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {seededRng} from '../../src/core/rng.ts';
import {type EpochMs, epochMs} from '../../src/core/units.ts';
import {SpendBoard} from '../../src/quality/spend-board.ts';
import {chdbSkipReason} from '../helpers/chdb-engine.ts';
import {History, T0, testStream} from './closing-histories.ts';
import {type ChdbWarehouse, openChdbWarehouse} from './closing-warehouse.ts';

const skipReason = await chdbSkipReason();
const SEED = Date.now() % 1_000_000;
const WINDOW = {windowStart: epochMs(T0), windowEnd: epochMs(T0 + 60_000)};

describe.skipIf(skipReason !== null)('what was spent', () => {
  let harness: ChdbWarehouse;
  beforeAll(async () => {
    harness = await openChdbWarehouse();
  });
  afterAll(() => harness?.close());

  test(`grows with what arrives, each outcome once, whatever is sent twice (SEED=${SEED})`, async () => {
    const rng = seededRng(SEED);
    const stream = testStream('spend');
    const history = new History(stream);
    type Sent = {at: number; arrival: number; unit: string; tenant: string | null; cost: number; rate: number; serial: number};
    const sent: Sent[] = Array.from({length: 400}, (_, index) => {
      const at = Math.floor(rng.next() * 80_000) - 10_000;
      return {
        at, arrival: Math.max(0, at) + Math.floor(rng.next() * 20_000), unit: `u${Math.floor(rng.next() * 9)}`, tenant: rng.next() < 0.8 ? `t${Math.floor(rng.next() * 4)}` : null,
        cost: rng.next() < 0.1 ? 0 : Math.floor(rng.next() * 1_000) / 100, rate: rng.next() < 0.3 ? 0.1 : 1, serial: index + 1,
      };
    });
    const copies = sent.filter(() => rng.next() < 0.3).map(one => ({...one, arrival: one.arrival + Math.floor(rng.next() * 40_000)}));
    for (const {at, arrival, unit, tenant, cost, rate, serial} of [...sent, ...copies].sort((a, b) => a.arrival - b.arrival)) {
      history.append({kind: 'outcome', at, unitId: unit, serial, measures: {...(cost === 0 ? {latency_ms: 3} : {cost_usd: cost})}, attributes: tenant === null ? {} : {tenant}, sampleRate: rate}, {arrival});
    }
    await harness.warehouse.mirrorStream(stream);
    await harness.warehouse.insertFacts(history.batch());

    let cut: EpochMs | null = null;
    const board = new SpendBoard({warehouse: harness.warehouse, stream: 'spend', newestCut: () => Promise.resolve(cut)});
    const tenants = ['t0', 't1', 't2', 't3', 'nobody'];
    const asks = [
      {per: 'unit', measure: 'cost_usd', ...WINDOW, keys: ['u1', 'u2']},
      {per: {attribute: 'tenant'}, measure: 'cost_usd', ...WINDOW, keys: tenants},
      {per: 'all', measure: 'cost_usd', ...WINDOW, keys: ['']},
    ] as const;
    expect(await board.sums(asks)).toEqual({cut: null, sums: [{}, {}, {}]});
    for (const through of [5_000, 21_000, 21_000, 40_000, 200_000]) {
      cut = epochMs(T0 + through);
      const seen = sent.filter(({at, arrival, cost}) => at >= 0 && at < 60_000 && arrival <= through && cost > 0);
      const total = (those: readonly Sent[], isWeighted: boolean): number => those.reduce((sum, {cost, rate}) => sum + (isWeighted ? cost / rate : cost), 0);
      // Two at once share one reading.
      const [answer, again] = await Promise.all([board.sums(asks), board.sums(asks)]);
      expect(answer).toEqual(again);
      const [units, byTenant, all] = answer.sums;
      for (const key of ['u1', 'u2']) expect(units?.[key] ?? 0).toBeCloseTo(total(seen.filter(({unit}) => unit === key), false), 6);
      for (const key of tenants) expect(byTenant?.[key] ?? 0).toBeCloseTo(total(seen.filter(({tenant}) => tenant === key), true), 6);
      expect(all?.[''] ?? 0).toBeCloseTo(total(seen, true), 6);
      expect(Object.keys(byTenant ?? {})).not.toContain('nobody');
    }
  });
});
