import {runAudit} from '../../closing/audit.ts';
import type {ExperimentView} from '../../core/experiment.ts';
import type {Stream} from '../../core/streams.ts';
import {epochMs} from '../../core/units.ts';
import type {LedgerPartition} from '../../warehouse/warehouse.ts';
import type {Ground} from './ground.ts';
import {type Answer, type Books, idOf, windowsOf} from './oracle.ts';
import {type OwnSql, quoted} from './own-sql.ts';

export type Comparison = {
  readonly facts: {readonly expected: number; readonly found: number; readonly lost: number; readonly extra: number};
  readonly slices: {readonly expected: number; readonly exact: number};
  readonly windows: {readonly expected: number; readonly exact: number};
  readonly errors: readonly string[];
};

const SIZE_MS = 60_000;
const SLIDE_MS = 20_000;
const ERRORS_MAX = 200;

export type Compared = {
  readonly stream: Stream;
  readonly answer: Answer;
  readonly views: readonly ExperimentView[];
  readonly sql: OwnSql;
  readonly gaps: ReadonlyMap<number, number>;
};

/** What is stored against what must be: facts as sets, slices to the last digit, windows, books, and the product's own audit. */
export async function compare(ground: Ground, {stream, answer, views, sql, gaps}: Compared): Promise<Comparison> {
  const errors: string[] = [];
  const note = (error: string): void => void (errors.length < ERRORS_MAX && errors.push(error));
  const facts = await compareFacts(sql, {stream, answer, note});
  const slices = await compareSlices(ground, {stream, answer, views, note});
  const windows = await compareWindows(ground, {stream, answer, views, note});
  await compareDeadLetters(sql, {stream, answer, note});
  const audit = await runAudit({...ground, config: ground.closing, stream, slicesMax: null});
  compareBooks(audit.partitions, {stream, answer, note, gaps});
  for (const detail of audit.details) note(`audit: ${detail}`);
  if (audit.slices_checked === 0) note('the audit checked no slice');
  return {facts, slices, windows, errors};
}

/** Whether {@link compare} would find anything: the first difference is enough. */
export async function differs(ground: Ground, compared: Compared): Promise<boolean> {
  const errors: string[] = [];
  await compareFacts(compared.sql, {...compared, note: error => void errors.push(error)});
  return errors.length > 0 || (await compare(ground, compared)).errors.length > 0;
}

type Task = {readonly stream: Stream; readonly answer: Answer; readonly note: (error: string) => void};

async function compareFacts(sql: OwnSql, {stream, answer, note}: Task): Promise<Comparison['facts']> {
  const position = 'toUnixTimestamp64Milli(arrival_ts), partition, toString(offset), toUnixTimestamp64Milli(event_ts)';
  const where = `FINAL WHERE stream = ${quoted(stream.name)}`;
  const exposures = await sql.rows(`SELECT 'exposure', unit_id, lower(hex(event_id)), ${position}, experiment, variant, phase, reason FROM exposures ${where}`);
  const outcomes = await sql.rows(`SELECT 'outcome', unit_id, lower(hex(event_id)), ${position}, status, measures['score'], measures['cost'] FROM outcomes ${where}`);
  const found = new Set<string>();
  for (const [kind, unit, id, ...rest] of [...exposures, ...outcomes]) found.add(`${kind} ${unit} ${id} ${rest.map(String).join(' ')}`);
  const wanted = new Set<string>();
  for (const {event, arrivalTs, entry} of answer.facts.values()) {
    const payload = event.kind === 'exposure'
      ? `${event.experiment} ${event.variant} ${event.phase} ${event.reason}`
      : `${event.status} ${text(event.measures['score'])} ${text(event.measures['cost'])}`;
    wanted.add(`${idOf(event)} ${arrivalTs} ${entry.partition} ${entry.offset} ${event.eventTs} ${payload}`);
  }
  const lost = [...wanted].filter(id => !found.has(id));
  const extra = [...found].filter(id => !wanted.has(id));
  if (lost.length > 0) note(`${lost.length} facts missing or different, e.g. ${lost[0]}`);
  if (extra.length > 0) note(`${extra.length} facts too many or different, e.g. ${extra[0]}`);
  if (found.size !== exposures.length + outcomes.length) note(`${exposures.length + outcomes.length - found.size} facts are stored twice`);
  return {expected: wanted.size, found: found.size, lost: lost.length, extra: extra.length};
}

/** An absent key of a map reads as 0. */
const text = (value: number | undefined): string => String(value ?? 0);

async function compareSlices(ground: Ground, {stream, answer, views, note}: Task & {views: readonly ExperimentView[]}): Promise<Comparison['slices']> {
  const left = new Map(answer.slices);
  let exact = 0;
  for (const {experiment} of views) {
    for (const row of await ground.warehouse.closedSlices(stream.name, experiment)) {
      if (row.n === 0) continue;
      const key = [row.experiment, row.sliceStart, row.phase, row.variant, row.metric, row.dimension, row.dimensionValue].join('/');
      const right = left.get(key);
      left.delete(key);
      const counted = [...row.histogram.values()].reduce((sum, n) => sum + n, 0);
      const stored = `${row.n} ${row.sumQ} ${row.sumSquaresQ} ${row.denominatorSumQ} ${row.extraWeight} ${row.extraSumQ} ${row.extraDenominatorSumQ} ${row.min} ${row.max} ${counted}`;
      const wanted = right === undefined ? 'nothing' : `${right.n} ${right.sum} ${right.squares} ${right.denominator} ${right.extraWeight} ${right.extraSum} ${right.extraDenominator} ${right.min} ${right.max} ${right.n}`;
      if (stored === wanted) exact++;
      else note(`slice ${key} says ${stored}, must say ${wanted}`);
    }
  }
  for (const key of left.keys()) note(`slice ${key} is missing`);
  return {expected: answer.slices.size, exact};
}

async function compareWindows(ground: Ground, {stream, answer, views, note}: Task & {views: readonly ExperimentView[]}): Promise<Comparison['windows']> {
  const scales = new Map(views.flatMap(view => view.definition.metrics.map(({key, scale}) => [key, scale] as const)));
  const left = windowsOf(answer.slices, {sliceMs: stream.sliceMs, sizeMs: SIZE_MS, slideMs: SLIDE_MS, scales});
  const expected = left.size;
  let exact = 0;
  for (const {experiment} of views) {
    const range = {from: epochMs(0), to: epochMs(9_000_000_000_000)};
    for (const row of await ground.warehouse.windows({stream: stream.name, experiment, sizeMs: SIZE_MS, slideMs: SLIDE_MS, ...range})) {
      const key = `${experiment}/${row.window_start}/${row.phase}/${row.variant}/${row.metric}`;
      const right = left.get(key);
      left.delete(key);
      const isExact = right !== undefined && right.n === Number(row.n) && isNear(right.estimated, row.estimated_n) && isNear(right.sum, row.sum) && right.min === row.min && right.max === row.max;
      if (isExact) exact++;
      else note(`window ${key} says n ${row.n} sum ${row.sum} (${row.status}), must say ${right === undefined ? 'nothing' : `n ${right.n} sum ${right.sum}`}`);
    }
  }
  for (const key of left.keys()) note(`window ${key} is missing`);
  return {expected, exact};
}

/** Within 1e-9, relative; sums near zero are judged against the size of what was summed. */
const isNear = (a: number, b: number): boolean => Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(a), Math.abs(b));

function compareBooks(ledger: readonly LedgerPartition[], {answer, note, gaps}: Task & {gaps: ReadonlyMap<number, number>}): void {
  const rows = new Map(ledger.map(row => [row.partition, row]));
  for (const [partition, right] of answer.books) {
    const row = rows.get(partition);
    for (const name of ['appended', 'accepted', 'duplicate', 'conflict', 'deadLettered', 'forgotten'] as const satisfies readonly (keyof Books)[]) {
      const found = Number(row?.[name] ?? 0);
      if (found !== right[name]) note(`partition ${partition}: ${name} is ${found}, must be ${right[name]}`);
    }
    const lost = gaps.get(partition) ?? 0;
    if (Number(row?.gaps ?? 0) !== lost) note(`partition ${partition}: ${row?.gaps} offsets have no arrivals row, must be ${lost}`);
  }
}

async function compareDeadLetters(sql: OwnSql, {stream, answer, note}: Task): Promise<void> {
  const rows = await sql.rows(`SELECT code, toUInt32(count()) FROM dead_letters FINAL WHERE stream = ${quoted(stream.name)} GROUP BY code`);
  const found = new Map(rows.map(([code, count]) => [String(code), Number(count)]));
  for (const code of new Set([...found.keys(), ...answer.deadLetters.keys()])) {
    const wanted = new Map<string, number>(answer.deadLetters).get(code) ?? 0;
    if ((found.get(code) ?? 0) !== wanted) note(`${found.get(code) ?? 0} dead letters ${code}, must be ${wanted}`);
  }
}
