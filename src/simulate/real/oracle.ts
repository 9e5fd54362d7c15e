import type {DeadLetterCode, Event, Exposure, Outcome} from '../../core/events.ts';
import type {ExperimentView, Metric} from '../../core/experiment.ts';
import type {What} from './history.ts';

/**
 * The right answer for a history of the real log, in plain loops. Like the simulation's
 * oracle (`simulate/faults/oracle.ts`), but indexed by unit: a million events in seconds.
 */
export type Entry = {
  /** Rises when the topic is made again. Default 1. */
  readonly logEpoch?: number;
  readonly partition: number;
  readonly offset: bigint;
  readonly appendTs: number;
  readonly what: What;
  readonly value: Uint8Array;
};

export type Fact = {readonly event: Event; readonly arrivalTs: number; readonly entry: Entry};

export type Books = {appended: number; accepted: number; duplicate: number; conflict: number; deadLettered: number; forgotten: number; ticks: number};

export type Sums = {
  n: number; sum: bigint; squares: bigint; denominator: bigint;
  /** Of sampled outcomes Σ(w − 10⁶), and the same times the value and the denominator. */
  extraWeight: bigint; extraSum: bigint; extraDenominator: bigint;
  min: number; max: number;
};

export type Answer = {
  /** By `kind unit id`. */
  readonly facts: ReadonlyMap<string, Fact>;
  /** By partition, of the topic as it is now. */
  readonly books: ReadonlyMap<number, Books>;
  /** By `experiment/slice start/phase/variant/metric/dimension/value`. */
  readonly slices: ReadonlyMap<string, Sums>;
  readonly deadLetters: ReadonlyMap<DeadLetterCode, number>;
  /** Outcomes that are not in revision 0. */
  readonly late: number;
};

export type Question = {
  readonly entries: readonly Entry[];
  readonly views: readonly ExperimentView[];
  readonly sliceMs: number;
  readonly latenessMs: number;
  readonly maxAgeMs: number | null;
  /** Units to be forgotten: everything that arrived up to then, and later copies of it. */
  readonly forgotten?: ReadonlyMap<string, number>;
};

type Seen = Fact & {readonly id: string};

export function judgeHistory({entries, views, sliceMs, latenessMs, maxAgeMs, forgotten = new Map()}: Question): Answer {
  const books = new Map<number, Books>();
  const deadLetters = new Map<DeadLetterCode, number>();
  const seen: Seen[] = [];
  const highs = new Map<string, number>();
  const newestEpoch = entries.reduce((newest, entry) => Math.max(newest, epochOf(entry)), 1);
  const old = emptyBooks();
  for (const entry of entries.toSorted((a, b) => epochOf(a) - epochOf(b) || a.partition - b.partition || Number(a.offset - b.offset))) {
    const {partition, appendTs, what} = entry;
    const log = `${epochOf(entry)}/${partition}`;
    const arrivalTs = Math.max(highs.get(log) ?? 0, appendTs);
    highs.set(log, arrivalTs);
    const book = epochOf(entry) < newestEpoch ? old : (books.get(partition) ?? emptyBooks());
    if (book !== old) books.set(partition, book);
    if (what.kind === 'tick') {
      book.ticks++;
      continue;
    }
    book.appended++;
    const code = whyDead(what, {appendTs, arrivalTs, maxAgeMs});
    if (code === null && what.kind !== 'dead') seen.push({event: what, arrivalTs, entry, id: idOf(what)});
    else if (code !== null) {
      book.deadLettered++;
      deadLetters.set(code, (deadLetters.get(code) ?? 0) + 1);
    }
  }
  const facts = earliest(seen);
  for (const one of seen) {
    const book = epochOf(one.entry) < newestEpoch ? old : books.get(one.entry.partition);
    const kept = facts.get(one.id);
    if (book === undefined || kept === undefined) continue;
    if (one.arrivalTs <= (forgotten.get(one.event.unitId) ?? 0)) book.forgotten++;
    else if (kept.entry === one.entry) book.accepted++;
    else {
      book.duplicate++;
      if (Buffer.compare(kept.entry.value, one.entry.value) !== 0) book.conflict++;
    }
  }
  for (const [id, {event, arrivalTs}] of facts) if (arrivalTs <= (forgotten.get(event.unitId) ?? 0)) facts.delete(id);
  const late = [...facts.values()].filter(({event, arrivalTs}) => event.kind === 'outcome' && arrivalTs > sliceOf(event.eventTs, sliceMs) + sliceMs + latenessMs).length;
  return {facts, books, deadLetters, late, slices: addUp(facts, views, sliceMs)};
}

const epochOf = ({logEpoch = 1}: Entry): number => logEpoch;

const emptyBooks = (): Books => ({appended: 0, accepted: 0, duplicate: 0, conflict: 0, deadLettered: 0, forgotten: 0, ticks: 0});

export const idOf = ({kind, unitId, eventId}: Event): string => `${kind} ${unitId} ${Buffer.from(eventId).toString('hex')}`;

const sliceOf = (ts: number, sliceMs: number): number => Math.floor(ts / sliceMs) * sliceMs;

function whyDead(what: What, at: {appendTs: number; arrivalTs: number; maxAgeMs: number | null}): DeadLetterCode | null {
  if (what.kind === 'dead') return what.code;
  if (what.kind === 'tick') return null;
  if (what.eventTs > at.arrivalTs + 60_000) return 'from_future';
  return at.maxAgeMs !== null && at.appendTs - what.eventTs > at.maxAgeMs ? 'too_old' : null;
}

function earliest(seen: readonly Seen[]): Map<string, Fact> {
  const first = new Map<string, Fact>();
  for (const one of seen) {
    const known = first.get(one.id);
    if (known === undefined || isBefore(one, known)) first.set(one.id, one);
  }
  return first;
}

function isBefore(a: Fact, b: Fact): boolean {
  if (a.arrivalTs !== b.arrivalTs) return a.arrivalTs < b.arrivalTs;
  if (epochOf(a.entry) !== epochOf(b.entry)) return epochOf(a.entry) < epochOf(b.entry);
  if (a.entry.partition !== b.entry.partition) return a.entry.partition < b.entry.partition;
  return a.entry.offset < b.entry.offset;
}

function addUp(facts: ReadonlyMap<string, Fact>, views: readonly ExperimentView[], sliceMs: number): Map<string, Sums> {
  const slices = new Map<string, Sums>();
  const exposures = new Map<string, Exposure[]>();
  for (const {event} of facts.values()) {
    if (event.kind !== 'exposure' || event.reason !== 'assigned') continue;
    const key = `${event.experiment} ${event.unitId}`;
    const known = exposures.get(key);
    if (known === undefined) exposures.set(key, [event]);
    else known.push(event);
  }
  for (const {event} of facts.values()) {
    if (event.kind !== 'outcome') continue;
    for (const view of views) {
      const arm = armOf(event, view, exposures.get(`${view.experiment} ${event.unitId}`) ?? []);
      if (arm === undefined) continue;
      for (const metric of view.definition.metrics) {
        if (arm.endsAt !== null && event.eventTs >= arm.endsAt + metric.attributionMs) continue;
        const prefix = `${view.experiment}/${sliceOf(event.eventTs, sliceMs)}/${arm.phase}/${arm.variant}/${metric.key}`;
        add(slices, `${prefix}//`, {event, metric});
        for (const dimension of metric.dimensions) {
          const value = event.attributes[dimension];
          if (value !== undefined) add(slices, `${prefix}/${dimension}/${value}`, {event, metric});
        }
      }
    }
  }
  return slices;
}

type Arm = {readonly phase: number; readonly variant: string; readonly endsAt: number | null};

function armOf(outcome: Outcome, view: ExperimentView, own: readonly Exposure[]): Arm | undefined {
  if (view.definition.design === 'paired') {
    const variant = outcome.variantHint[view.experiment];
    const phase = view.phases.findLast(({validFrom}) => validFrom <= outcome.eventTs)?.phase;
    return variant === undefined || phase === undefined ? undefined : {phase, variant, endsAt: null};
  }
  let phase = 0;
  for (const exposure of own) if (exposure.eventTs <= outcome.eventTs && exposure.phase > phase) phase = exposure.phase;
  if (phase === 0) return undefined;
  const variants = new Set(own.filter(exposure => exposure.phase === phase).map(exposure => exposure.variant));
  const [variant] = variants;
  if (variants.size !== 1 || variant === undefined) return undefined;
  return {phase, variant, endsAt: view.phases.find(span => span.phase === phase)?.validTo ?? null};
}

function add(slices: Map<string, Sums>, key: string, {event, metric}: {event: Outcome; metric: Metric}): void {
  const found = contribution(event, metric);
  if (found === undefined) return;
  const [value, denominator] = found;
  const q = scaled(value, metric.scale);
  const d = scaled(denominator, metric.scale);
  const beyond = BigInt(Math.round(1e6 / event.sampleRate)) - 1_000_000n;
  const sums = slices.get(key) ?? {n: 0, sum: 0n, squares: 0n, denominator: 0n, extraWeight: 0n, extraSum: 0n, extraDenominator: 0n, min: value, max: value};
  slices.set(key, sums);
  sums.n++;
  sums.sum += q;
  sums.squares += q * q;
  sums.denominator += d;
  sums.extraWeight += beyond;
  sums.extraSum += beyond * q;
  sums.extraDenominator += beyond * d;
  sums.min = Math.min(sums.min, value);
  sums.max = Math.max(sums.max, value);
}

/** What an outcome adds to a metric: value and denominator. */
function contribution(outcome: Outcome, {aggregate, measure, status, numerator, denominator}: Metric): readonly [number, number] | undefined {
  if (aggregate === 'share') return [status.includes(outcome.status) ? 1 : 0, 0];
  const read = (name: string): number | undefined => outcome.measures[name] ?? (name === 'success' ? Number(outcome.status === 'ok') : undefined);
  if (aggregate === 'ratio') return [read(numerator) ?? 0, read(denominator) ?? 0];
  const value = read(measure);
  return value === undefined ? undefined : [value, 0];
}

/** The histories' measures have at most six decimals, so this is exact whatever the rounding rule. */
const scaled = (value: number, scale: number): bigint => BigInt(Math.round(value * 1e6)) * 10n ** BigInt(scale - 6);

export type Window = {n: number; estimated: number; sum: number; min: number; max: number};

/** Hopping windows as the sum of the slices in them, dimension rows left out; values in the metric's unit. */
export function windowsOf(
  slices: ReadonlyMap<string, Sums>,
  {sliceMs, sizeMs, slideMs, scales}: {readonly sliceMs: number; readonly sizeMs: number; readonly slideMs: number; readonly scales: ReadonlyMap<string, number>},
): Map<string, Window> {
  const windows = new Map<string, Window>();
  for (const [key, sums] of slices) {
    const [experiment = '', start = '', phase = '', variant = '', metric = '', dimension = ''] = key.split('/');
    if (dimension !== '') continue;
    const from = Number(start);
    const value = Number(sums.sum * 1_000_000n + sums.extraSum) / 10 ** ((scales.get(metric) ?? 9) + 6);
    const estimated = sums.n + Number(sums.extraWeight) / 1e6;
    for (let k = Math.ceil((from + sliceMs - sizeMs) / slideMs); k * slideMs <= from; k++) {
      const id = `${experiment}/${k * slideMs}/${phase}/${variant}/${metric}`;
      const known = windows.get(id) ?? {n: 0, estimated: 0, sum: 0, min: sums.min, max: sums.max};
      windows.set(id, {n: known.n + sums.n, estimated: known.estimated + estimated, sum: known.sum + value, min: Math.min(known.min, sums.min), max: Math.max(known.max, sums.max)});
    }
  }
  return windows;
}
