import {attempt, type Outcome, refuse} from './outcome.ts';
import {readCount, readNonNegative, readReal, readRecord} from './read-input.ts';
import {describe, num, openFraction, readOptions} from './read-options.ts';

/** Cumulative statistics of both arms at one look. */
export interface Look {
  readonly nA: number;
  readonly meanA: number;
  readonly varianceA: number;
  readonly nB: number;
  readonly meanB: number;
  readonly varianceB: number;
}

export interface MsprtOptions {
  /** Variance of the normal mixture over effects, in squared units of the data. */
  readonly tauSquared: number;
  readonly alpha: number;
}

export interface MsprtResult {
  /** Λ per look; may be Infinity. */
  readonly likelihoodRatio: readonly number[];
  /** Always valid: the running minimum of 1/Λ, at most 1. */
  readonly pValue: readonly number[];
  /** Index of the first look with p <= alpha, or null. */
  readonly stopAt: number | null;
}

/**
 * Mixture sequential probability ratio test for a difference of means.
 * Errors: `non_finite`, `insufficient_data` (no look, or an arm with n < 2), `zero_variance`, `invalid_argument`.
 * Source: Johari, Pekelis, Walsh, "Always valid inference" (Operations Research 2022).
 */
export function msprt(
  input: {readonly looks: readonly Look[]},
  options?: Partial<MsprtOptions>,
): Outcome<MsprtResult> {
  return attempt(() => {
    const {tauSquared, alpha} = readOptions<MsprtOptions>(options, {
      tauSquared: num(0.01, 'above 0', value => value > 0),
      alpha: openFraction(0.05),
    });
    const {looks} = readRecord(input, 'input') as {looks?: unknown};
    if (!Array.isArray(looks))
      return refuse('invalid_argument', `looks is ${describe(looks)}: it must be an array of looks`);
    if (looks.length === 0) refuse('insufficient_data', 'looks is empty: at least one look is needed');
    const logRatios = looks.map((look, i) =>
      logLikelihoodRatio(readLook(look, `looks[${i}]`), tauSquared, `looks[${i}]`),
    );
    let smallest = 1;
    const pValue = logRatios.map(log => {
      smallest = Math.min(smallest, Math.exp(-log));
      return smallest;
    });
    const stop = pValue.findIndex(p => p <= alpha);
    return {likelihoodRatio: logRatios.map(Math.exp), pValue, stopAt: stop < 0 ? null : stop};
  });
}

function readLook(given: unknown, field: string): Look {
  const look = readRecord(given, field);
  return {
    nA: readCount(look['nA'], `${field}.nA`),
    meanA: readReal(look['meanA'], `${field}.meanA`),
    varianceA: readNonNegative(look['varianceA'], `${field}.varianceA`),
    nB: readCount(look['nB'], `${field}.nB`),
    meanB: readReal(look['meanB'], `${field}.meanB`),
    varianceB: readNonNegative(look['varianceB'], `${field}.varianceB`),
  };
}

/** log Λ with V the variance of the difference of means; Λ itself overflows. */
function logLikelihoodRatio(look: Look, tauSquared: number, field: string): number {
  if (Math.min(look.nA, look.nB) < 2) {
    refuse(
      'insufficient_data',
      `${field} has arms of ${look.nA} and ${look.nB}: at least 2 observations each are needed; start looking later`,
    );
  }
  const variance = look.varianceA / look.nA + look.varianceB / look.nB;
  if (variance === 0)
    refuse(
      'zero_variance',
      `${field} has no variance in either arm: there is no spread to test against; start looking later`,
    );
  const difference = look.meanA - look.meanB;
  const shrink = tauSquared / (variance + tauSquared);
  return -Math.log1p(tauSquared / variance) / 2 + (shrink * difference * (difference / variance)) / 2;
}
