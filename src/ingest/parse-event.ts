import {isUuidV7, makeEventId, parseEventId} from '../avro/event-id.ts';
import type {Clock} from '../core/clock.ts';
import {type Event, type EventId, OUTCOME_STATUSES} from '../core/events.ts';
import type {Rng} from '../core/rng.ts';
import {type EpochMs, epochMs} from '../core/units.ts';

/** What is wrong with one event of a request; `field` is a path inside it. */
export type FieldProblem = {readonly field: string; readonly message: string};
export type ParsedEvent =
  | {readonly ok: true; readonly event: Event}
  | {readonly ok: false; readonly problems: readonly FieldProblem[]};

export type ParseContext = {
  readonly clock: Clock;
  readonly rng: Rng;
  /** The running phase and version of an experiment, for exposures that don't say. */
  readonly currentPhase: (experiment: string) => {readonly phase: number; readonly version: number} | undefined;
  /** Of the request that brought the events; for those that say nothing of a trace, not even that they have none (''). */
  readonly traceId?: string;
};

/** Avro's int. */
const INT_MAX = 2 ** 31 - 1;
/** The last millisecond that ClickHouse's DateTime64(3) can hold: 2299-12-31T23:59:59.999Z. */
const EVENT_TS_MAX = 10_413_791_999_999;

const EXPOSURE_FIELDS = ['type', 'event_id', 'experiment', 'variant', 'phase', 'unit_id', 'event_ts', 'config_version', 'reason', 'item_id', 'session_id', 'sample_rate', 'trace_id', 'attributes'];
const OUTCOME_FIELDS = ['type', 'event_id', 'unit_id', 'event_ts', 'item_id', 'variant_hint', 'measures', 'status', 'sample_rate', 'trace_id', 'attributes'];

/**
 * One JSON event (field names as in schemas/, plus `type`) → an Event. What may be left out:
 * event_id (made), event_ts (now), phase and config_version (the running ones), reason
 * (assigned), status (ok), sample_rate (1), and everything optional.
 */
export function parseEvent(value: unknown, context: ParseContext): ParsedEvent {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    return {ok: false, problems: [{field: '', message: `must be an object with "type", got ${kindOf(value)}`}]};
  }
  const fields = new Fields(value as Record<string, unknown>);
  const type = fields.choice('type', ['exposure', 'outcome'] as const, undefined);
  // Without its type nothing else of an event can be judged.
  if (fields.problems.length > 0) return {ok: false, problems: fields.problems};
  fields.allowOnly(type === 'outcome' ? OUTCOME_FIELDS : EXPOSURE_FIELDS);
  const eventTs = fields.time('event_ts', context.clock.now());
  const shared = {
    unitId: fields.text('unit_id'),
    eventTs,
    eventId: fields.eventId('event_id', () => makeEventId(eventTs, context.rng.bytes(10))),
    itemId: fields.optionalText('item_id'),
    sampleRate: fields.share('sample_rate', 1),
    traceId: fields.optionalText('trace_id') ?? context.traceId ?? '',
    attributes: fields.textMap('attributes'),
  };
  const event: Event = type === 'outcome' ? outcomeOf(fields, shared) : exposureOf(fields, shared, context);
  return fields.problems.length > 0 ? {ok: false, problems: fields.problems} : {ok: true, event};
}

type Shared = Pick<Event, 'unitId' | 'eventTs' | 'eventId' | 'itemId' | 'sampleRate' | 'traceId' | 'attributes'>;

function exposureOf(fields: Fields, shared: Shared, context: ParseContext): Event {
  const experiment = fields.text('experiment');
  const current = context.currentPhase(experiment);
  return {
    kind: 'exposure',
    experiment,
    variant: fields.text('variant'),
    phase: fields.whole('phase', current?.phase ?? 1, 1),
    configVersion: fields.whole('config_version', current?.version ?? 1, 0),
    reason: fields.choice('reason', ['assigned', 'override', 'fallback'] as const, 'assigned'),
    sessionId: fields.optionalText('session_id'),
    ...shared,
  };
}

function outcomeOf(fields: Fields, shared: Shared): Event {
  return {
    kind: 'outcome',
    variantHint: fields.textMap('variant_hint'),
    measures: fields.numberMap('measures'),
    status: fields.choice('status', OUTCOME_STATUSES, 'ok'),
    ...shared,
  };
}

class Fields {
  readonly problems: FieldProblem[] = [];
  readonly #values: Readonly<Record<string, unknown>>;

  constructor(values: Readonly<Record<string, unknown>>) {
    this.#values = values;
  }

  allowOnly(names: readonly string[]): void {
    for (const name of Object.keys(this.#values)) {
      if (!names.includes(name)) this.#problem(name, `is not a field of this event; the fields are ${names.join(', ')}`);
    }
  }

  text(name: string): string {
    const value = this.#values[name];
    if (typeof value === 'string' && value !== '') return value;
    return this.#wrong(name, 'text that is not empty', '');
  }

  optionalText(name: string): string | null {
    const value = this.#values[name];
    if (value === undefined || value === null) return null;
    return typeof value === 'string' ? value : this.#wrong(name, 'text or null', null);
  }

  share(name: string, otherwise: number): number {
    const value = this.#values[name] ?? otherwise;
    return typeof value === 'number' && value > 0 && value <= 1 ? value : this.#wrong(name, 'a number above 0 and at most 1', otherwise);
  }

  whole(name: string, otherwise: number, min: number): number {
    const value = this.#values[name] ?? otherwise;
    const isRight = typeof value === 'number' && Number.isInteger(value) && value >= min && value <= INT_MAX;
    return isRight ? value : this.#wrong(name, `a whole number from ${min}`, otherwise);
  }

  choice<T extends string>(name: string, choices: readonly T[], otherwise: T | undefined): T {
    const value = this.#values[name] ?? otherwise;
    return choices.includes(value as T) ? (value as T) : this.#wrong(name, `one of ${choices.join(', ')}`, choices[0] as T);
  }

  time(name: string, otherwise: EpochMs): EpochMs {
    const value = this.#values[name] ?? otherwise;
    const ms = typeof value === 'string' ? isoMs(value) : value;
    if (typeof ms === 'number' && ms >= 0 && ms <= EVENT_TS_MAX) return epochMs(Math.floor(ms));
    return this.#wrong(name, 'milliseconds since 1970 or an ISO 8601 time, before the year 2300', otherwise);
  }

  eventId(name: string, make: () => EventId): EventId {
    const value = this.#values[name];
    if (value === undefined || value === null) return make();
    const id = typeof value === 'string' ? parseEventId(value) : undefined;
    return id !== undefined && isUuidV7(id) ? id : this.#wrong(name, 'a UUIDv7 such as 0190b0f6-7c1e-7c3a-8f00-1b2c3d4e5f60', make());
  }

  textMap(name: string): Record<string, string> {
    return this.#map(name, 'text', (value): value is string => typeof value === 'string');
  }

  numberMap(name: string): Record<string, number> {
    return this.#map(name, 'a finite number', (value): value is number => typeof value === 'number' && Number.isFinite(value));
  }

  #map<T>(name: string, wanted: string, isRight: (value: unknown) => value is T): Record<string, T> {
    const value = this.#values[name] ?? {};
    if (typeof value !== 'object' || Array.isArray(value)) return this.#wrong(name, `an object whose values are ${wanted}`, {});
    const entries = Object.entries(value as Record<string, unknown>);
    for (const [key, member] of entries) {
      if (!isRight(member)) this.#problem(`${name}.${key}`, `must be ${wanted}, got ${kindOf(member)}`);
    }
    return Object.fromEntries(entries) as Record<string, T>;
  }

  #wrong<T>(name: string, wanted: string, fallback: T): T {
    this.#problem(name, `must be ${wanted}, got ${kindOf(this.#values[name])}`);
    return fallback;
  }

  #problem(field: string, message: string): void {
    this.problems.push({field, message});
  }
}

const ISO = /^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)?(Z|[+-]\d{2}:?\d{2})?$/i;

/** NaN when it is no ISO 8601 time. UTC where no zone is given, wherever this process runs. */
function isoMs(text: string): number {
  const match = ISO.exec(text);
  if (match === null) return Number.NaN;
  const isZoned = match[1] !== undefined || text.length === 10;
  return Date.parse(`${text.replace(' ', 'T')}${isZoned ? '' : 'Z'}`);
}

function kindOf(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' ? 'an object' : `${typeof value} ${JSON.stringify(value)?.slice(0, 60)}`;
}
