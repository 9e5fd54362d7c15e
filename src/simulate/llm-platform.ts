import {makeEventId} from '../avro/event-id.ts';
import type {Event, OutcomeStatus} from '../core/events.ts';
import {type Rng, seededRng} from '../core/rng.ts';
import {addMs, durationMs, type EpochMs, epochMs} from '../core/units.ts';

/**
 * A simulated LLM platform with a known truth (see demo-experiments.ts). Each
 * user meets both split experiments, asks a few questions, and is judged later:
 *
 *     exposures ─► request outcomes (latency, tokens, cost, status)
 *                        └─ 10…90 s later ─► feedback outcome (judge_score)
 *     every evaluation item ─► one outcome for each variant of prompt-template
 *
 * A function of the seed alone: a run that was killed makes the same records again.
 */
export type PlatformOptions = {
  readonly seed: number;
  readonly users: number;
  readonly items: number;
  readonly startTs: EpochMs;
  readonly lengthMs: number;
  readonly latenessMs: number;
  /** Which variant a user gets: the product's own splitter. */
  readonly assign: (experiment: string, unitId: string) => string;
};

/** A record before encoding; `poison` records are bytes no schema explains. */
export type SimulatedRecord = {
  readonly key: string;
  readonly arrivalTs: EpochMs;
  readonly event: Event | null;
  readonly poison: Uint8Array | null;
};

const REQUESTS_PER_USER = 3;
const DUPLICATE_SHARE = 0.01;
const LATE_SHARE = 0.004;
const POISON_RECORDS = 7;

/** Every record of the run in order of arrival. */
export function simulatePlatform(options: PlatformOptions): SimulatedRecord[] {
  const rng = seededRng(options.seed);
  const records: SimulatedRecord[] = [];
  const send = (event: Event): void => {
    const record = {key: event.unitId, arrivalTs: arrivalOf(event.eventTs, options, rng), event, poison: null};
    records.push(record);
    if (rng.next() < DUPLICATE_SHARE) {
      records.push({...record, arrivalTs: addMs(record.arrivalTs, durationMs(Math.floor(rng.next() * 20_000)))});
    }
  };
  for (let user = 0; user < options.users; user += 1) simulateUser(`user-${user}`, {options, rng, send});
  for (let item = 0; item < options.items; item += 1) simulateItem(`item-${item}`, {options, rng, send});
  for (let index = 0; index < POISON_RECORDS; index += 1) {
    const arrivalTs = epochMs(options.startTs + Math.floor(rng.next() * options.lengthMs));
    records.push({key: `poison-${index}`, arrivalTs, event: null, poison: rng.bytes(5 + index * 7)});
  }
  return records.sort((a, b) => a.arrivalTs - b.arrivalTs || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
}

/** Most records come within a second and a half, out of order; a few long after their slice closed. */
function arrivalOf(eventTs: EpochMs, {latenessMs}: PlatformOptions, rng: Rng): EpochMs {
  const isLate = rng.next() < LATE_SHARE;
  const delay = isLate ? latenessMs + 15_000 + rng.next() * 60_000 : 20 + rng.next() * Math.min(1_500, latenessMs * 0.7);
  return addMs(eventTs, durationMs(Math.floor(delay)));
}

type Simulation = {readonly options: PlatformOptions; readonly rng: Rng; readonly send: (event: Event) => void};

function simulateUser(unitId: string, {options, rng, send}: Simulation): void {
  const model = options.assign('answer-model', unitId);
  const cache = options.assign('cache-policy', unitId);
  // The last requests still get their feedback within the run.
  let at = epochMs(options.startTs + Math.floor(rng.next() * (options.lengthMs - 150_000)));
  for (const [experiment, variant] of [['answer-model', model], ['cache-policy', cache]] as const) {
    send({kind: 'exposure', experiment, variant, phase: 1, configVersion: 2, reason: 'assigned', sessionId: null, ...base(unitId, at, rng)});
  }
  const taste = normal(rng) * 0.05;
  for (let request = 0; request < REQUESTS_PER_USER; request += 1) {
    at = addMs(at, durationMs(200 + Math.floor(rng.next() * 8_000)));
    const answer = answerRequest(cache, rng);
    const attributes = {model: model === 'v2' ? 'atlas-2' : 'atlas-1', region: rng.next() < 0.6 ? 'eu' : 'us'};
    send({kind: 'outcome', variantHint: {}, measures: answer.measures, status: answer.status, ...base(unitId, at, rng), attributes});
  }
  const judged = clamp((model === 'v2' ? 0.76 : 0.72) + taste + normal(rng) * 0.12);
  const judgedAt = addMs(at, durationMs(10_000 + Math.floor(rng.next() * 80_000)));
  send({kind: 'outcome', variantHint: {}, measures: {judge_score: round(judged, 3)}, status: 'ok', ...base(unitId, judgedAt, rng)});
}

function answerRequest(cache: string, rng: Rng): {measures: Record<string, number>; status: OutcomeStatus} {
  const isBad = cache === 'aggressive';
  const latency = Math.exp(6.4 + normal(rng) * 0.45) * (isBad ? 1.25 : 1);
  const tokens = Math.round(Math.exp(5 + normal(rng) * 0.6));
  const roll = rng.next();
  const failing = isBad ? 0.06 : 0.012;
  const status: OutcomeStatus = roll < failing * 0.7 ? 'server_error' : roll < failing ? 'timeout' : 'ok';
  return {status, measures: {latency_ms: round(latency, 1), tokens_out: tokens, cost_usd: round(tokens * 0.000_015, 6)}};
}

function simulateItem(unitId: string, {options, rng, send}: Simulation): void {
  const difficulty = 0.55 + normal(rng) * 0.18;
  for (const variant of ['long', 'short']) {
    const at = epochMs(options.startTs + Math.floor(rng.next() * (options.lengthMs - 60_000)));
    const common = {...base(unitId, at, rng), itemId: unitId};
    send({kind: 'exposure', experiment: 'prompt-template', variant, phase: 1, configVersion: 2, reason: 'assigned', sessionId: null, ...common});
    // A few answers could not be judged: their pairs are dropped and counted.
    const isJudged = rng.next() > 0.02;
    const score = round(clamp(difficulty + normal(rng) * 0.08), 2);
    send({...common, kind: 'outcome', eventId: makeEventId(at, rng.bytes(10)), variantHint: {'prompt-template': variant}, measures: isJudged ? {eval_score: score} : {}, status: isJudged ? 'ok' : 'client_error'});
  }
}

function base(unitId: string, eventTs: EpochMs, rng: Rng) {
  return {eventId: makeEventId(eventTs, rng.bytes(10)), unitId, eventTs, itemId: null, sampleRate: 1, traceId: '', attributes: {}};
}

/** Marsaglia's polar method would need a loop; twelve uniforms are near enough for a demo. */
function normal(rng: Rng): number {
  let sum = -6;
  for (let index = 0; index < 12; index += 1) sum += rng.next();
  return sum;
}

const clamp = (value: number): number => Math.min(1, Math.max(0, value));
const round = (value: number, digits: number): number => Math.round(value * 10 ** digits) / 10 ** digits;
