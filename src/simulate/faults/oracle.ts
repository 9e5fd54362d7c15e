import type {Event, Exposure, Outcome} from '../../core/events.ts';
import type {ExperimentView, Metric} from '../../core/experiment.ts';

/** What the log holds at one position, as the simulation itself put it there. */
export type HistoryEntry = {
  readonly partition: number;
  readonly offset: bigint;
  readonly appendTs: number;
  readonly what: Event | 'rubbish' | 'unreadable' | 'tick';
};

export type OracleFact = {readonly event: Event; readonly id: string; readonly partition: number; readonly arrivalTs: number};

export type OracleLedger = {
  readonly appended: number;
  readonly accepted: number;
  readonly duplicate: number;
  readonly conflict: number;
  readonly deadLettered: number;
};

export type OracleAnswer = {
  readonly facts: readonly OracleFact[];
  readonly ledger: ReadonlyMap<number, OracleLedger>;
  /** `experiment/slice start/phase/variant/metric/dimension/value` → what the slice must say. */
  readonly slices: ReadonlyMap<string, OracleSlice>;
  readonly late: number;
};

/** `extra` is Σ(w − 10⁶), Σ(w − 10⁶)·value and Σ(w − 10⁶)·denominator of sampled outcomes. */
export type OracleSlice = {n: number; sum: bigint; squares: bigint; denominator: bigint; extra: readonly [bigint, bigint, bigint]; min: number; max: number};

export type OracleRequest = {
  readonly history: readonly HistoryEntry[];
  readonly views: readonly ExperimentView[];
  readonly sliceMs: number;
  readonly latenessMs: number;
  readonly maxAgeMs: number;
};

type Seen = {readonly event: Event; readonly id: string; readonly arrivalTs: number; readonly entry: HistoryEntry};

/**
 * The right answer, from the history alone, sharing no code with what it judges:
 * read the definition (DESIGN C1–C6), walk the list, add up.
 */
export function judge({history, views, sliceMs, latenessMs, maxAgeMs}: OracleRequest): OracleAnswer {
  const {seen, dead} = classify(history, maxAgeMs);
  const first = new Map<string, Seen>();
  for (const one of seen) {
    const known = first.get(one.id);
    if (known === undefined || isBefore(one, known)) first.set(one.id, one);
  }
  const facts = [...first.values()].map(({event, id, arrivalTs, entry}) => ({event, id, arrivalTs, partition: entry.partition}));
  const late = facts.filter(({event, arrivalTs}) => {
    return event.kind === 'outcome' && arrivalTs > Math.floor(event.eventTs / sliceMs) * sliceMs + sliceMs + latenessMs;
  }).length;
  return {facts, late, ledger: books(history, {seen, dead, first}), slices: addUp(facts, views, sliceMs)};
}

function classify(history: readonly HistoryEntry[], maxAgeMs: number): {seen: Seen[]; dead: HistoryEntry[]} {
  const seen: Seen[] = [];
  const dead: HistoryEntry[] = [];
  const highs = new Map<number, number>();
  for (const entry of [...history].sort((a, b) => a.partition - b.partition || Number(a.offset - b.offset))) {
    const arrivalTs = Math.max(highs.get(entry.partition) ?? 0, entry.appendTs);
    highs.set(entry.partition, arrivalTs);
    const {what} = entry;
    if (what === 'tick') continue;
    const isEvent = typeof what !== 'string';
    if (!isEvent || what.eventTs > arrivalTs + 60_000 || entry.appendTs - what.eventTs > maxAgeMs) dead.push(entry);
    else seen.push({event: what, id: idOf(what), arrivalTs, entry});
  }
  return {seen, dead};
}

const idOf = ({kind, unitId, eventId}: Event): string => `${kind} ${unitId} ${[...eventId].join('.')}`;

function isBefore(a: Seen, b: Seen): boolean {
  if (a.arrivalTs !== b.arrivalTs) return a.arrivalTs < b.arrivalTs;
  if (a.entry.partition !== b.entry.partition) return a.entry.partition < b.entry.partition;
  return a.entry.offset < b.entry.offset;
}

function books(
  history: readonly HistoryEntry[],
  {seen, dead, first}: {seen: readonly Seen[]; dead: readonly HistoryEntry[]; first: ReadonlyMap<string, Seen>},
): Map<number, OracleLedger> {
  const partitions = new Set(history.map(({partition}) => partition));
  return new Map([...partitions].map(partition => {
    const here = seen.filter(({entry}) => entry.partition === partition);
    const repeats = here.filter(one => first.get(one.id) !== one);
    const isConflict = (one: Seen): boolean => JSON.stringify(first.get(one.id)?.event) !== JSON.stringify(one.event);
    return [partition, {
      appended: history.filter(entry => entry.partition === partition && entry.what !== 'tick').length,
      accepted: here.length - repeats.length,
      duplicate: repeats.length,
      conflict: repeats.filter(isConflict).length,
      deadLettered: dead.filter(entry => entry.partition === partition).length,
    }];
  }));
}

function addUp(facts: readonly OracleFact[], views: readonly ExperimentView[], sliceMs: number): Map<string, OracleSlice> {
  const slices = new Map<string, OracleSlice>();
  const exposures = facts.flatMap(({event}) => (event.kind === 'exposure' && event.reason === 'assigned' ? [event] : []));
  for (const {event} of facts) {
    if (event.kind !== 'outcome') continue;
    for (const view of views) {
      const arm = armOf(event, view, exposures);
      if (arm === undefined) continue;
      for (const metric of view.definition.metrics) {
        if (arm.endsAt !== null && event.eventTs >= arm.endsAt + metric.attributionMs) continue;
        const start = Math.floor(event.eventTs / sliceMs) * sliceMs;
        const prefix = `${view.experiment}/${start}/${arm.phase}/${arm.variant}/${metric.key}`;
        add(slices, `${prefix}//`, {event, metric});
        const region = event.attributes['region'];
        if (metric.dimensions.includes('region') && region !== undefined) add(slices, `${prefix}/region/${region}`, {event, metric});
      }
    }
  }
  return slices;
}

type Arm = {readonly phase: number; readonly variant: string; readonly endsAt: number | null};

function armOf(outcome: Outcome, view: ExperimentView, exposures: readonly Exposure[]): Arm | undefined {
  if (view.definition.design === 'paired') {
    const variant = outcome.variantHint[view.experiment];
    const phase = view.phases.filter(({validFrom}) => validFrom <= outcome.eventTs).at(-1)?.phase;
    return variant === undefined || phase === undefined ? undefined : {phase, variant, endsAt: null};
  }
  const own = exposures.filter(({unitId, experiment}) => unitId === outcome.unitId && experiment === view.experiment);
  const phases = own.filter(({eventTs}) => eventTs <= outcome.eventTs).map(({phase}) => phase);
  if (phases.length === 0) return undefined;
  const phase = phases.reduce((a, b) => Math.max(a, b));
  const variants = [...new Set(own.filter(e => e.phase === phase).map(({variant}) => variant))];
  const [variant] = variants;
  if (variants.length !== 1 || variant === undefined) return undefined;
  return {phase, variant, endsAt: view.phases.find(span => span.phase === phase)?.validTo ?? null};
}

function add(slices: Map<string, OracleSlice>, key: string, {event, metric}: {event: Outcome; metric: Metric}): void {
  const found = contribution(event, metric);
  if (found === undefined) return;
  const [value, denominator] = found;
  const q = scaled(value, metric.scale);
  const d = scaled(denominator, metric.scale);
  const beyond = BigInt(Math.round(1e6 / event.sampleRate)) - 1_000_000n;
  const slice = slices.get(key) ?? {n: 0, sum: 0n, squares: 0n, denominator: 0n, extra: [0n, 0n, 0n], min: value, max: value};
  slices.set(key, {
    n: slice.n + 1,
    sum: slice.sum + q,
    squares: slice.squares + q * q,
    denominator: slice.denominator + d,
    extra: [slice.extra[0] + beyond, slice.extra[1] + beyond * q, slice.extra[2] + beyond * d],
    min: Math.min(slice.min, value),
    max: Math.max(slice.max, value),
  });
}

function contribution({measures, status}: Outcome, metric: Metric): readonly [number, number] | undefined {
  if (metric.key === 'errors') return [status === 'server_error' || status === 'timeout' ? 1 : 0, 0];
  if (metric.key === 'score') return measures['score'] === undefined ? undefined : [measures['score'], 0];
  return [measures['cost'] ?? 0, status === 'ok' ? 1 : 0];
}

/** The simulation's measures have at most six decimals, so this is exact whatever the rounding rule. */
const scaled = (value: number, scale: number): bigint => BigInt(Math.round(value * 1e6)) * 10n ** BigInt(scale - 6);
