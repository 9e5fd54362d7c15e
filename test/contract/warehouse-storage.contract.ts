import fc from 'fast-check';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import type {FactBatch, OutcomeFact} from '../../src/core/facts.ts';
import {durationMs, type EpochMs, epochMs} from '../../src/core/units.ts';
import type {AlertRow, ClosingStore, DeliveryRow, FactStore, OutboxStore, ReadStore, VerdictStore, Warehouse} from '../../src/warehouse/warehouse.ts';
import {arrivalRowOf, deadLetterRow, eventIdAt, exposureFact, outcomeFact, START, verdictAt} from '../helpers/storage-fixtures.ts';

/** The part of the port this suite is about. */
export type Storage = FactStore &
  VerdictStore &
  OutboxStore &
  Pick<ReadStore, 'deadLetters'> &
  Pick<ClosingStore, 'mirrorVersions' | 'mirrorStream' | 'streams'> &
  Pick<Warehouse, 'migrate' | 'engineVersion' | 'ping'>;

export type StorageUnderTest = {readonly storage: Storage; remove(): Promise<void>};

/** What every warehouse promises about keeping rows. Each test writes to a stream of its own. */
export function describeWarehouseStorageContract(open: () => Promise<StorageUnderTest>): void {
  describe('Warehouse storage contract', () => {
    let opened: StorageUnderTest;
    let storage: Storage;
    let streams = 0;
    const newStream = (): string => `s${++streams}`;

    beforeAll(async () => {
      opened = await open();
      storage = opened.storage;
      await storage.migrate();
    });
    afterAll(() => opened?.remove());

    test('migrating twice applies nothing the second time', async () => {
      const again = await storage.migrate();
      expect(again.applied).toEqual([]);
      expect(again.version).toBeGreaterThan(0);
    });

    test('answers ping and names its version', async () => {
      await storage.ping();
      expect(await storage.engineVersion()).toMatch(/\S/);
    });

    test('an outcome comes back exactly as it was inserted', async () => {
      const stream = newStream();
      const fact = outcomeFact(
        {serial: 1, offset: 2 ** 40, ms: START + 123, arrivalMs: START + 9_999},
        {
          unitId: 'it\'s "ü" \\ \n\t',
          itemId: 'item',
          variantHint: {'answer-model': 'v2'},
          measures: {score: 0.1 + 0.2, tiny: 5e-324, big: 999_999_999_999_999, zero: 0},
          status: 'timeout',
          sampleRate: 0.1,
          traceId: 'trace',
          attributes: {region: 'eu', 'a b': ''},
        },
      );
      await storage.insertFacts(batchOf(stream, [fact]));
      expect(await openOutcomes(storage, stream)).toEqual([fact]);
    });

    test('an empty batch is accepted', async () => {
      await storage.insertFacts(batchOf(newStream(), []));
    });

    test('of two payloads with one identity the earliest arrival wins, in either order of insertion', async () => {
      for (const order of [[0, 1], [1, 0]] as const) {
        const stream = newStream();
        const same = {eventId: eventIdAt(START, 1), unitId: 'u'};
        const copies = [
          outcomeFact({serial: 1, offset: 5, arrivalMs: START + 10}, {...same, measures: {score: 1}}),
          outcomeFact({serial: 1, offset: 9, arrivalMs: START + 20}, {...same, measures: {score: 2}, eventTs: epochMs(START + 40 * 86_400_000)}),
        ] as const;
        for (const index of order) await storage.insertFacts(batchOf(stream, [copies[index]]));
        expect(await openOutcomes(storage, stream)).toEqual([copies[0]]);
      }
    });

    test('with equal arrival the lower position wins', async () => {
      const stream = newStream();
      const same = {eventId: eventIdAt(START, 1), unitId: 'u'};
      const low = outcomeFact({serial: 1, offset: 3}, {...same, measures: {score: 3}});
      await storage.insertFacts(batchOf(stream, [outcomeFact({serial: 1, offset: 4}, {...same, measures: {score: 4}})]));
      await storage.insertFacts(batchOf(stream, [low]));
      expect(await openOutcomes(storage, stream)).toEqual([low]);
    });

    test('the same rows in any grouping, order and number leave each fact once', async () => {
      const facts = Array.from({length: 12}, (_, serial) => outcomeFact({serial, offset: serial, ms: START + serial * 3_600_000}));
      const groupings = fc.array(fc.array(fc.integer({min: 0, max: 11}), {maxLength: 8}), {minLength: 1, maxLength: 4});
      await fc.assert(
        fc.asyncProperty(groupings, async groups => {
          const stream = newStream();
          for (const group of groups) await storage.insertFacts(batchOf(stream, group.map(serial => facts[serial] as OutcomeFact)));
          const wanted = [...new Set(groups.flat())].sort((a, b) => a - b);
          expect(await openOutcomes(storage, stream)).toEqual(wanted.map(serial => facts[serial]));
        }),
        {numRuns: 8},
      );
    });

    test('streams do not see each other', async () => {
      const [a, b] = [newStream(), newStream()];
      await storage.insertFacts(batchOf(a, [outcomeFact({serial: 1, offset: 1})]));
      expect(await openOutcomes(storage, b)).toEqual([]);
      expect(await storage.writtenThrough(b, 1, 0)).toBeNull();
    });

    test('openOutcomes keeps to the partition, below the offset and from the time on, in offset order', async () => {
      const stream = newStream();
      const kept = [outcomeFact({serial: 1, offset: 1, ms: START + 10_000}), outcomeFact({serial: 2, offset: 2, ms: START + 5_000})];
      await storage.insertFacts(
        batchOf(stream, [
          ...kept.toReversed(),
          outcomeFact({serial: 3, offset: 3, ms: START + 20_000}),
          outcomeFact({serial: 4, offset: 0, ms: START + 4_999}),
          outcomeFact({serial: 5, offset: 1, ms: START + 10_000, partition: 1}),
        ]),
      );
      const pages: (readonly OutcomeFact[])[] = [];
      const query = {stream, logEpoch: 1, partition: 0, belowOffset: 3n, from: epochMs(START + 5_000)};
      for await (const page of storage.openOutcomes(query)) pages.push(page);
      expect(pages.flat()).toEqual(kept);
    });

    test('arrivalHigh is the largest arrival below an offset; null when there is none', async () => {
      const stream = newStream();
      const facts = [100, 100, 250].map((ms, serial) => outcomeFact({serial, offset: serial + 1, arrivalMs: START + ms}));
      await storage.insertFacts(batchOf(stream, facts));
      const high = (belowOffset: bigint) => storage.arrivalHigh({stream, logEpoch: 1, partition: 0, belowOffset});
      expect(await high(1n)).toBeNull();
      expect(await high(3n)).toBe(START + 100);
      expect(await high(2n ** 60n)).toBe(START + 250);
    });

    test('writtenThrough is the highest offset + 1 of the partition and epoch', async () => {
      const stream = newStream();
      expect(await storage.writtenThrough(stream, 1, 0)).toBeNull();
      await storage.insertFacts(batchOf(stream, [outcomeFact({serial: 1, offset: 41}), outcomeFact({serial: 2, offset: 7, partition: 3})]));
      expect(await storage.writtenThrough(stream, 1, 0)).toBe(42n);
      expect(await storage.writtenThrough(stream, 1, 3)).toBe(8n);
      expect(await storage.writtenThrough(stream, 2, 0)).toBeNull();
    });

    test('firstExposures gives the first assigned one per unit, experiment and phase, by (event_ts, event_id)', async () => {
      const stream = newStream();
      const exposures = [
        exposureFact({serial: 1, offset: 1, ms: START + 50}, {unitId: 'u', variant: 'v2'}),
        exposureFact({serial: 2, offset: 2, ms: START + 40}, {unitId: 'u', variant: 'v1'}),
        exposureFact({serial: 3, offset: 3, ms: START + 10}, {unitId: 'u', variant: 'v3', reason: 'override'}),
        exposureFact({serial: 4, offset: 4, ms: START + 60}, {unitId: 'u', phase: 2, variant: 'v2'}),
        exposureFact({serial: 6, offset: 5, ms: START + 30}, {unitId: 'w', variant: 'v2'}),
        exposureFact({serial: 5, offset: 6, ms: START + 30}, {unitId: 'w', variant: 'v2'}),
        exposureFact({serial: 7, offset: 7, ms: START}, {unitId: 'not asked'}),
      ];
      await storage.insertFacts({...batchOf(stream, []), exposures});
      const found = await storage.firstExposures(stream, ['u', 'w', 'unknown']);
      const hex = (serial: number, ms: number): string => Buffer.from(eventIdAt(ms, serial)).toString('hex');
      const expected = [
        {unitId: 'u', experiment: 'answer-model', phase: 1, variant: 'v1', eventTs: START + 40, eventId: hex(2, START + 40), isCrossover: true},
        {unitId: 'u', experiment: 'answer-model', phase: 2, variant: 'v2', eventTs: START + 60, eventId: hex(4, START + 60), isCrossover: false},
        {unitId: 'w', experiment: 'answer-model', phase: 1, variant: 'v2', eventTs: START + 30, eventId: hex(5, START + 30), isCrossover: false},
      ];
      expect(found.toSorted((a, b) => a.unitId.localeCompare(b.unitId) || a.phase - b.phase)).toEqual(expected);
      expect(await storage.firstExposures(stream, [])).toEqual([]);
    });

    test('a copy that lost to an earlier one decides nothing in firstExposures', async () => {
      const stream = newStream();
      const same = {eventId: eventIdAt(START, 1), unitId: 'u'};
      const first = exposureFact({serial: 1, offset: 1}, {...same, variant: 'v1', eventTs: epochMs(START + 10)});
      const loser = exposureFact({serial: 1, offset: 2}, {...same, variant: 'v2', eventTs: epochMs(START)});
      await storage.insertFacts({...batchOf(stream, []), exposures: [loser]});
      await storage.insertFacts({...batchOf(stream, []), exposures: [first]});
      expect(await storage.firstExposures(stream, ['u'])).toMatchObject([{variant: 'v1', eventTs: START + 10, isCrossover: false}]);
    });

    test('provisional slices are accepted again and again', async () => {
      const slice = {
        experiment: 'answer-model', phase: 1, variant: 'v1', metric: 'm', dimension: '', dimensionValue: '', sliceStart: epochMs(START), partition: 0, logEpoch: 1,
        lastOffset: 1n, n: 2, sum: 1, m2: 0.5, min: 0, max: 1, denominatorSum: 0, extraWeight: 0, extraSum: 0, extraDenominatorSum: 0, histogram: new Map([[-3, 1], [1047, 1]]),
      };
      const stream = newStream();
      await storage.insertProvisional(stream, [slice]);
      await storage.insertProvisional(stream, [slice, {...slice, lastOffset: 5n, n: 3}]);
      await storage.insertProvisional(stream, []);
    });

    test('dead letters keep their bytes, once, newest first', async () => {
      const stream = newStream();
      const [first, second] = [deadLetterRow(1), deadLetterRow(2, {code: 'oversized', key: 'k', arrivalTs: epochMs(START + 5), value: new Uint8Array(0)})];
      await storage.insertFacts({...batchOf(stream, []), deadLetters: [first]});
      await storage.insertFacts({...batchOf(stream, []), deadLetters: [first, second]});
      expect(await storage.deadLetters({stream, code: null, limit: 10})).toEqual([
        {stream, partition: 0, offset: '2', code: 'oversized', message: 'not Avro', key: 'k', value: second.value, arrival_ts: new Date(START + 5).toISOString()},
        {stream, partition: 0, offset: '1', code: 'undecodable', message: 'not Avro', key: null, value: first.value, arrival_ts: new Date(START).toISOString()},
      ]);
      expect(await storage.deadLetters({stream, code: 'oversized', limit: 10})).toHaveLength(1);
      expect(await storage.deadLetters({stream: null, code: 'undecodable', limit: 1})).toHaveLength(1);
      const offsets = async (page: {through?: EpochMs; skip?: number}) => (await storage.deadLetters({stream, code: null, limit: 10, ...page})).map(({offset}) => offset);
      expect([await offsets({skip: 1}), await offsets({through: epochMs(START + 4)}), await offsets({through: epochMs(START + 5), skip: 2})]).toEqual([['1'], ['1'], []]);
    });

    test('a verdict comes back as it was, once, and the newest of each metric and variant is found', async () => {
      const stream = newStream();
      const verdicts = [
        verdictAt(1, {stream, verdict_id: `${stream}-1`}),
        verdictAt(2, {stream, verdict_id: `${stream}-2`, decision: 'ship', previous_decision: 'keep_running'}),
        verdictAt(3, {stream, verdict_id: `${stream}-3`, metric: 'latency_p95'}),
        verdictAt(1, {stream, verdict_id: `${stream}-4`, experiment: 'other'}),
      ] as const;
      await storage.insertVerdicts(verdicts);
      await storage.insertVerdicts(verdicts.slice(1, 2));
      expect(await storage.verdict(`${stream}-1`)).toEqual(verdicts[0]);
      expect(await storage.verdict('nowhere')).toBeNull();
      expect(await storage.latestVerdicts(stream, 'answer-model')).toEqual([verdicts[1], verdicts[2]]);
      expect(await storage.latestVerdicts(stream, null)).toEqual([verdicts[1], verdicts[2], verdicts[3]]);
    });

    test('of a delivery the newest state counts, its history stays', async () => {
      const due = delivery('d1', {});
      const retried = delivery('d1', {attempt: 1, changed_at: iso(5), next_attempt_at: iso(60_000), last_status: 503, last_error: 'it\'s busy', duration_ms: 12});
      const done = delivery('d1', {attempt: 2, state: 'delivered', changed_at: iso(9), last_status: 200, duration_ms: 3});
      const other = delivery('d2', {created_at: iso(-5), changed_at: iso(1)});
      for (const rows of [[done], [due, other], [retried], [due]]) await storage.insertDeliveries(rows);
      expect(await storage.delivery('d1')).toEqual(done);
      expect(await storage.delivery('nowhere')).toBeNull();
      expect(await storage.deliveryHistory('d1')).toEqual([due, retried, done]);
      expect(await storage.deliveries({states: ['due'], limit: 10})).toEqual([other]);
      expect(await storage.deliveries({states: [], limit: 10})).toEqual([other, done]);
      expect(await storage.deliveries({states: [], limit: 1})).toEqual([other]);
      const ids = async (page: {limit: number; through?: EpochMs; skip?: number}) => (await storage.newestDeliveries({states: [], ...page})).map(({delivery_id: id}) => id);
      expect([await ids({limit: 10}), await ids({limit: 1}), await ids({limit: 1, skip: 1}), await ids({limit: 10, through: epochMs(Date.parse(other.created_at))})]).toEqual([['d1', 'd2'], ['d1'], ['d2'], ['d2']]);
      expect(await storage.newestDeliveries({states: ['delivered'], limit: 10})).toEqual([done]);
    });

    test('of an alert the newest state per rule, experiment and variant counts', async () => {
      const stream = newStream();
      const pending = alert(stream, {});
      const firing = alert(stream, {state: 'firing', value: 0.5});
      const elsewhere = alert(stream, {variant: 'v3', window_start: null, window_end: null, value: null});
      await storage.insertAlerts([firing, elsewhere]);
      await storage.insertAlerts([pending]);
      expect(await storage.latestAlerts(stream)).toEqual([firing, elsewhere]);
    });

    test('streams are kept once and listed', async () => {
      const name = newStream();
      const stream = {
        name, kind: 'import' as const, topic: `assay.events.${name}.v1`, latenessMs: durationMs(2_000), sliceMs: durationMs(10_000), maxAgeMs: null, partitions: 1,
      };
      await storage.mirrorStream(stream);
      await storage.mirrorStream(stream);
      expect((await storage.streams()).filter(found => found.name === name)).toEqual([stream]);
    });
  });
}

const batchOf = (stream: string, outcomes: readonly OutcomeFact[]): FactBatch => ({
  stream,
  exposures: [],
  outcomes,
  deadLetters: [],
  arrivals: outcomes.map(arrivalRowOf),
});

async function openOutcomes(storage: Storage, stream: string): Promise<OutcomeFact[]> {
  const facts: OutcomeFact[] = [];
  const query = {stream, logEpoch: 1, partition: 0, belowOffset: 2n ** 48n, from: epochMs(0)};
  for await (const page of storage.openOutcomes(query)) facts.push(...page);
  return facts;
}

const iso = (ms: number): string => new Date(START + ms).toISOString();

const delivery = (id: string, given: Partial<DeliveryRow>): DeliveryRow => ({
  delivery_id: id, channel: 'slack', subject: 's', body: '{"a":"ü"}', content_type: 'application/json', state: 'due', attempt: 0, created_at: iso(0),
  next_attempt_at: null, changed_at: iso(0), last_status: null, last_error: '', duration_ms: null, ...given,
});

const alert = (stream: string, given: Partial<AlertRow>): AlertRow => ({
  alert_id: 'a1', stream, rule: 'error_rate', experiment: 'answer-model', variant: 'v2', state: 'pending', severity: 'high', value: 0.25, threshold: 0.3,
  window_start: iso(0), window_end: iso(60_000), reason: 'above', context: {n: 50, nested: {a: [1]}}, changed_at: iso(70_000), ...given,
});
