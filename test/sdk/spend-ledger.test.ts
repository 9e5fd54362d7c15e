import {describe, expect, test} from 'vitest';
import {epochMs} from '../../src/core/units.ts';
import {type Budget, SpendLedger} from '../../src/sdk/spend-ledger.ts';
import {openTracker} from '../../src/roles/sdk.ts';
import {seededRng} from '../../src/core/rng.ts';
import {ManualClock} from '../notify/manual-clock.ts';
import {openTestServer} from '../web/test-server.ts';
import {configOf, openTestTracker} from './fixtures.ts';

const SEED = Date.now() % 1_000_000;
const DAY = 86_400_000;
const MORNING = epochMs(20_000 * DAY + 8 * 3_600_000);
const ledger = (budgets: readonly Budget[], {clock = new ManualClock(MORNING), keysMax = 100} = {}) => ({clock, spend: new SpendLedger({budgets, clock, limits: {spendersRememberedMax: keysMax, spendOnTheWayMs: 10_000}})});
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

describe('what several processes have spent', () => {
  const shared = (budgets: readonly Budget[]) => {
    const made = ledger(budgets);
    const heard: string[] = [];
    made.spend.follow(urgency => heard.push(urgency));
    return {...made, heard};
  };
  const tenant: Budget = {per: {attribute: 'tenant'}, limitUsd: 100};
  const acme = of('u', 'acme');

  test('is the platform’s sum and what came after it, and never less than one’s own', () => {
    const {spend, clock, heard} = shared([tenant]);
    const at = (seconds: number): void => clock.set(epochMs(MORNING + seconds * 1_000));
    spend.add(acme, {cost_usd: 10});
    expect(spend.worst(acme)).toMatchObject({spentUsd: 10, isShared: false});
    const asks = spend.wanted();
    expect(asks).toEqual([{per: {attribute: 'tenant'}, measure: 'cost_usd', windowMs: DAY, windowStart: 20_000 * DAY, keys: ['acme']}]);
    expect([heard, spend.isWanting]).toEqual([['unknown', 'unknown'], false]);
    // The others have spent 50; our 10 had not arrived ten seconds before the cut.
    spend.learn(asks, {cut: epochMs(MORNING + 5_000), sums: [{acme: 60}]});
    expect(spend.worst(acme)).toMatchObject({spentUsd: 70, isShared: true});
    at(30);
    spend.add(acme, {cost_usd: 5});
    expect(spend.worst(acme)).toMatchObject({spentUsd: 75});
    spend.learn(asks, {cut: epochMs(MORNING + 30_000), sums: [{acme: 60}]});
    expect(spend.worst(acme)).toMatchObject({spentUsd: 65, tier: 'ok'});
    spend.learn(asks, {cut: epochMs(MORNING + 60_000), sums: [{acme: 85}]});
    expect(spend.worst(acme)).toMatchObject({spentUsd: 85, tier: 'warn'});
    // A platform that lost sight of our events knows less than we do.
    spend.learn(asks, {cut: epochMs(MORNING + 90_000), sums: [{}]});
    expect(spend.worst(acme)).toMatchObject({spentUsd: 15});
    expect(heard.slice(2)).toEqual(['far', 'far', 'far', 'far', 'near', 'far']);
  });

  test('an answer about yesterday, or none, changes nothing; what was not answered is asked again', () => {
    const {spend, clock} = shared([tenant, {per: 'unit', limitUsd: 1}]);
    spend.add(acme, {cost_usd: 0.5});
    const asks = spend.wanted();
    expect(asks.map(({per, keys}) => [per, keys])).toEqual([[{attribute: 'tenant'}, ['acme']], ['unit', ['u']]]);
    spend.wantAgain(asks);
    expect(spend.wanted()).toEqual(asks);
    spend.learn(asks, {cut: null, sums: [{acme: 99}, {}]});
    expect(spend.worst(acme)).toMatchObject({spentUsd: 0.5, isShared: false});
    clock.set(epochMs(20_001 * DAY));
    spend.learn(asks, {cut: epochMs(20_001 * DAY), sums: [{acme: 99}, {u: 9}]});
    expect(spend.worst(acme)).toMatchObject({tier: 'ok', spentUsd: 0});
    expect(spend.isWanting).toBe(true);
  });

  test(`never less than the truth of what has arrived, and above it by what is on its way alone (SEED=${SEED})`, () => {
    const rng = seededRng(SEED);
    const clock = new ManualClock(MORNING);
    const processes = [0, 1, 2].map(() => new SpendLedger({budgets: [tenant], clock, limits: {spendersRememberedMax: 100, spendOnTheWayMs: 10_000}}));
    for (const one of processes) one.follow(() => undefined);
    const spent: {at: number; arrival: number; by: number; amount: number}[] = [];
    for (let second = 0; second < 600; second += 1) {
      clock.set(epochMs(MORNING + second * 1_000));
      const now = clock.now();
      for (const [by, one] of processes.entries()) {
        if (rng.next() < 0.4) {
          const amount = rng.next();
          spent.push({at: now, arrival: now + Math.floor(rng.next() * 9_000), by, amount});
          one.add(acme, {cost_usd: amount});
        }
        // The platform is some seconds behind.
        const cut = now - Math.floor(rng.next() * 5_000);
        const total = (those: typeof spent): number => those.reduce((sum, {amount}) => sum + amount, 0);
        if (second % 10 === by) one.learn([{per: {attribute: 'tenant'}, measure: 'cost_usd', windowMs: DAY, windowStart: epochMs(20_000 * DAY), keys: ['acme']}], {cut: epochMs(cut), sums: [{acme: total(spent.filter(({arrival}) => arrival <= cut))}]});
        if (second < 20) continue;
        const shown = one.worst(acme)?.spentUsd ?? 0;
        // Asked up to ten seconds ago, of a platform five seconds behind, of events up to nine on their way.
        expect(shown).toBeGreaterThanOrEqual(total(spent.filter(({at, by: who}) => who === by || at <= now - 24_000)) - 1e-9);
        expect(shown).toBeLessThanOrEqual(total(spent) + total(spent.filter(({at, by: who}) => who === by && at > now - 25_000)) + 1e-9);
      }
    }
    // Alone each would have seen a third.
    expect(spent.length).toBeGreaterThan(400);
  });
});

describe('two services with one budget', () => {
  test('each stops when both together have spent it; while the platform is away each goes on from what it last heard', async () => {
    const measured: {tenant: string; cost: number}[] = [];
    let isAway = false;
    const server = await openTestServer({
      door: {
        accept: values => {
          for (const {attributes, measures} of values as {attributes?: Record<string, string>; measures?: Record<string, number>}[]) measured.push({tenant: attributes?.['tenant'] ?? '', cost: measures?.['cost_usd'] ?? 0});
          return Promise.resolve({accepted: values.length, errors: []});
        },
      },
      spend: asks => {
        if (isAway) return Promise.reject(new Error('away'));
        const sumOf = (key: string): number => measured.reduce((sum, {tenant, cost}) => sum + (tenant === key ? cost : 0), 0);
        return Promise.resolve({cut: epochMs(Date.now()), sums: asks.map(({keys}) => Object.fromEntries(keys.map(key => [key, sumOf(key)])))});
      },
    });
    const limits = {spendAskMs: 20, spendAskNearMs: 10, spendAskNewMs: 5, spendOnTheWayMs: 0, batchAgeMsMax: 5};
    const budgets: Budget[] = [{per: {attribute: 'tenant'}, limitUsd: 10}];
    const [one, other] = [openTracker({http: {url: server.url}, budgetServer: {url: server.url}, budgets, limits}), openTracker({http: {url: server.url}, budgetServer: {url: server.url}, budgets, limits})];
    const alone = openTracker({http: {url: server.url}, budgets, limits});
    const tenant = {unitId: 'u', attributes: {tenant: 'acme'}};
    const until = async (holds: () => boolean): Promise<void> => {
      while (!holds()) await new Promise(resolve => setTimeout(resolve, 5));
    };
    try {
      one.outcome({...tenant, measures: {cost_usd: 6}});
      await one.flush();
      await until(() => other.budget(tenant)?.spentUsd === 6);
      other.outcome({...tenant, measures: {cost_usd: 4.5}});
      await other.flush();
      await until(() => one.budget(tenant)?.tier === 'block' && other.budget(tenant)?.tier === 'block');
      expect([one.budget(tenant), other.budget(tenant)]).toMatchObject([{spentUsd: 10.5, isShared: true}, {spentUsd: 10.5, isShared: true}]);
      // The control: without the platform each sees its own part and would spend on.
      alone.outcome({...tenant, measures: {cost_usd: 4.5}});
      expect(alone.budget(tenant)).toMatchObject({tier: 'ok', spentUsd: 4.5, isShared: false});
      isAway = true;
      expect(one.budget(tenant)).toMatchObject({tier: 'block'});
    } finally {
      await Promise.all([one.close(), other.close(), alone.close()]);
      await server.close();
    }
  });

  test('the server says what is wrong with a question', async () => {
    const server = await openTestServer();
    try {
      const ask = async (asks: unknown): Promise<{status: number; detail: string}> => {
        const response = await fetch(new URL('/v1/spend', server.url), {method: 'POST', headers: {'content-type': 'application/json'}, body: JSON.stringify({asks})});
        return {status: response.status, detail: String(((await response.json()) as {detail?: string}).detail)};
      };
      const today = Math.floor(Date.now() / DAY) * DAY;
      expect(await ask([{per: 'all', window_start_ms: today, keys: ['']}])).toMatchObject({status: 200});
      expect(await ask([{per: 'all', window_start_ms: today + 5, keys: ['']}])).toMatchObject({status: 400, detail: expect.stringContaining(`asks.0.window_start_ms: is ${today + 5}; write`)});
      expect(await ask([{per: 'day', window_start_ms: today, keys: ['']}])).toMatchObject({status: 400, detail: expect.stringContaining('asks.0.per')});
      expect(await ask([])).toMatchObject({status: 400, detail: expect.stringContaining('asks')});
    } finally {
      await server.close();
    }
  });
});
