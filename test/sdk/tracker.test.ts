import {describe, expect, test} from 'vitest';
import {isUnitSampled, Sampler} from '../../src/sdk/sampler.ts';
import {configOf, openTestTracker} from './fixtures.ts';

describe('expose', () => {
  test('tells once per experiment, phase, unit and variant, and again in the next phase', async () => {
    const {tracker, transport, config} = openTestTracker();
    for (let i = 0; i < 3; i += 1) tracker.expose('e', {unitId: 'u1'});
    tracker.expose('e', {unitId: 'u2', sessionId: 's', itemId: 'i'});
    const next = configOf();
    const version = next.experiments.get('e');
    if (version === undefined) throw new Error('no version');
    config.set({revision: 'r2', experiments: new Map([['e', {...version, version: 4, phase: 3}]])});
    const assignment = tracker.expose('e', {unitId: 'u1'});
    expect(await tracker.flush()).toBe(true);
    expect(transport.events.map(event => [event.unitId, event.kind === 'exposure' && event.phase])).toEqual([['u1', 2], ['u2', 2], ['u1', 3]]);
    expect(transport.events[2]).toMatchObject({experiment: 'e', variant: assignment.variant, configVersion: 4, reason: 'assigned', sampleRate: 1, attributes: {service: 'answers'}});
    expect(transport.events[1]).toMatchObject({sessionId: 's', itemId: 'i'});
  });

  test('an override is told as one; who is not in the experiment is told of to nobody', async () => {
    const {tracker, transport, config} = openTestTracker();
    expect(tracker.expose('e', {unitId: 'u1', headers: {'X-Variant': 'v3'}})).toMatchObject({variant: 'v3', reason: 'override'});
    config.set(configOf({lifecycle: 'paused'}));
    expect(tracker.expose('e', {unitId: 'u3'})).toMatchObject({variant: 'v1', cause: 'not_running'});
    expect(tracker.expose('other', {unitId: 'u3'})).toMatchObject({variant: 'b', cause: 'unknown_experiment'});
    expect(tracker.expose('nobody', {unitId: 'u3'}).variant).toBe('');
    await tracker.flush();
    expect(transport.events).toHaveLength(1);
    expect(transport.events[0]).toMatchObject({reason: 'override', variant: 'v3'});
  });
});

describe('outcome', () => {
  test('what a worker would refuse is counted and not sent, and nothing throws', async () => {
    const {tracker, transport} = openTestTracker();
    tracker.outcome({unitId: '', measures: {}});
    tracker.outcome({unitId: 'u', measures: {score: Number.NaN}});
    tracker.outcome({unitId: 'x'.repeat(600)});
    tracker.outcome(undefined as never);
    tracker.outcome({unitId: 'u', measures: {score: 0.5}, status: 'timeout', itemId: 'i', variantHint: {e: 'v2'}});
    await tracker.flush();
    expect(transport.events).toHaveLength(1);
    expect(transport.events[0]).toMatchObject({kind: 'outcome', measures: {score: 0.5}, status: 'timeout', itemId: 'i', variantHint: {e: 'v2'}});
    expect(tracker.counts().invalid).toBe(4);
  });
});

describe('context', () => {
  test('unit, region, version and trace reach every event inside, over awaits, and stay apart between requests', async () => {
    const {tracker, transport} = openTestTracker();
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    await Promise.all(['a', 'b'].map(unitId =>
      tracker.run({unitId, region: 'eu', version: '7', traceparent}, async () => {
        await new Promise(done => setTimeout(done, 2));
        tracker.outcome({measures: {score: 1}});
        tracker.run({region: 'us'}, () => tracker.outcome({}));
      }),
    ));
    await tracker.flush();
    expect(transport.events.map(({unitId, attributes, traceId}) => [unitId, attributes['region'], attributes['version'], traceId]).sort()).toEqual(
      ['a', 'b'].flatMap(unitId => ['eu', 'us'].map(region => [unitId, region, '7', '0af7651916cd43dd8448eb211c80319c'])),
    );
    expect(transport.batches.flat()[0]?.headers).toMatchObject({traceparent, 'x-assay-region': 'eu'});
  });

  test('it crosses HTTP and Kafka headers unharmed; broken values are passed over', () => {
    const {tracker} = openTestTracker();
    const context = {unitId: 'Zoë 日本', sessionId: 's', region: 'eu', version: '1', traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`};
    const headers = tracker.run(context, () => tracker.inject());
    expect(Object.values(headers).every(value => /^[\x20-\x7e]*$/.test(value))).toBe(true);
    expect(tracker.extract(headers)).toEqual(context);
    expect(tracker.extract(Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, Buffer.from(value)])))).toEqual(context);
    expect(tracker.extract({traceparent: 'nonsense', 'x-assay-unit': '%E0%A4%A', 'x-assay-region': ['eu', 'us'], 'x-assay-version': ''})).toEqual({region: 'eu'});
  });
});

describe('sampling', () => {
  test('keeps whole units, the asked share of them, nested by rate, and says the rate', async () => {
    const {tracker, transport} = openTestTracker({config: configOf({sampleRate: 0.5})});
    for (let i = 0; i < 4_000; i += 1) {
      tracker.expose('e', {unitId: `u${i}`});
      tracker.outcome({unitId: `u${i}`, measures: {score: 1}});
    }
    await tracker.flush();
    const units = (kind: string): string[] => transport.events.filter(event => event.kind === kind).map(event => event.unitId);
    expect(units('exposure')).toEqual(units('outcome'));
    // 4 000 units at 0.5: five standard deviations are 158.
    expect(Math.abs(units('outcome').length - 2_000)).toBeLessThan(158);
    expect(new Set(transport.events.map(event => event.sampleRate))).toEqual(new Set([0.5]));
    expect(tracker.counts().sampledOut).toBe(8_000 - transport.events.length);
    const ids = Array.from({length: 5_000}, (_, index) => `u${index}`);
    expect(ids.filter(id => isUnitSampled(id, 0.1)).every(id => isUnitSampled(id, 0.5))).toBe(true);
  });

  test('arms keep their share in a sample', () => {
    const {tracker} = openTestTracker();
    const counts: Record<string, number> = {v1: 0, v2: 0, v3: 0};
    let n = 0;
    for (let i = 0; i < 60_000; i += 1) {
      const unitId = `u${i}`;
      if (!isUnitSampled(unitId, 0.1)) continue;
      n += 1;
      const {variant} = tracker.assign('e', {unitId});
      counts[variant] = (counts[variant] ?? 0) + 1;
    }
    const chiSquare = [0.6, 0.3, 0.1].reduce((sum, share, index) => sum + ((counts[`v${index + 1}`] ?? 0) - share * n) ** 2 / (share * n), 0);
    // The 0.9999 quantile with 2 degrees of freedom.
    expect(chiSquare).toBeLessThan(18.42);
  });

  test('goes down to 50 and 10 % under pressure and comes back after calm', () => {
    const sampler = new Sampler();
    const rates: number[] = [];
    for (const [pressure, now] of [[0.5, 0], [0.6, 1], [0.7, 2], [0.85, 3], [0.9, 4], [0.05, 5], [0.05, 30_004], [0.05, 30_005], [0.2, 40_000], [0.05, 50_000], [0.05, 80_000]] as const) {
      sampler.adapt(pressure, now);
      rates.push(sampler.rate);
    }
    expect(rates).toEqual([1, 0.5, 0.5, 0.1, 0.1, 0.1, 0.1, 0.5, 0.5, 0.5, 1]);
  });
});
