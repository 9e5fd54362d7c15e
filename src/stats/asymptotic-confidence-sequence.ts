import {type Interval, interval} from './inference.ts';
import {attempt, type Outcome, refuse} from './outcome.ts';
import {readCount, readNonNegative, readReal, readRecord, requireAtLeast} from './read-input.ts';
import {type Alternative, alternative, num, openFraction, readOptions} from './read-options.ts';

export interface ConfidenceSequenceInput {
  /** Observations of both arms together. */
  readonly n: number;
  readonly estimate: number;
  /** Of the estimate. */
  readonly standardError: number;
}

export interface ConfidenceSequenceOptions {
  readonly alpha: number;
  /** Observations at which the interval is tightest. */
  readonly tuningParameter: number;
  readonly alternative: Alternative;
  /** Overrides the ρ that follows from alpha and the tuning parameter. */
  readonly rho: number | undefined;
}

export interface ConfidenceSequenceResult {
  readonly rho: number;
  readonly halfWidth: number;
  /** Covers the truth at all looks together with probability 1 − alpha, once n is large. */
  readonly ci: Interval;
  readonly pValue: number;
}

/**
 * Always-valid interval and p-value for a difference that is looked at again and again.
 * Errors: `non_finite`, `insufficient_data` (n < 2), `zero_variance`, `invalid_argument` (also alpha >= 0.5 one-sided).
 * Source: Waudby-Smith et al., arXiv 2103.06476, eq. 9, 134, 155, 161, as in gbstats. The one-sided p-value
 * is the alpha at which the one-sided interval (ρ kept) just reaches 0.
 */
export function asymptoticConfidenceSequence(
  input: ConfidenceSequenceInput,
  options?: Partial<ConfidenceSequenceOptions>,
): Outcome<ConfidenceSequenceResult> {
  return attempt(() => {
    const positive = (value: number): boolean => value > 0;
    const chosen = readOptions<ConfidenceSequenceOptions>(options, {
      alpha: openFraction(0.05),
      tuningParameter: num(5000, 'above 0', positive),
      alternative,
      rho: num(undefined, 'above 0', positive),
    });
    const isTwoSided = chosen.alternative === 'two-sided';
    if (!isTwoSided && chosen.alpha >= 0.5) {
      refuse('invalid_argument', `alpha is ${chosen.alpha}: a one-sided sequence needs it below 0.5`);
    }
    const given = readRecord(input, 'input');
    const n = readCount(given['n'], 'n');
    const estimate = readReal(given['estimate'], 'estimate');
    const standardError = readNonNegative(given['standardError'], 'standardError');
    requireAtLeast(n, 2, 'n');
    if (standardError === 0)
      refuse('zero_variance', 'standardError is 0: there is no spread to test against; collect more');
    const rho = chosen.rho ?? tunedRho(isTwoSided ? chosen.alpha : 2 * chosen.alpha, chosen.tuningParameter);
    const growth = n * rho * rho;
    const root = Math.sqrt(growth + 1);
    const width = isTwoSided ? Math.log(root / chosen.alpha) : Math.log1p(root / (2 * chosen.alpha));
    // s² = SE²·n, kept as SE so that nothing overflows.
    const halfWidth = standardError * Math.sqrt(((2 * (growth + 1)) / growth) * width);
    const z = estimate / standardError;
    return {
      rho,
      halfWidth,
      ci: interval(estimate, halfWidth, chosen.alternative),
      pValue: isTwoSided
        ? twoSidedP(z, growth)
        : oneSidedP(chosen.alternative === 'greater' ? z : -z, growth),
    };
  });
}

function tunedRho(alpha: number, tuningParameter: number): number {
  const evidence = -2 * Math.log(alpha);
  return Math.sqrt((evidence + Math.log1p(evidence)) / tuningParameter);
}

/** In logs: the e-value overflows long before its inverse matters. */
function twoSidedP(z: number, growth: number): number {
  return Math.min(1, Math.exp(Math.log1p(growth) / 2 - exponentOf(z, growth)));
}

function oneSidedP(z: number, growth: number): number {
  if (z <= 0) return 1;
  const exponent = exponentOf(z, growth);
  const logDenominator = exponent > 30 ? exponent : Math.log(Math.expm1(exponent));
  return Math.min(1, Math.exp(Math.log1p(growth) / 2 - Math.LN2 - logDenominator));
}

function exponentOf(z: number, growth: number): number {
  return (growth / (growth + 1)) * (z / 2) * z;
}
