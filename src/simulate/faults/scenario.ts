import {encodeExposure, encodeOutcome} from '../../avro/released.ts';
import {makeEventId} from '../../avro/event-id.ts';
import type {Event, Exposure, Outcome, OutcomeStatus} from '../../core/events.ts';
import type {Rng} from '../../core/rng.ts';
import {type EpochMs, epochMs} from '../../core/units.ts';

/** Something a producer sends, `gapMs` after the one before. */
export type Action =
  | {readonly gapMs: number; readonly kind: 'record'; readonly key: string; readonly value: Uint8Array; readonly event: Event | null}
  | {readonly gapMs: number; readonly kind: 'unreadable'; readonly records: number};

const STATUSES: readonly OutcomeStatus[] = ['ok', 'ok', 'ok', 'client_error', 'server_error', 'timeout'];
/** An overloaded SDK sends fewer units; a third does not divide a million. */
const RATES = [1, 1, 1, 0.5, 0.1, 1 / 3] as const;
const REASONS = ['assigned', 'assigned', 'assigned', 'assigned', 'assigned', 'override', 'fallback'] as const;

/**
 * Draws what the services send: late, early, reordered, twice, twice with another
 * payload, from the future, from long ago, and rubbish.
 */
export class Producer {
  readonly #rng: Rng;
  readonly #units: number;
  readonly #secondPhaseAt: EpochMs | null;
  readonly #sent: Event[] = [];

  constructor(rng: Rng, secondPhaseAt: EpochMs | null) {
    this.#rng = rng;
    this.#units = 3 + Math.floor(rng.next() * 10);
    this.#secondPhaseAt = secondPhaseAt;
  }

  /** What is sent at `now`. */
  next(now: EpochMs): Action {
    const gapMs = this.#rng.next() < 0.7 ? Math.floor(this.#rng.next() * 100) : Math.floor(this.#rng.next() * 400);
    const draw = this.#rng.next();
    if (draw < 0.03) return {gapMs, kind: 'record', key: this.#unit(), value: this.#rng.bytes(1 + this.#below(40)), event: null};
    if (draw < 0.04) return {gapMs, kind: 'unreadable', records: 1 + this.#below(3)};
    if (draw < 0.12) return this.#resend(gapMs, now, event => event);
    if (draw < 0.17) return this.#resend(gapMs, now, event => this.#altered(event));
    return this.#send(gapMs, this.#fresh(now));
  }

  #resend(gapMs: number, now: EpochMs, change: (event: Event) => Event): Action {
    const event = this.#sent[this.#below(this.#sent.length)];
    return this.#send(gapMs, event === undefined ? this.#fresh(now) : change(event));
  }

  #send(gapMs: number, event: Event): Action {
    this.#sent.push(event);
    const value = event.kind === 'exposure' ? encodeExposure(event) : encodeOutcome(event);
    return {gapMs, kind: 'record', key: event.unitId, value, event};
  }

  #fresh(now: EpochMs): Event {
    const eventTs = this.#eventTs(now);
    const base = {
      eventId: makeEventId(eventTs, this.#rng.bytes(10)), unitId: this.#unit(), eventTs, itemId: null, sampleRate: 1, traceId: '',
    };
    return this.#rng.next() < 0.35 ? this.#exposure(base) : this.#outcome(base);
  }

  #exposure(base: Base): Exposure {
    const {eventTs, unitId} = base;
    const sticky = unitId.charCodeAt(unitId.length - 1) % 2 === 0 ? 'c' : 't';
    const variant = this.#rng.next() < 0.9 ? sticky : 'c';
    const phase = this.#secondPhaseAt !== null && eventTs >= this.#secondPhaseAt ? 2 : 1;
    const reason = REASONS[this.#below(REASONS.length)] ?? 'assigned';
    return {...base, kind: 'exposure', experiment: 'split', variant, phase, configVersion: phase, reason, sessionId: null, attributes: {}};
  }

  #outcome(base: Base): Outcome {
    const measures: Record<string, number> = {};
    if (this.#rng.next() < 0.9) measures['score'] = (this.#below(200_001) - 100_000) / 1_000;
    if (this.#rng.next() < 0.7) measures['cost'] = this.#below(1_000_000) / 1_000_000;
    const hint: Record<string, string> = this.#rng.next() < 0.5 ? {paired: this.#rng.next() < 0.5 ? 'c' : 't'} : {};
    const attributes: Record<string, string> = this.#rng.next() < 0.5 ? {region: this.#rng.next() < 0.5 ? 'eu' : 'us'} : {};
    const status = STATUSES[this.#below(STATUSES.length)] ?? 'ok';
    return {...base, kind: 'outcome', variantHint: hint, measures, status, attributes, sampleRate: RATES[this.#below(RATES.length)] ?? 1};
  }

  /** Same identity, another payload, perhaps at another time. */
  #altered(event: Event): Event {
    const eventTs = epochMs(Math.max(0, event.eventTs + this.#below(6_000) - 3_000));
    if (event.kind === 'outcome') return {...event, eventTs, measures: {score: this.#below(1_000) / 10}};
    return {...event, eventTs, variant: event.variant === 'c' ? 't' : 'c'};
  }

  #eventTs(now: EpochMs): EpochMs {
    const draw = this.#rng.next();
    if (draw < 0.01) return epochMs(now + 90_000);
    if (draw < 0.02) return epochMs(now - 2 * 3_600_000);
    if (draw < 0.7) return epochMs(now - this.#below(200));
    return epochMs(now - this.#below(draw < 0.9 ? 3_000 : 9_000));
  }

  #unit(): string {
    return `u${this.#below(this.#units)}`;
  }

  #below(end: number): number {
    return Math.floor(this.#rng.next() * end);
  }
}

type Base = Pick<Outcome, 'eventId' | 'unitId' | 'eventTs' | 'itemId' | 'sampleRate' | 'traceId'>;
