import {describe, expect, test} from 'vitest';
import {decodeRecord, encodeExposure, encodeOutcome} from '../../src/avro/released.ts';
import {AssayError} from '../../src/core/errors.ts';
import type {Event} from '../../src/core/events.ts';
import {seededRng} from '../../src/core/rng.ts';
import {NO_METRICS} from '../../src/core/telemetry.ts';
import {epochMs} from '../../src/core/units.ts';
import {BusyError, EventDoor} from '../../src/ingest/accept-events.ts';
import type {AppendedRecord, EventLog, NewRecord} from '../../src/log/event-log.ts';

const NOW = epochMs(Date.UTC(2026, 0, 5, 9));
const OUTCOME = {type: 'outcome', unit_id: 'u1', measures: {latency_ms: 412}};
const encode = (event: Event): Uint8Array => (event.kind === 'exposure' ? encodeExposure(event) : encodeOutcome(event));

function tracesOf({value}: NewRecord): string {
  const decoded = decodeRecord(value ?? new Uint8Array());
  if (!decoded.ok || !('traceId' in decoded.event)) throw new Error('no event');
  return decoded.event.traceId;
}

function openDoor(append: (records: readonly NewRecord[]) => Promise<AppendedRecord[]>, maxAgeMs: number | null = null) {
  const log = {append: (_topic: string, records: readonly NewRecord[]) => append(records)} as unknown as EventLog;
  const clock = {now: () => NOW, sleep: () => Promise.resolve()};
  return new EventDoor({log, topic: 't', encode, context: {clock, rng: seededRng(1), currentPhase: () => undefined}, metrics: NO_METRICS, maxAgeMs});
}

function recordingDoor(maxAgeMs: number | null = null) {
  const records: NewRecord[] = [];
  const door = openDoor(batch => {
    records.push(...batch);
    return Promise.resolve(batch.map((_, index) => ({partition: 0, offset: BigInt(index)})));
  }, maxAgeMs);
  return {door, records};
}

describe('the HTTP door', () => {
  test('valid events are appended under their unit, each wrong one is named by its index', async () => {
    const {door, records} = recordingDoor();
    const result = await door.accept([OUTCOME, {...OUTCOME, unit_id: ''}, {...OUTCOME, unit_id: 'u2'}, 5]);
    expect(result.accepted).toBe(2);
    expect(result.errors.map(({index, field}) => [index, field])).toEqual([[1, 'unit_id'], [3, '']]);
    expect(records.map(({key}) => key)).toEqual(['u1', 'u2']);
  });

  const [TRACE, SPAN] = ['4bf92f3577b34da6a3ce929d0e0e4736', '00f067aa0ba902b7'];

  test.each([
    ['version 00', `00-${TRACE}-${SPAN}-01`, TRACE],
    ['not sampled', `00-${TRACE}-${SPAN}-00`, TRACE],
    ['a later version', `01-${TRACE}-${SPAN}-01`, TRACE],
    ['a later version with more behind a dash', `cc-${TRACE}-${SPAN}-01-what-the-future-brings`, TRACE],
    ['a later version with more behind no dash', `cc-${TRACE}-${SPAN}-01.what`, ''],
    ['version 00 with more', `00-${TRACE}-${SPAN}-01-more`, ''],
    ['version ff', `ff-${TRACE}-${SPAN}-01`, ''],
    ['a trace of zeros', `00-${'0'.repeat(32)}-${SPAN}-01`, ''],
    ['a parent of zeros', `00-${TRACE}-${'0'.repeat(16)}-01`, ''],
    ['capitals', `00-${TRACE.toUpperCase()}-${SPAN}-01`, ''],
    ['a short trace', `00-${TRACE.slice(1)}-${SPAN}-01`, ''],
    ['no flags', `00-${TRACE}-${SPAN}`, ''],
    ['two headers', `00-${TRACE}-${SPAN}-01, 00-${TRACE}-${SPAN}-01`, ''],
    ['nothing', '', ''],
  ])('the traceparent of the request, %s: its trace or none', async (_title, traceparent, wanted) => {
    const {door, records} = recordingDoor();
    const exposure = {type: 'exposure', unit_id: 'u1', experiment: 'e', variant: 'v'};
    expect((await door.accept([OUTCOME, exposure, {...OUTCOME, trace_id: null}], {traceparent})).accepted).toBe(3);
    expect(records.map(tracesOf)).toEqual([wanted, wanted, wanted]);
  });

  test('an event’s own trace wins, also when it says that it has none; one wrong event costs the others nothing', async () => {
    const {door, records} = recordingDoor();
    const own = 'a'.repeat(32);
    const {accepted} = await door.accept([{...OUTCOME, trace_id: own}, {...OUTCOME, trace_id: ''}, {...OUTCOME, trace_id: 5}, OUTCOME], {traceparent: `00-${TRACE}-${SPAN}-01`});
    expect([accepted, ...records.map(tracesOf)]).toEqual([3, own, '', TRACE]);
    await door.accept([OUTCOME]);
    expect(records.map(tracesOf).at(-1)).toBe('');
  });

  test.each([
    ['a time ahead of the clock', {event_ts: NOW + 3_600_000}, 'event_ts'],
    ['an id of another day', {event_id: '01900000-0000-7000-8000-000000000000'}, 'event_id'],
    ['a measure beyond 1e15', {measures: {tokens: 1e15}}, 'measures["tokens"]'],
    ['a name that is too long', {unit_id: 'u'.repeat(600)}, 'unit_id'],
    ['too many attributes', {attributes: Object.fromEntries(Array.from({length: 65}, (_, index) => [`a${index}`, '']))}, 'attributes'],
  ])('%s would be a dead letter: the sender hears of it now', async (_title, change, field) => {
    const {door, records} = recordingDoor();
    const {accepted, errors} = await door.accept([{...OUTCOME, ...change}]);
    expect([accepted, errors.map(error => error.field), records.length]).toEqual([0, [field], 0]);
    expect(errors[0]?.message).not.toContain(`${field}: `);
  });

  test('an event older than the stream takes is refused where the limit is known', async () => {
    const old = {...OUTCOME, event_ts: NOW - 100_000};
    expect((await recordingDoor(60_000).door.accept([old])).errors[0]?.message).toContain('import old data as a stream of its own');
    expect((await recordingDoor(null).door.accept([old])).accepted).toBe(1);
  });

  test('while a slow log holds 8 MiB, more is answered with Retry-After; once it took them, all is well again', async () => {
    let finish = (): void => undefined;
    const slow = new Promise<AppendedRecord[]>(resolve => {
      finish = () => resolve([]);
    });
    const door = openDoor(() => slow);
    const text = 'x'.repeat(500);
    const attributes = Object.fromEntries(Array.from({length: 60}, (_, index) => [`attribute_${index}`, text]));
    const big = Array.from({length: 150}, (_, index) => ({...OUTCOME, unit_id: `u${index}`, attributes}));
    const first = door.accept(big);
    await expect(door.accept([...big, ...big])).rejects.toMatchObject({name: 'BusyError', retryAfterSeconds: 1});
    finish();
    await first;
    expect((await door.accept([OUTCOME])).accepted).toBe(1);
  });

  test('a log that is away is a reason to come back; one that is broken is not', async () => {
    const away = openDoor(() => Promise.reject(new AssayError('ASSAY_LOG_UNAVAILABLE', 'no broker answers')));
    await expect(away.accept([OUTCOME])).rejects.toBeInstanceOf(BusyError);
    const broken = openDoor(() => Promise.reject(new AssayError('ASSAY_LOG_CORRUPT', 'segment 3 is damaged')));
    await expect(broken.accept([OUTCOME])).rejects.toMatchObject({code: 'ASSAY_LOG_CORRUPT'});
  });

  test('nothing valid, nothing appended', async () => {
    const {door, records} = recordingDoor();
    expect(await door.accept([])).toEqual({accepted: 0, errors: []});
    expect(records).toEqual([]);
  });
});
