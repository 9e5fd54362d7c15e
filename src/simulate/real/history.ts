import {makeEventId} from '../../avro/event-id.ts';
import {encodeExposure, encodeOutcome, encodeTick} from '../../avro/released.ts';
import type {DeadLetterCode, Event, Exposure, Outcome, OutcomeStatus} from '../../core/events.ts';
import {type Rng, seededRng} from '../../core/rng.ts';
import {type EpochMs, epochMs} from '../../core/units.ts';
import type {NewRecord} from '../../log/event-log.ts';
import {partitionOf} from '../../log/partitioner.ts';

/** What a record is, as the one who made it knows. */
export type What = Event | {readonly kind: 'dead'; readonly code: DeadLetterCode} | {readonly kind: 'tick'};

export type Planned = NewRecord & {readonly partition: number; readonly timestamp: EpochMs; readonly what: What};

/** The header by which a record read back from the log is known again. */
export const SERIAL_HEADER = 'n';

export const SPLIT = 'answers';
export const PAIRED = 'prompts';

const STATUSES: readonly OutcomeStatus[] = ['ok', 'ok', 'ok', 'ok', 'client_error', 'server_error', 'timeout'];

/** An overloaded SDK sends fewer units. */
const RATES = [1, 1, 1, 0.5, 0.1] as const;

/** Builds histories: every record in the order it is sent, with what it is. */
export class HistoryMaker {
  readonly rng: Rng;
  readonly records: Planned[] = [];
  readonly #partitions: number;

  constructor(seed: number, partitions: number) {
    this.rng = seededRng(seed);
    this.#partitions = partitions;
  }

  below(end: number): number {
    return Math.floor(this.rng.next() * end);
  }

  exposure(given: {readonly unitId: string; readonly eventTs: number} & Partial<Omit<Exposure, 'eventTs'>>): Exposure {
    const eventTs = epochMs(given.eventTs);
    return {
      kind: 'exposure', eventId: makeEventId(eventTs, this.rng.bytes(10)), experiment: SPLIT, variant: variantOf(given.unitId), phase: 1, configVersion: 2,
      reason: 'assigned', itemId: null, sessionId: null, sampleRate: 1, traceId: '', attributes: {}, ...given, eventTs,
    };
  }

  outcome(given: {readonly unitId: string; readonly eventTs: number} & Partial<Omit<Outcome, 'eventTs'>>): Outcome {
    const eventTs = epochMs(given.eventTs);
    return {
      kind: 'outcome', eventId: makeEventId(eventTs, this.rng.bytes(10)), itemId: null, variantHint: {},
      measures: {score: (this.below(200_001) - 100_000) / 1_000, cost: this.below(1_000_000) / 1_000_000},
      status: STATUSES[this.below(STATUSES.length)] ?? 'ok', sampleRate: RATES[this.below(RATES.length)] ?? 1, traceId: '',
      attributes: this.rng.next() < 0.5 ? {region: this.rng.next() < 0.5 ? 'eu' : 'us'} : {}, ...given, eventTs,
    };
  }

  /** Sends an event; its unit's partition unless another is named. */
  send(event: Event, at: number): Event {
    const value = event.kind === 'exposure' ? encodeExposure(event) : encodeOutcome(event);
    this.#push(event.unitId, {value, at, what: event});
    return event;
  }

  /** Bytes that must become a dead letter. */
  sendDead(key: string, value: Uint8Array, {at, code}: {readonly at: number; readonly code: DeadLetterCode}): void {
    this.#push(key, {value, at, what: {kind: 'dead', code}});
  }

  tickAll(at: number): void {
    const value = encodeTick({kind: 'tick', sentTs: epochMs(at), owner: 'faults'});
    for (let partition = 0; partition < this.#partitions; partition++) {
      this.records.push({key: null, value, partition, timestamp: epochMs(at), what: {kind: 'tick'}, headers: this.#serial()});
    }
  }

  #push(key: string, {value, at, what}: {value: Uint8Array; at: number; what: What}): void {
    const partition = partitionOf(key, this.#partitions);
    this.records.push({key, value, partition, timestamp: epochMs(at), what, headers: this.#serial()});
  }

  #serial(): Record<string, string> {
    return {[SERIAL_HEADER]: String(this.records.length)};
  }
}

/** Sticky: the same unit always meets the same variant. */
export function variantOf(unitId: string): string {
  let hash = 7;
  for (const char of unitId) hash = (hash * 31 + (char.codePointAt(0) ?? 0)) >>> 0;
  return hash % 2 === 0 ? 'c' : 't';
}

export type SteadyOptions = {
  readonly seed: number;
  readonly events: number;
  readonly partitions: number;
  readonly units: number;
  readonly startTs: number;
  /** Virtual time the events are spread over. */
  readonly lengthMs: number;
  readonly sliceMs: number;
  readonly latenessMs: number;
  /** Left out where the log stamps records and workers tick. */
  readonly hasTicks?: boolean;
};

/**
 * What services send on an ordinary bad day: repeats, an id with two payloads, late and
 * reordered events, crossovers, overrides, paired outcomes and now and then rubbish.
 */
export function steadyHistory(options: SteadyOptions): Planned[] {
  const {seed, events, partitions, units, startTs, lengthMs, sliceMs, latenessMs, hasTicks = true} = options;
  const make = new HistoryMaker(seed, partitions);
  const sent: Event[] = [];
  let nextTick = startTs;
  for (let serial = 0; serial < events; serial++) {
    const at = startTs + Math.floor((serial * lengthMs) / events);
    for (; hasTicks && at >= nextTick; nextTick += sliceMs) make.tickAll(nextTick);
    const unitId = `u${make.below(units)}`;
    const draw = make.rng.next();
    const repeated = sent[make.below(sent.length)];
    if (draw < 0.005) make.sendDead(unitId, make.rng.bytes(1 + make.below(60)), {at, code: 'undecodable'});
    else if (draw < 0.03 && repeated !== undefined) make.send(repeated, at);
    else if (draw < 0.04 && repeated !== undefined) make.send(altered(make, repeated), at);
    else sent.push(make.send(fresh(make, {unitId, at, isLateWanted: draw < 0.08, latenessMs}), at));
  }
  if (hasTicks) make.tickAll(startTs + lengthMs + sliceMs + latenessMs + 1);
  return make.records;
}

function fresh(make: HistoryMaker, {unitId, at, isLateWanted, latenessMs}: {unitId: string; at: number; isLateWanted: boolean; latenessMs: number}): Event {
  const eventTs = at - (isLateWanted ? make.below(20 * latenessMs + 60_000) : make.below(2_000));
  const draw = make.rng.next();
  if (draw < 0.25) {
    const isCrossing = make.rng.next() < 0.02;
    const variant = isCrossing ? 'c' : variantOf(unitId);
    const reason = make.rng.next() < 0.95 ? 'assigned' : 'override';
    return make.exposure({unitId, eventTs, variant, reason});
  }
  if (draw < 0.85) return make.outcome({unitId, eventTs});
  return make.outcome({unitId, eventTs, itemId: `i${make.below(50)}`, variantHint: {[PAIRED]: make.rng.next() < 0.5 ? 'c' : 't'}});
}

/** The same identity with another payload, as a producer with a bug sends. */
function altered(make: HistoryMaker, event: Event): Event {
  if (event.kind === 'outcome') return {...event, measures: {score: make.below(1_000) / 10}};
  return {...event, attributes: {altered: String(make.below(1_000))}};
}
