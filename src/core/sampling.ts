/** What an event that was not sampled weighs: weights are whole millionths of an event, so that sums of them are exact. */
export const WEIGHT_ONE = 1_000_000;

/** Decimals that weighted sums have more than plain ones. */
export const WEIGHT_DIGITS = 6;

/** Σw² counts in these: the square of a weight of one. */
export const SQUARE_ONE = WEIGHT_ONE * WEIGHT_ONE;

/** Lower rates count as this one: a weight times a measure then fits the integers that SQL sums in. */
export const SAMPLE_RATE_MIN = 1e-6;

/** For how many events one with this rate stands, 1 / rate, in millionths; the same IEEE quotient in SQL. */
export function weightOf(sampleRate: number): number {
  return Math.floor(WEIGHT_ONE / Math.max(sampleRate, SAMPLE_RATE_MIN) + 0.5);
}
