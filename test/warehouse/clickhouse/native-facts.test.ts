import {readdirSync, readFileSync} from 'node:fs';
import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {checkEvent} from '../../../src/avro/check-event.ts';
import {makeEventId} from '../../../src/avro/event-id.ts';
import {decodeRecord, encodeExposure, encodeOutcome, encodeTick, glanceAt, locateCells, projectOutcome} from '../../../src/avro/released.ts';
import type {Event} from '../../../src/core/events.ts';
import {epochMs} from '../../../src/core/units.ts';
import {ArrivalTableColumns, ExposureColumns, OutcomeColumns} from '../../../src/warehouse/clickhouse/native-facts.ts';
import {PendingRows} from '../../../src/worker/pending-rows.ts';
import {openRecordHasher} from '../../../src/worker/record-hasher.ts';

const CODEC = {decode: decodeRecord, check: checkEvent, glance: glanceAt, project: projectOutcome, locate: locateCells, encodeTick};
const NOW = 1_800_000_000_000;
const AT = {logEpoch: 3, partition: 513};
const NOT_SLICED = {variantHint: {}, hintPlace: -1, measureNames: [], measureValues: [], status: 'ok', sampleRate: 1} as const;
const hasher = await openRecordHasher();

const word = fc.string({unit: 'grapheme', maxLength: 90});
const key = word.filter(text => text !== '' && text !== '__proto__');
const texts = fc.dictionary(key, word, {maxKeys: 20});
const common = {
  eventId: fc.uint8Array({minLength: 10, maxLength: 10}).map(tail => makeEventId(epochMs(NOW), tail)),
  unitId: key, eventTs: fc.integer({min: 0, max: 2 ** 41}).map(epochMs), itemId: fc.option(word), sampleRate: fc.double({min: 0.001, max: 1, noNaN: true}),
  traceId: word, attributes: texts,
};
const events: fc.Arbitrary<Event> = fc.oneof(
  fc.record({
    kind: fc.constant('outcome' as const), ...common, variantHint: texts, measures: fc.dictionary(key, fc.double({noNaN: true})),
    status: fc.constantFrom('ok' as const, 'client_error' as const, 'server_error' as const, 'timeout' as const),
  }),
  fc.record({
    kind: fc.constant('exposure' as const), ...common, experiment: key, variant: key, phase: fc.integer({min: 1, max: 2 ** 31 - 1}),
    configVersion: fc.nat(), reason: fc.constantFrom('assigned' as const, 'override' as const, 'fallback' as const), sessionId: fc.option(word),
  }),
);

/** Rows as a worker has them before a flush. */
function pendingOf(records: readonly Uint8Array[]): PendingRows {
  const rows = new PendingRows(AT, {codec: CODEC, hasher});
  for (const [index, bytes] of records.entries()) {
    const decoded = decodeRecord(bytes);
    const offset = 2n ** 40n + BigInt(index) * 3n;
    const times = {appendTs: epochMs(NOW + index), arrivalTs: epochMs(NOW + 2 * index)};
    const arrival = {...AT, offset, ...times};
    const taken = {raw: {offsetNumber: Number(offset), bytes, from: 0, to: bytes.length}, ...times};
    if (!decoded.ok) rows.pushDeadLetter(taken, 7n, {...arrival, lastOffset: offset, code: decoded.code, message: decoded.message, key: null, value: bytes});
    else if (decoded.event.kind === 'tick') rows.pushTick(taken, 2n ** 64n - 1n);
    else {
      const {kind, eventTs} = decoded.event;
      rows.pushFact(taken, {kind, eventTs, idHash: 2n ** 63n + offset, outcome: NOT_SLICED, unitFrom: 0, unitTo: 0});
    }
  }
  return rows;
}

/** The blocks of the three tables, from cells and columns or from rows that are objects. */
function blocksOf(rows: PendingRows, isByCells: boolean): Buffer[] {
  const [exposures, outcomes, arrivals] = [new ExposureColumns(), new OutcomeColumns(), new ArrivalTableColumns()];
  if (isByCells) {
    rows.exposures.visit?.(exposures);
    rows.outcomes.visit?.(outcomes);
    for (const part of rows.arrivals.columns?.() ?? []) arrivals.pushColumns(part);
  } else {
    for (const fact of rows.exposures) exposures.pushFact(fact);
    for (const fact of rows.outcomes) outcomes.pushFact(fact);
    for (const row of rows.arrivals) arrivals.pushRow(row);
  }
  return [exposures, outcomes, arrivals].map(columns => Buffer.concat(columns.block('live')));
}

describe('blocks from cells', () => {
  test('facts from cells are those from objects, byte by byte, whatever they hold', () => {
    let longest = 0;
    fc.assert(
      fc.property(fc.array(events, {minLength: 1, maxLength: 12}), batch => {
        const rows = pendingOf(batch.map(event => (event.kind === 'outcome' ? encodeOutcome(event) : encodeExposure(event))));
        expect(rows.deadLetters).toEqual([]);
        const [byCells, byRows] = [blocksOf(rows, true), blocksOf(rows, false)];
        expect(byCells.slice(0, 2)).toEqual(byRows.slice(0, 2));
        longest = Math.max(longest, byCells[1]?.length ?? 0);
      }),
      {numRuns: 100},
    );
    expect(longest).toBeGreaterThan(1_000);
  });

  test('records as other writers lay them out, in several map blocks and with sizes, give the same cells', () => {
    const folder = new URL('../../../schemas/samples/valid/', import.meta.url);
    const samples = readdirSync(folder).map(file => JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as {hex: string});
    const records = samples.map(({hex}) => new Uint8Array(Buffer.from(hex, 'hex')));
    expect(records.length).toBeGreaterThan(10);
    const rows = pendingOf(records);
    expect(rows.countOf('outcome')).toBeGreaterThan(3);
    expect(blocksOf(rows, true).slice(0, 2)).toEqual(blocksOf(rows, false).slice(0, 2));
  });

  test('columns are used again after a clear, and dictionaries forget', () => {
    const outcome = (unitId: string): Event => ({
      kind: 'outcome', eventId: makeEventId(epochMs(NOW), new Uint8Array(10)), unitId, eventTs: epochMs(NOW), itemId: null, variantHint: {},
      measures: {[unitId]: 1}, status: 'ok', sampleRate: 1, traceId: '', attributes: {},
    });
    const first = pendingOf(Array.from({length: 400}, (_, index) => encodeOutcome(outcome(`unit ${index}`) as never)));
    const second = pendingOf([encodeOutcome(outcome('other') as never)]);
    const columns = new OutcomeColumns();
    first.outcomes.visit?.(columns);
    expect(columns.rows).toBe(400);
    columns.clear();
    second.outcomes.visit?.(columns);
    expect(Buffer.concat(columns.block('live'))).toEqual(blocksOf(second, true)[1]);
  });
});
