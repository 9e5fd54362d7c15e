import {createHash} from 'node:crypto';
import {hashedEventId} from '../avro/event-id.ts';
import {AssayError} from '../core/errors.ts';
import {type Event, OUTCOME_STATUSES, type OutcomeStatus} from '../core/events.ts';
import type {EpochMs} from '../core/units.ts';
import type {CellSource, ImportMap, TimeColumn, VariantSource} from './import-map.ts';
import {parseTime} from './parse-time.ts';
import type {Row, RowFile} from './read-rows.ts';

export type ImportedEvent = {readonly event: Event; readonly arrivalTs: EpochMs};

export type MappedRows = {
  /** In the order of the file. */
  readonly events: readonly ImportedEvent[];
  readonly rows: number;
  /** Rows that `where` or an unowned slot of `variant.hash` leaves out. */
  readonly rowsFiltered: number;
  readonly variants: ReadonlySet<string>;
};

/** How many wrong rows an error lists before it only counts them. */
const PROBLEMS_SHOWN = 3;
const COLUMNS_SHOWN = 50;
const PLACEHOLDER = /\$\{([^}]+)\}/g;

/**
 * Rows → events with their own event time. Ids are made from the event time and a hash of
 * (kind, sha256 of the file, row, unit; for exposures and paired outcomes also the experiment),
 * so importing twice counts once and two maps over one file share its outcomes.
 * @throws AssayError ASSAY_INPUT_UNREADABLE naming file, row, column, value and fix; then nothing was imported.
 */
export function rowsToEvents(file: RowFile, map: ImportMap): MappedRows {
  const events: ImportedEvent[] = [];
  const problems: string[] = [];
  const variants = new Set<string>();
  let rowsFiltered = 0;
  checkColumns(file, map);
  for (const [index, row] of file.rows.entries()) {
    if (map.where !== null && !map.where.in.includes(cell(row, map.where.column))) {
      rowsFiltered += 1;
      continue;
    }
    const mapped = mapRow(file, map, {row, index});
    if (mapped === null) {
      rowsFiltered += 1;
      continue;
    }
    if (typeof mapped === 'string') {
      problems.push(`row ${index}: ${mapped}`);
      continue;
    }
    variants.add(mapped.variant);
    events.push(...mapped.events);
  }
  if (problems.length > 0) {
    const rest = problems.length > PROBLEMS_SHOWN ? ` and ${problems.length - PROBLEMS_SHOWN} more` : '';
    throw new AssayError('ASSAY_INPUT_UNREADABLE', `${file.name}: ${problems.slice(0, PROBLEMS_SHOWN).join('; ')}${rest}; nothing was imported`);
  }
  return {events, rows: file.rows.length, rowsFiltered, variants};
}

function checkColumns(file: RowFile, map: ImportMap): void {
  const [first] = file.rows;
  if (first === undefined) return;
  // Lines of NDJSON may leave members out; one that no line has is a slip of the pen.
  const known = new Set<string>();
  for (const row of map.format === 'csv' ? [first] : file.rows) for (const column of Object.keys(row)) known.add(column);
  const wanted = [
    map.eventTime.column,
    map.arrivalTime?.column,
    ...[map.unitId, map.itemId, map.sessionId].flatMap(columnsOf),
    'column' in map.variant ? map.variant.column : undefined,
    ...Object.values(map.measures),
    ...Object.values(map.attributes),
    map.status?.column,
    map.where?.column,
  ];
  const missing = [...new Set(wanted)].filter(column => column !== undefined && !known.has(column));
  if (missing.length === 0) return;
  throw new AssayError(
    'ASSAY_INPUT_UNREADABLE',
    `${file.name} has no column ${missing.join(', ')}; its columns are ${[...known].slice(0, COLUMNS_SHOWN).join(', ')}`,
  );
}

function columnsOf(source: CellSource | null): string[] {
  if (source === null) return [];
  if ('column' in source) return [source.column];
  return [...source.template.matchAll(PLACEHOLDER)].flatMap(([, name]) => (name === undefined || name === 'row' ? [] : [name]));
}

type RowAt = {readonly row: Row; readonly index: number};

function mapRow(file: RowFile, map: ImportMap, at: RowAt): {events: ImportedEvent[]; variant: string} | string | null {
  const eventTs = timeOf(at.row, map.eventTime);
  if (eventTs === null) return `${map.eventTime.column} ${JSON.stringify(cell(at.row, map.eventTime.column))} is not a time in format ${map.eventTime.format}`;
  if (eventTs < 0) return `${map.eventTime.column} ${JSON.stringify(cell(at.row, map.eventTime.column))} lies before 1970, which an event id cannot hold`;
  const arrivalTs = map.arrivalTime === null ? eventTs : timeOf(at.row, map.arrivalTime);
  if (arrivalTs === null) return `${map.arrivalTime?.column} ${JSON.stringify(cell(at.row, map.arrivalTime?.column ?? ''))} is not a time in format ${map.arrivalTime?.format}`;
  const unitId = cellOf(at, map.unitId);
  if (unitId === '') return 'the unit_id is empty';
  const variant = variantOf(at.row, map.variant, unitId);
  // A unit in a slot that no variant of `hash` owns is not in the experiment.
  if (variant === null) return 'hash' in map.variant ? null : 'the variant is empty or has no entry in variant.map';
  const measures = measuresOf(at.row, map);
  if (typeof measures === 'string') return measures;
  const status = statusOf(at.row, map);
  if (status === null) return `${map.status?.column} ${JSON.stringify(cell(at.row, map.status?.column ?? ''))} has no entry in status.map`;

  const itemId = map.itemId === null ? null : cellOf(at, map.itemId) || null;
  const shared = {unitId, eventTs, itemId, sampleRate: 1, traceId: '', attributes: attributesOf(at.row, map)};
  const digest = file.digest.toString('hex');
  const idOf = (kind: string, scope: string) => hashedEventId(eventTs, [kind, digest, String(at.index), unitId, scope]);
  const events: ImportedEvent[] = [];
  if (map.emit.includes('exposure')) {
    const sessionId = map.sessionId === null ? null : cellOf(at, map.sessionId) || null;
    const event: Event = {kind: 'exposure', eventId: idOf('exposure', map.experiment), experiment: map.experiment, variant, phase: 1, configVersion: 1, reason: 'assigned', sessionId, ...shared};
    events.push({event, arrivalTs});
  }
  if (map.emit.includes('outcome')) {
    const isPaired = map.design === 'paired';
    const variantHint: Record<string, string> = isPaired ? {[map.experiment]: variant} : {};
    const event: Event = {kind: 'outcome', eventId: idOf('outcome', isPaired ? map.experiment : ''), variantHint, measures, status, ...shared};
    events.push({event, arrivalTs});
  }
  return {events, variant};
}

const cell = (row: Row, column: string): string => (Object.hasOwn(row, column) ? (row[column] ?? '') : '');

function cellOf({row, index}: RowAt, source: CellSource): string {
  if ('column' in source) return cell(row, source.column).trim();
  return source.template.replaceAll(PLACEHOLDER, (_, name: string) => (name === 'row' ? String(index) : cell(row, name)));
}

const timeOf = (row: Row, time: TimeColumn): EpochMs | null => parseTime(cell(row, time.column), time.format);

/** The split of `variant.hash`: first 4 bytes of sha256("salt:unit"), big-endian, mod 10000, cumulative in the written order. */
function variantOf(row: Row, source: VariantSource, unitId: string): string | null {
  if ('value' in source) return source.value;
  if ('column' in source) {
    const value = cell(row, source.column).trim();
    return (source.map === null ? value : Object.hasOwn(source.map, value) ? source.map[value] : '') || null;
  }
  const slot = createHash('sha256').update(`${source.hash.salt}:${unitId}`).digest().readUInt32BE(0) % 10_000;
  let edge = 0;
  for (const [variant, width] of source.hash.variants) {
    edge += width;
    if (slot < edge) return variant;
  }
  return null;
}

function measuresOf(row: Row, map: ImportMap): Record<string, number> | string {
  const measures: Record<string, number> = {};
  for (const [name, column] of Object.entries(map.measures)) {
    const text = cell(row, column).trim();
    if (text === '') continue;
    const value = Number(text);
    if (!Number.isFinite(value)) return `${column} ${JSON.stringify(text)} is not a number (leave the cell empty when there is none)`;
    measures[name] = value;
  }
  return measures;
}

function attributesOf(row: Row, map: ImportMap): Record<string, string> {
  const pairs = Object.entries(map.attributes).map(([name, column]) => [name, cell(row, column)] as const);
  return Object.fromEntries(pairs.filter(([, value]) => value !== ''));
}

function statusOf(row: Row, map: ImportMap): OutcomeStatus | null {
  if (map.status === null) return 'ok';
  const value = cell(row, map.status.column).trim();
  if (Object.hasOwn(map.status.map, value)) return map.status.map[value] ?? null;
  return OUTCOME_STATUSES.includes(value as OutcomeStatus) ? (value as OutcomeStatus) : null;
}
