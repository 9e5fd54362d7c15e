import {quantise} from '../../src/core/exact.ts';
import type {ExperimentView, Metric} from '../../src/core/experiment.ts';
import type {ExposureFact, OutcomeFact} from '../../src/core/facts.ts';
import {bucketOf} from '../../src/core/histogram.ts';
import type {ClosedSlice} from '../../src/core/slices.ts';
import {LATENESS_MS, SLICE_MS, type History} from './closing-histories.ts';

/** DESIGN §4 by plain loops over the log, with nothing in common with the SQL. */
export type Tombstone = {readonly unitId: string; readonly arrivalTs: number};
export type Place = 'none' | 'crossover' | {readonly phase: number; readonly variant: string; readonly end: number};

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** C1: of several copies the earliest (arrival, position) is the fact; forgotten ones do not count. */
export function factsOf<F extends ExposureFact | OutcomeFact>(copies: readonly F[], tombstones: readonly Tombstone[] = []): F[] {
  const winners = new Map<string, F>();
  for (const copy of copies) {
    const key = `${copy.unitId} ${hex(copy.eventId)}`;
    const known = winners.get(key);
    if (known === undefined || comesFirst(copy.arrival, known.arrival)) winners.set(key, copy);
  }
  return [...winners.values()].filter(fact =>
    tombstones.every(({unitId, arrivalTs}) => unitId !== fact.unitId || fact.arrival.arrivalTs > arrivalTs),
  );
}

function comesFirst(a: ExposureFact['arrival'], b: ExposureFact['arrival']): boolean {
  if (a.arrivalTs !== b.arrivalTs) return a.arrivalTs < b.arrivalTs;
  if (a.logEpoch !== b.logEpoch) return a.logEpoch < b.logEpoch;
  return a.partition === b.partition ? a.offset < b.offset : a.partition < b.partition;
}

/** C2 under a cut. */
export function placeOf(view: ExperimentView, outcome: OutcomeFact, exposures: readonly ExposureFact[], cut: number): Place {
  if (view.definition.design === 'paired') {
    const variant = outcome.variantHint[view.experiment];
    const span = view.phases.find(({validFrom, validTo}) => outcome.eventTs >= validFrom && (validTo === null || outcome.eventTs < validTo));
    if (variant === undefined || span === undefined || !view.definition.variants.some(({key}) => key === variant)) return 'none';
    return {phase: span.phase, variant, end: Number.POSITIVE_INFINITY};
  }
  const seen = exposures.filter(
    e => e.experiment === view.experiment && e.unitId === outcome.unitId && e.reason === 'assigned' && e.arrival.arrivalTs <= cut,
  );
  let phase = 0;
  for (const e of seen) if (e.eventTs <= outcome.eventTs) phase = Math.max(phase, e.phase);
  if (phase === 0) return 'none';
  const inside = seen.filter(e => e.phase === phase);
  if (new Set(inside.map(e => e.variant)).size > 1) return 'crossover';
  inside.sort((a, b) => a.eventTs - b.eventTs || (hex(a.eventId) < hex(b.eventId) ? -1 : 1));
  const validTo = view.phases.find(span => span.phase === phase)?.validTo ?? null;
  return {phase, variant: inside[0]?.variant ?? '', end: validTo ?? Number.POSITIVE_INFINITY};
}

function contribution(metric: Metric, outcome: OutcomeFact): [value: number, denominator: number] | null {
  const read = (name: string): number | undefined =>
    outcome.measures[name] ?? (name === 'success' ? Number(outcome.status === 'ok') : name === 'outcomes' ? 1 : undefined);
  if (metric.aggregate === 'share') return [Number(metric.status.includes(outcome.status)), 0];
  if (metric.aggregate === 'ratio') {
    const [a, b] = [read(metric.numerator), read(metric.denominator)];
    return a === undefined && b === undefined ? null : [a ?? 0, b ?? 0];
  }
  const value = read(metric.measure);
  return value === undefined ? null : [value, 0];
}

export type SliceText = Readonly<Record<string, string>>;

/** Every slice of the views under one cut, or each under its own: key → all its numbers. */
export function slicesOf(
  history: History,
  {views, cut, tombstones = []}: {readonly views: readonly ExperimentView[]; readonly cut: number | null; readonly tombstones?: readonly Tombstone[]},
): Map<string, string> {
  const exposures = factsOf(history.exposures, tombstones);
  const rows = new Map<string, {n: number; q: bigint; squares: bigint; denominator: bigint; extra: [bigint, bigint, bigint]; values: number[]; buckets: Map<number, number>; sampled: Map<number, {weight: bigint; squares: bigint}>; scale: number}>();
  for (const outcome of factsOf(history.outcomes, tombstones)) {
    const start = Math.floor(outcome.eventTs / SLICE_MS) * SLICE_MS;
    const ownCut = cut ?? start + SLICE_MS + LATENESS_MS;
    if (outcome.arrival.arrivalTs > ownCut) continue;
    for (const view of views) {
      const place = placeOf(view, outcome, exposures, ownCut);
      if (typeof place === 'string') continue;
      for (const metric of view.definition.metrics) {
        const found = contribution(metric, outcome);
        if (found === null || outcome.eventTs >= place.end + metric.attributionMs) continue;
        const dimensions = [['', ''], ...metric.dimensions.flatMap(name => (outcome.attributes[name] === undefined ? [] : [[name, outcome.attributes[name]]]))];
        for (const [dimension, value] of dimensions) {
          const key = [view.experiment, start, place.phase, place.variant, metric.key, dimension, value].join('|');
          const row = rows.get(key) ?? {n: 0, q: 0n, squares: 0n, denominator: 0n, extra: [0n, 0n, 0n], values: [], buckets: new Map<number, number>(), sampled: new Map<number, {weight: bigint; squares: bigint}>(), scale: metric.scale};
          const q = quantise(found[0], metric.scale);
          row.n += 1;
          row.q += q;
          row.squares += q * q;
          const d = quantise(found[1], metric.scale);
          row.denominator += d;
          const beyond = BigInt(Math.round(1e6 / outcome.sampleRate)) - 1_000_000n;
          row.extra = [row.extra[0] + beyond, row.extra[1] + beyond * q, row.extra[2] + beyond * d];
          row.values.push(found[0]);
          row.buckets.set(bucketOf(found[0]), (row.buckets.get(bucketOf(found[0])) ?? 0) + 1);
          if (beyond !== 0n) {
            const {weight, squares} = row.sampled.get(bucketOf(found[0])) ?? {weight: 0n, squares: 0n};
            row.sampled.set(bucketOf(found[0]), {weight: weight + beyond, squares: squares + (beyond + 1_000_000n) ** 2n - 10n ** 12n});
          }
          rows.set(key, row);
        }
      }
    }
  }
  return new Map(
    [...rows].map(([key, {n, q, squares, denominator, extra: [extraWeight, extraSumQ, extraDenominatorSumQ], values, buckets, sampled, scale}]) => [
      key,
      describe({n, sumQ: q, sumSquaresQ: squares, denominatorSumQ: denominator, extraWeight, extraSumQ, extraDenominatorSumQ, min: Math.min(...values), max: Math.max(...values), histogram: buckets, extraBuckets: sampled, scale}),
    ]),
  );
}

type Numbers = Pick<ClosedSlice, 'n' | 'sumQ' | 'sumSquaresQ' | 'denominatorSumQ' | 'extraWeight' | 'extraSumQ' | 'extraDenominatorSumQ' | 'min' | 'max' | 'histogram' | 'extraBuckets' | 'scale'>;

const describe = (row: Numbers): string =>
  `n=${row.n} q=${row.sumQ} squares=${row.sumSquaresQ} denominator=${row.denominatorSumQ} extra=${row.extraWeight}/${row.extraSumQ}/${row.extraDenominatorSumQ} min=${row.min + 0} max=${row.max + 0} scale=${row.scale} ` +
  [...row.histogram].sort(([a], [b]) => a - b).map(([bucket, n]) => `${bucket}:${n}`).join(',') +
  [...row.extraBuckets].sort(([a], [b]) => a - b).map(([bucket, {weight, squares}]) => ` ${bucket}:${weight}/${squares}`).join('');

/** Stored rows in the oracle's words; vanished keys are left out. */
export const textOf = (rows: readonly ClosedSlice[]): Map<string, string> =>
  new Map(
    rows
      .filter(({n}) => n > 0)
      .map(row => [[row.experiment, row.sliceStart, row.phase, row.variant, row.metric, row.dimension, row.dimensionValue].join('|'), describe(row)]),
  );

export type Books = {accepted: number; duplicate: number; conflict: number; attributed: number; crossover: number; unattributed: number};

/** C6 for one partition, everything committed. */
export function booksOf(history: History, views: readonly ExperimentView[], partition: number): Books {
  const books = {accepted: 0, duplicate: 0, conflict: 0, attributed: 0, crossover: 0, unattributed: 0};
  const here = history.arrivals.filter(row => row.kind !== 'tick');
  for (const row of here.filter(row => row.partition === partition)) {
    const first = here.filter(other => other.idHash === row.idHash).reduce((a, b) => (comesFirst(b, a) ? b : a));
    if (first === row) books.accepted += 1;
    else {
      books.duplicate += 1;
      if (first.payloadHash !== row.payloadHash) books.conflict += 1;
    }
  }
  const exposures = factsOf(history.exposures);
  for (const outcome of factsOf(history.outcomes).filter(({arrival}) => arrival.partition === partition)) {
    const places = views.map(view => {
      const place = placeOf(view, outcome, exposures, Number.POSITIVE_INFINITY);
      const longest = Math.max(...view.definition.metrics.map(({attributionMs}) => attributionMs));
      return typeof place !== 'string' && outcome.eventTs >= place.end + longest ? 'none' : place;
    });
    if (places.some(place => typeof place !== 'string')) books.attributed += 1;
    else if (places.includes('crossover')) books.crossover += 1;
    else books.unattributed += 1;
  }
  return books;
}
