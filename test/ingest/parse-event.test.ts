import {describe, expect, test} from 'vitest';
import {eventIdTime} from '../../src/avro/event-id.ts';
import {seededRng} from '../../src/core/rng.ts';
import {epochMs} from '../../src/core/units.ts';
import {type ParseContext, parseEvent} from '../../src/ingest/parse-event.ts';

const NOW = epochMs(Date.UTC(2026, 0, 5, 9));
const CONTEXT: ParseContext = {
  clock: {now: () => NOW, sleep: () => Promise.resolve()},
  rng: seededRng(7),
  currentPhase: experiment => (experiment === 'running' ? {phase: 3, version: 12} : undefined),
};
const EXPOSURE = {type: 'exposure', experiment: 'ranking', variant: 'b', unit_id: 'u1'};
const OUTCOME = {type: 'outcome', unit_id: 'u1', measures: {latency_ms: 412}};

const fieldsOf = (value: unknown): string[] => {
  const parsed = parseEvent(value, CONTEXT);
  return parsed.ok ? [] : parsed.problems.map(({field}) => field);
};
function eventOf(value: unknown) {
  const parsed = parseEvent(value, CONTEXT);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.event;
}

describe('a JSON event', () => {
  test('what may be left out gets the time of now, an id made of it, and the running phase', () => {
    const event = eventOf({...EXPOSURE, experiment: 'running'});
    expect(event).toMatchObject({kind: 'exposure', eventTs: NOW, phase: 3, configVersion: 12, reason: 'assigned', sampleRate: 1, itemId: null});
    expect(eventIdTime(event.eventId)).toBe(NOW);
    expect(eventOf(EXPOSURE)).toMatchObject({phase: 1, configVersion: 1});
    expect(eventOf(OUTCOME)).toMatchObject({kind: 'outcome', status: 'ok', measures: {latency_ms: 412}, variantHint: {}});
  });

  test.each([
    ['experiment', {...EXPOSURE, experiment: ''}],
    ['variant', {...EXPOSURE, variant: 3}],
    ['unit_id', {...EXPOSURE, unit_id: undefined}],
    ['phase', {...EXPOSURE, phase: 1.5}],
    ['phase', {...EXPOSURE, phase: 0}],
    ['phase', {...EXPOSURE, phase: 2 ** 31}],
    ['config_version', {...EXPOSURE, config_version: -1}],
    ['reason', {...EXPOSURE, reason: 'because'}],
    ['session_id', {...EXPOSURE, session_id: 9}],
    ['sample_rate', {...EXPOSURE, sample_rate: 0}],
    ['sample_rate', {...EXPOSURE, sample_rate: 1.01}],
    ['event_ts', {...OUTCOME, event_ts: 'yesterday'}],
    ['event_ts', {...OUTCOME, event_ts: -1}],
    ['event_ts', {...OUTCOME, event_ts: NOW * 1_000}],
    ['event_ts', {...OUTCOME, event_ts: true}],
    ['event_id', {...OUTCOME, event_id: 'abc'}],
    ['event_id', {...OUTCOME, event_id: '3f0c2b1e-7c1e-4c3a-8f00-1b2c3d4e5f60'}],
    ['item_id', {...OUTCOME, item_id: 5}],
    ['trace_id', {...OUTCOME, trace_id: {}}],
    ['status', {...OUTCOME, status: 'failed'}],
    ['measures', {...OUTCOME, measures: [1]}],
    ['measures.latency_ms', {...OUTCOME, measures: {latency_ms: '412'}}],
    ['attributes.model', {...OUTCOME, attributes: {model: 7}}],
    ['variant_hint.ranking', {...OUTCOME, variant_hint: {ranking: null}}],
    ['experiment', {...OUTCOME, experiment: 'ranking'}],
    ['measures', {...EXPOSURE, measures: {}}],
    ['type', {...EXPOSURE, type: 'click'}],
    ['type', {unit_id: 'u1'}],
    ['', 'text'],
    ['', null],
    ['', [EXPOSURE]],
  ])('a wrong %s is named, and nothing else is blamed', (field, value) => {
    expect(fieldsOf(value)).toEqual([field]);
  });

  test('every wrong field is named at once, with the kind it must have and what it got', () => {
    const parsed = parseEvent({...OUTCOME, unit_id: 4, measures: {a: 1, b: 'x', c: null}, status: 'bad'}, CONTEXT);
    expect(parsed).toEqual({
      ok: false,
      problems: [
        {field: 'unit_id', message: 'must be text that is not empty, got number 4'},
        {field: 'measures.b', message: 'must be a finite number, got string "x"'},
        {field: 'measures.c', message: 'must be a finite number, got null'},
        {field: 'status', message: 'must be one of ok, client_error, server_error, timeout, got string "bad"'},
      ],
    });
  });

  test('an ISO time without a zone is UTC, wherever the server runs', () => {
    const before = process.env['TZ'];
    process.env['TZ'] = 'Asia/Tokyo';
    try {
      const times = ['2026-01-05T09:00:00', '2026-01-05 09:00:00.000', '2026-01-05T09:00Z', '2026-01-05T10:00:00+01:00'];
      expect(times.map(event_ts => eventOf({...OUTCOME, event_ts}).eventTs)).toEqual([NOW, NOW, NOW, NOW]);
    } finally {
      if (before === undefined) delete process.env['TZ'];
      else process.env['TZ'] = before;
    }
  });

  test('a given UUIDv7 is kept, in either spelling', () => {
    const id = '0190b0f6-7c1e-7c3a-8f00-1b2c3d4e5f60';
    for (const event_id of [id, id.toUpperCase(), id.replaceAll('-', '')]) {
      expect(Buffer.from(eventOf({...OUTCOME, event_id}).eventId).toString('hex')).toBe(id.replaceAll('-', ''));
    }
  });
});
