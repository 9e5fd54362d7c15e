import {createHash} from 'node:crypto';
import {gzipSync} from 'node:zlib';
import {describe, expect, test} from 'vitest';
import {eventIdToHex} from '../../src/avro/event-id.ts';
import type {Event} from '../../src/core/events.ts';
import {durationMs, epochMs} from '../../src/core/units.ts';
import {closingTime, planImport} from '../../src/import/import-files.ts';
import {parseImportMap} from '../../src/import/import-map.ts';
import {readRows} from '../../src/import/read-rows.ts';
import {rowsToEvents} from '../../src/import/rows-to-events.ts';
import {LEAST_MAP, writeTemporary} from './fixtures.ts';

const CSV = 'at,user,arm,points\n2026-01-05 09:00:00,u1,a,1.5\n2026-01-05 09:00:01,u2,b,\n';

function eventsOf(content: string | Uint8Array, {name = 'rows.csv', map = LEAST_MAP} = {}): Event[] {
  const parsed = parseImportMap(map, 'map.yaml');
  return rowsToEvents(readRows(writeTemporary(name, content), parsed.format), parsed).events.map(({event}) => event);
}

const idsOf = (events: readonly Event[]): string[] => events.map(({eventId}) => eventIdToHex(eventId));
const outcomesOf = (events: readonly Event[]) => events.flatMap(event => (event.kind === 'outcome' ? [event] : []));
const exposuresOf = (events: readonly Event[]) => events.flatMap(event => (event.kind === 'exposure' ? [event] : []));

describe('rows become events', () => {
  test('each row one exposure and one outcome, of one unit at one time', () => {
    const events = eventsOf(CSV);
    expect(events.map(({kind, unitId, eventTs}) => [kind, unitId, eventTs])).toEqual([
      ['exposure', 'u1', Date.UTC(2026, 0, 5, 9)],
      ['outcome', 'u1', Date.UTC(2026, 0, 5, 9)],
      ['exposure', 'u2', Date.UTC(2026, 0, 5, 9, 0, 1)],
      ['outcome', 'u2', Date.UTC(2026, 0, 5, 9, 0, 1)],
    ]);
    expect(exposuresOf(events).map(({variant}) => variant)).toEqual(['a', 'b']);
  });

  test('an empty cell is no measure, never 0', () => {
    expect(outcomesOf(eventsOf(CSV)).map(({measures}) => measures)).toEqual([{score: 1.5}, {}]);
  });

  test('CRLF, a byte order mark and a missing last newline change nothing', () => {
    const rows = eventsOf(CSV).map(({unitId, eventTs, kind}) => [unitId, eventTs, kind]);
    for (const text of [CSV.replaceAll('\n', '\r\n'), CSV.trimEnd(), CSV.replaceAll('\n', '\r\n').trimEnd(), `\uFEFF${CSV}`]) {
      const events = eventsOf(text);
      expect(events.map(({unitId, eventTs, kind}) => [unitId, eventTs, kind])).toEqual(rows);
      expect(outcomesOf(events)[0]?.measures).toEqual({score: 1.5});
    }
  });

  test('a gzipped file gives the very same events, ids too, with or without the extension', () => {
    const plain = idsOf(eventsOf(CSV));
    expect(idsOf(eventsOf(gzipSync(CSV), {name: 'rows.csv.gz'}))).toEqual(plain);
    expect(idsOf(eventsOf(gzipSync(CSV), {name: 'rows'}))).toEqual(plain);
  });

  test('a damaged gzip file is named', () => {
    expect(() => eventsOf(gzipSync(CSV).subarray(0, 20), {name: 'cut.csv.gz'})).toThrow(/cut\.csv\.gz cannot be read/);
  });

  test('NDJSON: nested members are outer.inner, null is an empty cell, blank lines are passed over', () => {
    const map = LEAST_MAP.replace('{column: points}', '{column: answer.points}').replace('event_time: {column: at}', 'source: {format: ndjson}\nevent_time: {column: at, format: epoch_ms}');
    const lines = ['{"at": 1000, "user": "u1", "arm": "a", "answer": {"points": 2}}', '', '{"at": 2000, "user": 7, "arm": "b", "answer": {"points": null}}\r', '{"at": 3000, "user": "u3", "arm": "a"}'];
    const outcomes = outcomesOf(eventsOf(lines.join('\n'), {name: 'rows.ndjson', map}));
    expect(outcomes.map(({unitId, eventTs, measures}) => [unitId, eventTs, measures])).toEqual([
      ['u1', 1000, {score: 2}],
      ['7', 2000, {}],
      ['u3', 3000, {}],
    ]);
  });

  test('a line of NDJSON that cannot be read is named by number', () => {
    const map = `source: {format: ndjson}${LEAST_MAP}`;
    expect(() => eventsOf('{"at": "2026-01-05"}\n{oops', {name: 'bad.ndjson', map})).toThrow(/bad\.ndjson line 2 is not JSON/);
    expect(() => eventsOf('[1]', {name: 'bad.ndjson', map})).toThrow(/line 1 must be a JSON object/);
  });

  test('a column that the file does not have is named, in templates and NDJSON too', () => {
    expect(() => eventsOf(CSV, {map: LEAST_MAP.replace('column: points', 'column: pionts')})).toThrow('has no column pionts; its columns are at, user, arm, points');
    expect(() => eventsOf(CSV, {map: LEAST_MAP.replace('{column: user}', '{template: "u-${usr}-${row}"}')})).toThrow('has no column usr;');
    const lines = '{"at": "2026-01-05", "user": "u", "arm": "a", "points": 1}\n{"at": "2026-01-05", "user": "v", "arm": "a"}';
    const map = `source: {format: ndjson}${LEAST_MAP}`;
    expect(eventsOf(lines, {name: 'rows.ndjson', map})).toHaveLength(4);
    expect(() => eventsOf(lines, {name: 'rows.ndjson', map: map.replace('column: points', 'column: pionts')})).toThrow('has no column pionts;');
  });

  test('wrong cells are named by row, column and value, and nothing is imported', () => {
    const text = 'at,user,arm,points\nnoon,u1,a,1\n2026-01-05,,a,1\n2026-01-05,u3,a,many\n2026-01-05,u4,,1\n';
    expect(() => eventsOf(text)).toThrow(/row 0: at "noon" is not a time in format iso; row 1: the unit_id is empty; row 2: points "many" is not a number .* and 1 more; nothing was imported/);
  });

  test('a template takes the 0-based row of the file, also after rows that `where` leaves out', () => {
    const map = `${LEAST_MAP.replace('{column: user}', '{template: "${user}/${row}"}')}where: {column: arm, in: [b]}\n`;
    expect(eventsOf(CSV, {map}).map(({unitId}) => unitId)).toEqual(['u2/1', 'u2/1']);
  });

  test('cells named like members of every object are ordinary text', () => {
    const map = LEAST_MAP.replace('{column: arm}', '{column: arm, map: {a: A, b: B}}');
    expect(() => eventsOf(CSV.replace(',b,', ',constructor,'), {map})).toThrow('row 1: the variant is empty or has no entry in variant.map');
  });
});

describe('variants', () => {
  test('hash is the first 4 bytes of sha256("salt:unit") mod 10000, cumulative in the written order', () => {
    const map = LEAST_MAP.replace('{column: arm}', '{hash: {salt: pepper, variants: {treatment: 3000, control: 5000}}}');
    const rows = Array.from({length: 400}, (_, index) => `2026-01-05,u${index},x,1`);
    const seen = new Map(exposuresOf(eventsOf(`at,user,arm,points\n${rows.join('\n')}\n`, {map})).map(({unitId, variant}) => [unitId, variant]));
    const wanted = new Map<string, string>();
    for (let index = 0; index < 400; index += 1) {
      const slot = createHash('sha256').update(`pepper:u${index}`).digest().readUInt32BE(0) % 10_000;
      if (slot < 3_000) wanted.set(`u${index}`, 'treatment');
      else if (slot < 8_000) wanted.set(`u${index}`, 'control');
    }
    expect(seen).toEqual(wanted);
    // Slots without an owner leave their units out.
    expect(seen.size).toBeLessThan(400);
  });

  test('weights of hash and of `weights` reach the experiment; without either the split is unknown', () => {
    const plan = (text: string) => planImport([{path: writeTemporary('rows.csv', CSV), map: parseImportMap(text, 'map.yaml')}]).experiments[0];
    expect(plan(LEAST_MAP)).toMatchObject({variants: ['a', 'b'], weights: null});
    expect(plan(`${LEAST_MAP}weights: {a: 1, b: 3}\ncontrol: b\n`)).toMatchObject({weights: {a: 1, b: 3}, control: 'b'});
    expect(plan(LEAST_MAP.replace('{column: arm}', '{hash: {salt: s, variants: {t: 5000, c: 5000}}}'))).toMatchObject({variants: ['t', 'c'], weights: {t: 5000, c: 5000}});
  });
});

describe('event ids', () => {
  test('the same file gives the same ids, whatever it is called', () => {
    expect(idsOf(eventsOf(CSV, {name: 'one.csv'}))).toEqual(idsOf(eventsOf(CSV, {name: 'two.csv'})));
  });

  test('ids are fixed for ever: another version of assay must make the same', () => {
    expect(idsOf(eventsOf(CSV))).toMatchInlineSnapshot(`
      [
        "019b8d627a8071e7a6e46d30724c8bc9",
        "019b8d627a8074619b8fc6361c7ae09d",
        "019b8d627e68712ab7dc6761ae448eac",
        "019b8d627e68704599e15d8361be1a0f",
      ]
    `);
  });

  test('another content, row, kind or unit gives other ids', () => {
    const ids = [...idsOf(eventsOf(CSV)), ...idsOf(eventsOf(CSV.replace('1.5', '1.6')))];
    expect(new Set(ids).size).toBe(8);
  });

  test('two maps over one file share its outcomes and keep exposures apart', () => {
    const [first, second] = [LEAST_MAP, LEAST_MAP.replace('ranking', 'layout')].map(map => eventsOf(CSV, {map}));
    expect(idsOf(outcomesOf(first ?? []))).toEqual(idsOf(outcomesOf(second ?? [])));
    expect(idsOf(exposuresOf(first ?? []))).not.toEqual(idsOf(exposuresOf(second ?? [])));
  });

  test('paired outcomes of two experiments are apart: each carries its own hint', () => {
    const paired = `${LEAST_MAP}design: paired\n`;
    const [first, second] = [paired, paired.replace('ranking', 'layout')].map(map => outcomesOf(eventsOf(CSV, {map})));
    expect(idsOf(first ?? [])).not.toEqual(idsOf(second ?? []));
    expect(first?.[0]?.variantHint).toEqual({ranking: 'a'});
  });
});

describe('a plan of several files', () => {
  const file = (name: string, content: string, map = LEAST_MAP) => ({path: writeTemporary(name, content), map: parseImportMap(map, `${name}.yaml`)});
  const header = 'at,user,arm,points\n';

  test('is one stream in the order of event time', () => {
    const plan = planImport([file('a.csv', `${header}2026-01-05 09:00:02,u1,a,1\n`), file('b.csv', `${header}2026-01-05 09:00:01,u2,b,1\n2026-01-05 09:00:03,u3,b,1\n`)]);
    expect(plan.events.map(({event}) => event.unitId)).toEqual(['u2', 'u2', 'u1', 'u1', 'u3', 'u3']);
    expect(plan).toMatchObject({rows: 3, rowsFiltered: 0, experiments: [{variants: ['a', 'b'], measures: ['score']}]});
  });

  test('arrival is the event time unless the map has arrival_time', () => {
    const map = `${LEAST_MAP}arrival_time: {column: seen, format: epoch_ms}\n`;
    const plan = planImport([file('c.csv', `at,user,arm,points,seen\n1970-01-01 00:00:05,u1,a,1,9000\n`, map)]);
    expect(plan.events.map(({event, arrivalTs}) => [event.eventTs, arrivalTs])).toEqual([[5000, 9000], [5000, 9000]]);
  });

  test('two designs or two controls of one experiment are refused', () => {
    const rows = `${header}2026-01-05,u1,a,1\n`;
    expect(() => planImport([file('a.csv', rows), file('b.csv', rows, `${LEAST_MAP}design: paired\n`)])).toThrow(/the designs split and paired/);
    expect(() => planImport([file('a.csv', rows, `${LEAST_MAP}control: a\n`), file('b.csv', rows, `${LEAST_MAP}control: b\n`)])).toThrow(/the controls a and b/);
  });

  test('its closing time lies past every window of up to a day over the last slice, and its lateness', () => {
    const {events} = planImport([file('a.csv', `${header}1970-01-01 00:00:12,u1,a,1\n`)]);
    const stream = {name: 's', kind: 'import', topic: 't', latenessMs: durationMs(5_000), sliceMs: durationMs(10_000), maxAgeMs: null, partitions: 1} as const;
    expect(closingTime(events, stream)).toBe(epochMs(86_425_001));
  });
});
