import {describe, expect, test} from 'vitest';
import type {Verdict} from '../../src/core/verdict.ts';
import {epochMs} from '../../src/core/units.ts';
import {seededRng} from '../../src/core/rng.ts';
import type {Channel} from '../../src/notify/channel.ts';
import {Outbox} from '../../src/notify/outbox.ts';
import {changedTreatments, ReportPublisher} from '../../src/notify/publish-reports.ts';
import {ENGLISH} from '../../src/report/texts.ts';
import {openMemoryWarehouse} from '../../src/warehouse/memory/memory-warehouse.ts';
import {harmedLatency, makeVerdict} from '../report/make-verdict.ts';
import {ManualClock} from './manual-clock.ts';

const channel = (name: string): Channel => ({
  kind: 'test',
  name,
  compose: notice => ({body: JSON.stringify({type: notice.type, headline: 'report' in notice ? notice.report.headline : ''}), contentType: 'application/json'}),
  deliver: async () => ({outcome: 'delivered', status: 200, durationMs: 1}),
});

async function setup(verdicts: readonly Verdict[]) {
  const store = openMemoryWarehouse();
  await store.insertVerdicts(verdicts);
  const clock = new ManualClock();
  const channels = [channel('changes'), channel('digests'), channel('both')];
  const outbox = new Outbox({store, channels, clock, rng: seededRng(1)});
  const subscriptions = channels.map((one, index) => ({texts: ENGLISH, channel: one, events: [['decision_changed'], ['digest'], ['decision_changed', 'digest', 'alert']][index] ?? []}));
  const open = (): ReportPublisher => new ReportPublisher({verdicts: store, enqueue: message => outbox.enqueue(message), subscriptions, clock, publicUrl: ''});
  return {store, clock, outbox, open};
}

const rolledBack = {decision: 'roll_back', previous_decision: 'keep_running', reasons: ['guardrail_harmed:latency_p95']} as const;

describe('a change of decision', () => {
  test('is announced once per webhook that wants it, however often it is published', async () => {
    const {store, open, clock} = await setup([makeVerdict(rolledBack), harmedLatency(rolledBack)]);
    const first = await open().publishChanges('live');
    clock.set(clock.now() + 60_000);
    expect(first.queued).toHaveLength(2);
    expect(await open().publishChanges('live')).toEqual({queued: [], known: first.queued});
    const rows = await store.deliveries({states: [], limit: 9});
    expect(rows.map(row => row.channel).sort()).toEqual(['both', 'changes']);
    expect(rows[0]?.subject).toBe('decision_changed live/answer-model/v2: roll_back');
    expect(JSON.parse(rows[0]?.body ?? '{}').headline).toContain('Roll back v2 in answer-model');
  });

  test('killed between two webhooks: the rest is queued by the next start, nothing twice', async () => {
    const {outbox, store, clock} = await setup([makeVerdict()]);
    let calls = 0;
    const publisher = (limit: number): ReportPublisher =>
      new ReportPublisher({
        verdicts: store,
        enqueue: message => {
          calls += 1;
          return calls > limit ? Promise.reject(new Error('killed')) : outbox.enqueue(message);
        },
        subscriptions: [{texts: ENGLISH, channel: channel('changes'), events: ['decision_changed']}, {texts: ENGLISH, channel: channel('both'), events: ['decision_changed']}],
        clock,
        publicUrl: '',
      });
    await expect(publisher(1).publishChanges('live')).rejects.toThrow('killed');
    const result = await publisher(99).publishChanges('live');
    expect([result.queued.length, result.known.length]).toEqual([1, 1]);
  });

  test.each<readonly [Verdict['previous_decision'], Verdict['decision'], boolean]>([
    ['keep_running', 'ship', true],
    ['ship', 'keep_running', true],
    ['ship', 'ship', false],
    ['roll_back', 'unhealthy', true],
    [null, 'keep_running', false],
    [null, 'no_data', false],
    [null, 'roll_back', true],
  ])('%s → %s: announced %s', (previous, decision, expected) => {
    expect(changedTreatments([makeVerdict({previous_decision: previous, decision})])).toHaveLength(expected ? 1 : 0);
  });

  test('each treatment speaks for itself', async () => {
    const quiet = {variant: 'v3', decision: 'keep_running', previous_decision: 'keep_running'} as const;
    const {open} = await setup([makeVerdict(), makeVerdict(quiet)]);
    expect((await open().publishChanges('live')).queued).toHaveLength(2);
    expect(changedTreatments([makeVerdict(), makeVerdict({...quiet, ...rolledBack, variant: 'v3'})]).map(({variant}) => variant)).toEqual(['v2', 'v3']);
  });
});

describe('a digest', () => {
  test('is one delivery per webhook and scheduled time', async () => {
    const {open, clock} = await setup([makeVerdict()]);
    const morning = epochMs(Date.parse('2026-11-21T08:00:00.000Z'));
    expect((await open().publishDigest('live', morning)).queued).toHaveLength(2);
    clock.set(clock.now() + 60_000);
    expect((await open().publishDigest('live', morning)).known).toHaveLength(2);
    expect((await open().publishDigest('live', epochMs(morning + 86_400_000))).queued).toHaveLength(2);
  });

  test('is not sent before there is a verdict', async () => {
    const {open} = await setup([]);
    expect(await open().publishDigest('live', epochMs(0))).toEqual({queued: [], known: []});
  });
});
