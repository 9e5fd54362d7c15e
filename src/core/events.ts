import type {EpochMs} from './units.ts';

/** 16 bytes of a UUIDv7 (RFC 9562): the first 48 bits are milliseconds since 1970. */
export type EventId = Uint8Array;

/** In the order of the schema's symbols. */
export const EXPOSURE_REASONS = ['assigned', 'override', 'fallback'] as const;
export type ExposureReason = (typeof EXPOSURE_REASONS)[number];
export const OUTCOME_STATUSES = ['ok', 'client_error', 'server_error', 'timeout'] as const;
export type OutcomeStatus = (typeof OUTCOME_STATUSES)[number];

/** The event that a unit met its variant. Analysis counts only from here. */
export type Exposure = {
  readonly kind: 'exposure';
  readonly eventId: EventId;
  readonly experiment: string;
  readonly variant: string;
  /** The stretch of unchanged split this exposure was made in; from 1. */
  readonly phase: number;
  readonly unitId: string;
  readonly eventTs: EpochMs;
  readonly configVersion: number;
  readonly reason: ExposureReason;
  readonly itemId: string | null;
  readonly sessionId: string | null;
  /** The share of units this event stands for, in (0, 1]. */
  readonly sampleRate: number;
  readonly traceId: string;
  readonly attributes: Readonly<Record<string, string>>;
};

/** A measured result of a unit. */
export type Outcome = {
  readonly kind: 'outcome';
  readonly eventId: EventId;
  readonly unitId: string;
  readonly eventTs: EpochMs;
  readonly itemId: string | null;
  /** experiment → variant, when the caller knows it. Decides attribution only in design `paired`. */
  readonly variantHint: Readonly<Record<string, string>>;
  readonly measures: Readonly<Record<string, number>>;
  readonly status: OutcomeStatus;
  readonly sampleRate: number;
  readonly traceId: string;
  readonly attributes: Readonly<Record<string, string>>;
};

/** Moves a partition's arrival time on when nothing else does (DESIGN C4). */
export type Tick = {readonly kind: 'tick'; readonly sentTs: EpochMs; readonly owner: string};

export type Event = Exposure | Outcome;
export type LogEvent = Event | Tick;

/** Why a record cannot be a fact. Stored in `dead_letters.code`. */
export const DEAD_LETTER_CODES = [
  'undecodable',
  'unknown_schema',
  'schema_invalid',
  'oversized',
  'measure_out_of_range',
  'id_time_mismatch',
  'from_future',
  'too_old',
] as const;
export type DeadLetterCode = (typeof DEAD_LETTER_CODES)[number];

/** Where a record lies. `logEpoch` rises when its topic is recreated. */
export type Position = {
  readonly logEpoch: number;
  readonly partition: number;
  readonly offset: bigint;
};
