import {describe, expect, test} from 'vitest';
import {epochMs} from '../../src/core/units.ts';
import {type Budget, SpendLedger} from '../../src/sdk/spend-ledger.ts';
import {openTracker} from '../../src/roles/sdk.ts';
import {ManualClock} from '../notify/manual-clock.ts';
import {configOf, openTestTracker} from './fixtures.ts';

const DAY = 86_400_000;
const MORNING = epochMs(20_000 * DAY + 8 * 3_600_000);
const ledger = (budgets: readonly Budget[], {clock = new ManualClock(MORNING), keysMax = 100} = {}) => ({clock, spend: new SpendLedger({budgets, clock, keysMax})});
const of = (unitId: string, tenant?: string) => ({unitId, attributes: tenant === undefined ? {} : {tenant}});

describe('what has been spent', () => {
  test.each([[0, 'ok'], [0.79, 'ok'], [0.8, 'warn'], [0.95, 'switch'], [0.99, 'switch'], [1, 'block'], [7, 'block']] as const)('%d of the limit is %s', (share, tier) => {
    const {spend} = ledger([{per: 'unit', limitUsd: 10}]);
    spend.add(of('u'), {cost_usd: share * 10});
    expect(spend.worst(of('u'))).toMatchObject({tier, key: 'u'});
    expect(spend.worst(of('other'))).toMatchObject({tier: 'ok', spentUsd: 0});
  });

  test('per unit, per tenant, and all together; the tightest counts', () => {
    const {spend} = ledger([{per: 'unit', limitUsd: 1}, {per: {attribute: 'tenant'}, limitUsd: 2}, {per: 'all', limitUsd: 3}]);
    for (const unit of ['a', 'b', 'c']) spend.add(of(unit, 'acme'), {cost_usd: 0.6});
    expect(spend.worst(of('a', 'acme'))).toMatchObject({tier: 'warn', spentUsd: expect.closeTo(1.8, 9), key: 'acme'});
    expect(spend.worst(of('a', 'other'))).toMatchObject({tier: 'ok'});
    spend.add(of('z'), {cost_usd: 1.3});
    expect(spend.worst(of('a', 'other'))).toMatchObject({tier: 'block', key: '', budget: {per: 'all'}});
  });

  test('a day begins anew at midnight UTC; measures of another name or kind count nothing', () => {
    const {spend, clock} = ledger([{per: 'unit', limitUsd: 1}, {per: 'unit', limitUsd: 100, measure: 'tokens', windowMs: 60_000}]);
    spend.add(of('u'), {cost_usd: 5, tokens: 200});
    spend.add(of('u'), {cost_usd: Number.NaN, tokens: -4, latency_ms: 900});
    expect(spend.worst(of('u'))).toMatchObject({tier: 'block', spentUsd: 5});
    clock.set(epochMs(20_001 * DAY - 1));
    expect(spend.worst(of('u'))).toMatchObject({tier: 'block', budget: {limitUsd: 1}});
    clock.set(epochMs(20_001 * DAY));
    expect(spend.worst(of('u'))).toMatchObject({tier: 'ok', spentUsd: 0});
  });

  test('memory is bounded: who has not spent for longest is forgotten', () => {
    const {spend} = ledger([{per: 'unit', limitUsd: 1}], {keysMax: 3});
    for (const unit of ['a', 'b', 'c', 'a', 'd']) spend.add(of(unit), {cost_usd: 0.5});
    expect(['a', 'b', 'c', 'd'].map(unit => spend.worst(of(unit))?.spentUsd)).toEqual([1, 0, 0.5, 0.5]);
  });

  test.each([
    [{per: 'day', limitUsd: 1}, 'budgets[0].per is "day"; write unit, all'],
    [{per: 'unit', limitUsd: 0}, 'budgets[0].limitUsd is 0'],
    [{per: 'unit', limitUsd: 1, windowMs: 0}, 'budgets[0].windowMs is 0'],
    [{per: 'unit', limitUsd: 1, tiers: {warn: 0.9, switch: 0.5, block: 1}}, 'budgets[0].tiers are'],
  ])('%o is refused when the tracker is opened', (budget, message) => {
    expect(() => openTracker({http: {url: 'http://127.0.0.1:1'}, budgets: [budget as Budget]})).toThrow(message);
  });
});

describe('the tracker', () => {
  const served = (weights: number[], more: object = {}) => openTestTracker({config: configOf(more, weights), budgets: [{per: {attribute: 'tenant'}, limitUsd: 1, cheaper: {e: 'v1'}}]});
  const acme = {unitId: 'u', attributes: {tenant: 'acme'}};

  test('from switch on it serves the cheaper variant, and says so; others are not touched; the unit keeps its arm', async () => {
    const {tracker, transport} = served([0, 100, 0]);
    expect(tracker.expose('e', acme)).toMatchObject({variant: 'v2', cause: 'slot'});
    tracker.outcome({...acme, measures: {cost_usd: 0.9}});
    expect([tracker.budget(acme)?.tier, tracker.assign('e', acme).variant]).toEqual(['warn', 'v2']);
    tracker.outcome({...acme, measures: {cost_usd: 0.06}});
    expect(tracker.expose('e', acme)).toMatchObject({variant: 'v1', cause: 'budget', reason: 'fallback'});
    expect(tracker.assign('e', {unitId: 'u', attributes: {tenant: 'other'}}).variant).toBe('v2');
    tracker.outcome({...acme, measures: {cost_usd: 0.1}});
    expect(tracker.budget(acme)?.tier).toBe('block');
    await tracker.flush();
    expect(transport.events.filter(({kind}) => kind === 'exposure')).toMatchObject([{variant: 'v2', reason: 'assigned'}, {variant: 'v1', reason: 'fallback'}]);
  });

  test('a tester’s override and a paused experiment win; a cheaper variant that is none changes nothing', () => {
    const spend = (tracker: ReturnType<typeof served>['tracker']) => tracker.outcome({...acme, measures: {cost_usd: 5}});
    const overridden = served([0, 100, 0]).tracker;
    spend(overridden);
    expect(overridden.assign('e', {...acme, headers: {'x-variant': 'v3'}})).toMatchObject({variant: 'v3', cause: 'override'});
    const paused = served([0, 100, 0], {lifecycle: 'paused'}).tracker;
    spend(paused);
    expect(paused.assign('e', acme).cause).toBe('not_running');
    const {tracker} = openTestTracker({config: configOf({}, [0, 100, 0]), budgets: [{per: 'all', limitUsd: 1, cheaper: {e: 'gone'}}]});
    spend(tracker);
    expect(tracker.assign('e', acme)).toMatchObject({variant: 'v2', cause: 'slot'});
  });

  test('units outside the sample spend all the same', () => {
    const {tracker} = openTestTracker({config: configOf({sampleRate: 1e-9}), budgets: [{per: 'all', limitUsd: 1}]});
    tracker.outcome({unitId: 'u', measures: {cost_usd: 5}});
    expect([tracker.counts().sampledOut, tracker.budget({unitId: 'u'})?.tier]).toEqual([1, 'block']);
  });
});
