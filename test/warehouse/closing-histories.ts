import {quantise} from '../../src/core/exact.ts';
import type {EventId, Exposure, Outcome} from '../../src/core/events.ts';
import type {Design, ExperimentDefinition, ExperimentVersion, ExperimentView, Metric, PhaseSpan} from '../../src/core/experiment.ts';
import type {ArrivalRow, ExposureFact, FactBatch, OutcomeFact} from '../../src/core/facts.ts';
import {type Rng, seededRng} from '../../src/core/rng.ts';
import type {Stream} from '../../src/core/streams.ts';
import {durationMs, epochMs} from '../../src/core/units.ts';

/** Histories for the semantics contract: facts as a worker would write them, by hand or at random. */
export const T0 = Date.UTC(2026, 2, 2);
export const SLICE_MS = 10_000;
export const LATENESS_MS = 15_000;

export const testStream = (name: string): Stream => ({
  name,
  kind: 'simulation',
  topic: `assay.events.${name}.v1`,
  latenessMs: durationMs(LATENESS_MS),
  sliceMs: durationMs(SLICE_MS),
  maxAgeMs: null,
  partitions: 3,
});

export function metric(given: Partial<Metric> & {readonly key: string}): Metric {
  return {
    aggregate: 'mean', measure: '', status: [], numerator: '', denominator: '', role: 'goal', direction: 'higher',
    minEffect: 0, tolerance: 0, scale: 9, attributionMs: 7 * 86_400_000, dimensions: [],
    ...given,
  };
}

export const METRICS: readonly Metric[] = [
  metric({key: 'score', measure: 'score', dimensions: ['region']}),
  metric({key: 'errors', aggregate: 'share', status: ['server_error', 'timeout']}),
  metric({key: 'cost_per_success', aggregate: 'ratio', numerator: 'cost', denominator: 'success', scale: 12, attributionMs: 8_000}),
  metric({key: 'calls', aggregate: 'total', measure: 'outcomes', scale: 0}),
];

export type ViewOptions = {
  readonly stream: string;
  readonly experiment: string;
  readonly design?: Design;
  readonly metrics?: readonly Metric[];
  /** valid_from of phase 1, 2, … */
  readonly phaseStarts?: readonly number[];
};

export function viewOf({stream, experiment, design = 'split', metrics = METRICS, phaseStarts = [T0 - 86_400_000]}: ViewOptions): ExperimentView {
  const definition: ExperimentDefinition = {
    experiment, hypothesis: '', owner: '', design, unit: 'user',
    variants: [{key: 'v1', weight: 50}, {key: 'v2', weight: 50}],
    hasWeights: true, control: 'v1', fallback: 'v1', allocation: 1, layer: null, salt: experiment, targeting: {}, overrides: [], sampleRate: 1,
    metrics,
    analysis: {
      alpha: 0.05, correction: 'holm', lookEveryMs: 60_000, minN: 2, minRunMs: 0, maxN: null, maxRunMs: null, pairCoverageMin: 0.8,
      srmAlpha: 0.001, crossoverMax: 0.01, tuningN: 1000,
    },
    guards: [], canary: null, lifecycle: 'running',
  };
  const phases = phaseStarts.map((start, index): PhaseSpan => {
    const next = phaseStarts[index + 1];
    return {phase: index + 1, validFrom: epochMs(start), validTo: next === undefined ? null : epochMs(next), weights: {v1: 50, v2: 50}};
  });
  return {stream, experiment, version: phaseStarts.length, definition, phases};
}

export const versionsOf = (view: ExperimentView): ExperimentVersion[] =>
  view.phases.map(({phase, validFrom}) => ({
    stream: view.stream, experiment: view.experiment, version: phase, predecessor: phase - 1, phase, definition: view.definition,
    slots: new Int8Array(0), author: 'test', reason: '', validFrom,
  }));

export function eventId(ms: number, serial: number, salt = 0): EventId {
  const bytes = new Uint8Array(16);
  const data = new DataView(bytes.buffer);
  data.setUint16(0, Math.floor(ms / 2 ** 32));
  data.setUint32(2, ms >>> 0);
  data.setUint16(6, 0x7000 + (salt & 0xfff));
  data.setUint32(12, serial);
  return bytes;
}

type EventOf<E> = Partial<Omit<E, 'kind' | 'eventTs' | 'eventId'>> & {readonly at: number; readonly serial?: number};
export type Sent =
  | ({readonly kind: 'exposure'} & EventOf<Exposure>)
  | ({readonly kind: 'outcome'} & EventOf<Outcome>)
  | {readonly kind: 'tick'; readonly at: number};
type SentEvent = Exclude<Sent, {readonly kind: 'tick'}>;
export type Appended = {readonly sent: Sent; readonly arrival: number; readonly partition?: number};

/** The log as workers saw it: offsets rise by one per partition, arrival_ts never falls. */
export class History {
  readonly stream: Stream;
  readonly exposures: ExposureFact[] = [];
  readonly outcomes: OutcomeFact[] = [];
  readonly arrivals: ArrivalRow[] = [];
  readonly #ends = new Map<number, {offset: bigint; arrival: number}>();
  #serial = 0;

  constructor(stream: Stream) {
    this.stream = stream;
  }

  append(sent: Sent, {arrival, partition = 0}: {readonly arrival: number; readonly partition?: number}): void {
    const end = this.#ends.get(partition) ?? {offset: 0n, arrival: 0};
    const arrivalTs = epochMs(Math.max(end.arrival, T0 + arrival));
    this.#ends.set(partition, {offset: end.offset + 1n, arrival: arrivalTs});
    const position = {logEpoch: 0, partition, offset: end.offset, appendTs: epochMs(T0 + arrival), arrivalTs};
    if (sent.kind === 'tick') {
      this.arrivals.push({...position, kind: 'tick', idHash: 0n, payloadHash: 0n, code: ''});
      return;
    }
    this.#serial += 1;
    const {at, serial = this.#serial, ...given} = sent;
    const common = {eventTs: epochMs(T0 + at), itemId: null, sampleRate: 1, traceId: '', attributes: {}, unitId: 'u1'};
    // The id's time may be off event_ts, but copies of one event share the id.
    const id = eventId(T0 + 3_600_000, serial, sent.kind === 'exposure' ? 1 : 2);
    if (given.kind === 'exposure') {
      const exposure: Exposure = {experiment: 'x', variant: 'v1', phase: 1, configVersion: 1, reason: 'assigned', sessionId: null, ...common, ...given, eventId: id};
      this.exposures.push({...exposure, arrival: position});
    } else {
      const outcome: Outcome = {variantHint: {}, measures: {score: 1}, status: 'ok', ...common, ...given, eventId: id};
      this.outcomes.push({...outcome, arrival: position});
    }
    const unit = given.unitId ?? 'u1';
    this.arrivals.push({
      ...position, kind: given.kind, idHash: hashOf(`${given.kind} ${unit} ${serial}`), payloadHash: hashOf(JSON.stringify(sent)), code: '',
    });
  }

  /** Every offset is committed. */
  committed(): {logEpoch: number; partition: number; offset: bigint}[] {
    return [...this.#ends].sort(([a], [b]) => a - b).map(([partition, {offset}]) => ({logEpoch: 0, partition, offset}));
  }

  batch(): FactBatch {
    return {stream: this.stream.name, exposures: this.exposures, outcomes: this.outcomes, deadLetters: [], arrivals: this.arrivals};
  }
}

/** FNV-1a, 64 bits: enough to tell a few thousand ids apart. */
function hashOf(text: string): bigint {
  let hash = 0xcbf29ce484222325n;
  for (const char of text) hash = BigInt.asUintN(64, (hash ^ BigInt(char.codePointAt(0) ?? 0)) * 0x100000001b3n);
  return hash;
}

/** An SDK that lowers its rate as time goes on, in every second history. */
const RATES = [1, 0.5, 0.1, 1 / 3] as const;

/** Duplicates, conflicts, late outcomes, exposures after outcomes, crossovers, phases, paired hints, several partitions; odd seeds are sampled. */
export function randomHistory(stream: Stream, seed: number): History {
  const rng = seededRng(seed);
  const history = new History(stream);
  const appended: {readonly sent: Sent; readonly arrival: number; readonly partition: number}[] = [];
  for (let serial = 1; serial <= 220; serial++) {
    const unit = Math.floor(rng.next() * 24);
    const at = Math.floor(rng.next() * 120_000);
    const drawn = rng.next() < 0.35 ? randomExposure(rng, {unit, at, serial}) : randomOutcome(rng, {unit, at, serial});
    const sent = seed % 2 === 0 ? drawn : {...drawn, sampleRate: RATES[Math.floor(at / 30_000)] ?? 1};
    const delay = rng.next() < 0.2 ? rng.next() * 60_000 : rng.next() * 4_000;
    appended.push({sent, arrival: at + Math.floor(delay), partition: unit % 3});
    if (rng.next() < 0.15) appended.push({sent, arrival: at + Math.floor(delay + rng.next() * 40_000), partition: unit % 3});
    if (rng.next() < 0.05) {
      const changed = {...sent, at: Math.floor(rng.next() * 120_000), ...(sent.kind === 'exposure' ? {variant: 'v2'} : {})} as Sent;
      appended.push({sent: changed, arrival: at + Math.floor(delay + rng.next() * 40_000), partition: unit % 3});
    }
  }
  for (const {sent, arrival, partition} of appended.sort((a, b) => a.arrival - b.arrival)) history.append(sent, {arrival, partition});
  for (const partition of [0, 1, 2]) history.append({kind: 'tick', at: 0}, {arrival: 400_000, partition});
  return history;
}

type Drawn = {readonly unit: number; readonly at: number; readonly serial: number};

function randomExposure(rng: Rng, {unit, at, serial}: Drawn): SentEvent {
  const usual = unit % 2 === 0 ? 'v1' : 'v2';
  return {
    kind: 'exposure', at: Math.floor(at / (rng.next() < 0.5 ? 1 : 3)), serial, unitId: `u${unit}`,
    experiment: rng.next() < 0.7 ? 'x' : 'y',
    variant: rng.next() < 0.06 ? 'v3' : usual,
    phase: rng.next() < 0.6 ? 1 : 2,
    reason: rng.next() < 0.9 ? 'assigned' : 'override',
  };
}

const EDGES = [0, -0, 0.5e-9, 1.5e-9, 2.5e-9, -1.5e-9, 1, 1.02, -1.02, 9.9e14, -9.9e14, 123456789.125];

function randomOutcome(rng: Rng, {unit, at, serial}: Drawn): SentEvent {
  const measures: Record<string, number> = {};
  if (rng.next() < 0.9) measures['score'] = rng.next() < 0.3 ? (EDGES[Math.floor(rng.next() * EDGES.length)] ?? 0) : rng.next() * 10 - 3;
  if (rng.next() < 0.7) measures['cost'] = rng.next();
  if (rng.next() < 0.1) measures['success'] = 0.25;
  return {
    kind: 'outcome', at, serial, unitId: `u${unit}`, measures,
    status: rng.next() < 0.7 ? 'ok' : rng.next() < 0.5 ? 'timeout' : 'server_error',
    attributes: rng.next() < 0.8 ? {region: rng.next() < 0.5 ? 'eu' : 'us'} : {},
    itemId: rng.next() < 0.8 ? `i${Math.floor(rng.next() * 12)}` : null,
    variantHint: rng.next() < 0.5 ? {p: rng.next() < 0.9 ? (rng.next() < 0.5 ? 'v1' : 'v2') : 'v9'} : {},
  };
}

export const qOf = (value: number, scale = 9): bigint => quantise(value, scale);
