import fc from 'fast-check';
import {expect, test} from 'vitest';
import {checkEvent} from '../../src/avro/check-event.ts';
import {makeEventId} from '../../src/avro/event-id.ts';
import {decodeRecord, encodeExposure, encodeOutcome, glanceAt, projectOutcome} from '../../src/avro/released.ts';
import type {Exposure, Outcome} from '../../src/core/events.ts';
import {epochMs} from '../../src/core/units.ts';
import {openRecordHasher} from '../../src/worker/record-hasher.ts';

const NOW = 1_800_000_000_000;
const ARRIVAL = {appendTs: epochMs(NOW), arrivalTs: epochMs(NOW), maxAgeMs: 3_600_000};
const hasher = await openRecordHasher();

const word = fc.oneof({weight: 8, arbitrary: fc.string({minLength: 1, maxLength: 20})}, {weight: 1, arbitrary: fc.constantFrom('', 'ü', 'x'.repeat(300))});
const words = fc.dictionary(word.filter(key => key !== '__proto__' && key !== '' && key.length <= 256), word, {maxKeys: 15});
const offset = fc.oneof({weight: 6, arbitrary: fc.integer({min: -3_000_000, max: 50_000})}, {weight: 1, arbitrary: fc.integer({min: -1e11, max: 1e9})});
const tail = {
  unitId: word, itemId: fc.option(word), sampleRate: fc.constantFrom(1, 1, 1, 0.5, 0, 2, Number.NaN), traceId: fc.constantFrom('', 'a'.repeat(32)),
  attributes: words, skew: fc.constantFrom(0, 0, 0, 1e8), at: offset,
};
const outcomes = fc
  .record({
    ...tail,
    variantHint: words,
    measures: fc.dictionary(fc.string({minLength: 1, maxLength: 9}).filter(key => key !== '__proto__'), fc.oneof({weight: 9, arbitrary: fc.double({noNaN: true, min: -1e14, max: 1e14})}, {weight: 1, arbitrary: fc.double()})),
    status: fc.constantFrom<Outcome['status']>('ok', 'timeout'),
  })
  .map(({skew, at, ...outcome}): Outcome => {
    const eventTs = epochMs(NOW + at);
    return {kind: 'outcome', eventId: makeEventId(epochMs(eventTs + skew), new Uint8Array(10)), eventTs, ...outcome};
  });
const exposures = fc
  .record({
    ...tail,
    experiment: word, variant: word, phase: fc.integer({min: -1, max: 5}), configVersion: fc.integer({min: -1, max: 5}),
    reason: fc.constantFrom<Exposure['reason']>('assigned', 'override', 'fallback'), sessionId: fc.option(word),
  })
  .map(({skew, at, ...exposure}): Exposure => {
    const eventTs = epochMs(NOW + at);
    return {kind: 'exposure', eventId: makeEventId(epochMs(eventTs + skew), new Uint8Array(10)), eventTs, ...exposure};
  });
const records = fc.oneof(outcomes.map(encodeOutcome), exposures.map(encodeExposure));

/** What decoding and checking say, in the words of a glance. */
function judged(bytes: Uint8Array): unknown {
  const decoded = decodeRecord(bytes);
  if (!decoded.ok || decoded.event.kind === 'tick' || checkEvent(decoded.event, ARRIVAL) !== null) return null;
  const {kind, eventTs} = decoded.event;
  const id = hasher.id(decoded.event);
  if (decoded.event.kind === 'exposure') return {kind, eventTs, id};
  const {variantHint, measures, status} = decoded.event;
  return {kind, eventTs, id, variantHint, status, measures};
}

/** The record where others lie before and behind it, which are not to be read. */
function among(bytes: Uint8Array): {bytes: Uint8Array; from: number; to: number} {
  const others = Buffer.concat([Uint8Array.of(0xff, 0x02, 0x80), bytes, Uint8Array.of(0, 0x02, 0x41, 0xff)]);
  return {bytes: others, from: 3, to: 3 + bytes.length};
}

function glanced(bytes: Uint8Array): unknown {
  const glance = glanceAt(among(bytes), ARRIVAL);
  if (glance === null) return null;
  const {kind, eventTs, variantHint, measureNames, measureValues, status} = glance;
  const id = hasher.idAt(glance);
  if (kind === 'exposure') return {kind, eventTs, id};
  return {kind, eventTs, id, variantHint, status, measures: Object.fromEntries(measureNames.map((name, index) => [name, measureValues[index]]))};
}

test('what is accepted at a glance is accepted by decoding and checking, with the same time and identity', () => {
  let accepted = 0;
  fc.assert(
    fc.property(records, bytes => {
      const glance = glanced(bytes);
      if (glance === null) return;
      accepted++;
      expect(glance).toEqual(judged(bytes));
    }),
    {numRuns: 2_000},
  );
  // Otherwise the property says nothing.
  expect(accepted).toBeGreaterThan(200);
});

test('damaged bytes are not accepted at a glance unless decoding accepts them', () => {
  const damage = fc.tuple(records, fc.nat(), fc.nat({max: 255}), fc.integer({min: -3, max: 3}));
  fc.assert(
    fc.property(damage, ([bytes, place, byte, cut]) => {
      const damaged = cut > 0 ? Uint8Array.from([...bytes, ...bytes.subarray(0, cut)]) : bytes.slice(0, bytes.length + cut);
      damaged[10 + (place % (damaged.length - 10))] = byte;
      const glance = glanced(damaged);
      if (glance !== null) expect(glance).toEqual(judged(damaged));
    }),
    {numRuns: 4_000},
  );
});

test('ordinary events of both kinds are accepted at a glance', () => {
  const common = {eventId: makeEventId(epochMs(NOW), new Uint8Array(10)), unitId: 'user-17', eventTs: epochMs(NOW), itemId: 'q-1', sampleRate: 1, traceId: 'ab'.repeat(16), attributes: {model: 'm-2', region: 'eu'}};
  const outcome: Outcome = {kind: 'outcome', ...common, variantHint: {a: 'b'}, measures: {latency_ms: 12.5, tokens: 7, error: 0}, status: 'ok'};
  const exposure: Exposure = {kind: 'exposure', ...common, experiment: 'answer-model', variant: 'v2', phase: 1, configVersion: 3, reason: 'assigned', sessionId: null};
  const {variantHint, measures, status} = outcome;
  expect(glanced(encodeOutcome(outcome))).toEqual({kind: 'outcome', eventTs: NOW, id: hasher.id(outcome), variantHint, measures, status});
  expect(glanced(encodeExposure(exposure))).toEqual({kind: 'exposure', eventTs: NOW, id: hasher.id(exposure)});
});

test('a projection holds what decoding gives', () => {
  fc.assert(
    fc.property(outcomes, outcome => {
      const bytes = encodeOutcome(outcome);
      const decoded = decodeRecord(bytes);
      if (!decoded.ok || decoded.event.kind !== 'outcome') return;
      const {unitId, eventTs, variantHint, measures, status, attributes} = decoded.event;
      expect(projectOutcome(bytes)).toEqual({unitId, eventTs, variantHint, measures, status, attributes});
    }),
  );
});
