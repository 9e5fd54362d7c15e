/**
 * Numbers that carry their unit in the type, so that a duration cannot be
 * passed where an instant is wanted. The brand exists only at compile time.
 */
declare const unit: unique symbol;
type Unit<Name extends string> = number & {readonly [unit]: Name};

/** Milliseconds since 1970-01-01T00:00:00Z. */
export type EpochMs = Unit<'EpochMs'>;

/** A length of time in milliseconds. Never negative. */
export type DurationMs = Unit<'DurationMs'>;

/** @throws RangeError unless `value` is a safe integer (negative instants lie before 1970). */
export function epochMs(value: number): EpochMs {
  if (!Number.isSafeInteger(value)) {
    throw new RangeError(`epochMs must be a whole number of milliseconds, got ${value}`);
  }
  return value as EpochMs;
}

/** @throws RangeError unless `value` is a non-negative safe integer. */
export function durationMs(value: number): DurationMs {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new RangeError(`durationMs must be a non-negative whole number of milliseconds, got ${value}`);
  }
  return value as DurationMs;
}

export const addMs = (at: EpochMs, by: DurationMs): EpochMs => epochMs(at + by);

/** The start of the base slice that holds `at`; half-open, so an edge belongs to the slice it starts. */
export const sliceStartOf = (at: EpochMs, sliceMs: DurationMs): EpochMs =>
  epochMs(Math.floor(at / sliceMs) * sliceMs);
