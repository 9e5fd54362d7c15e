import {asymptoticConfidenceSequence} from '../../stats/asymptotic-confidence-sequence.ts';
import {type Look, msprt} from '../../stats/msprt.ts';
import {studentT} from '../../stats/student-t.ts';
import {type Draw, normal12, replication} from './draws.ts';

export type PeekingScenario = {
  readonly name: string;
  readonly reps: number;
  readonly seed0: number;
  readonly looks: number;
  /** Observations between two looks. */
  readonly step: number;
  /** First look, in observations; `step` unless given. */
  readonly firstLook?: number;
  readonly tuning: number;
  /** Mean of the stream in standard deviations; 0 is the null. */
  readonly effectInSd: number;
  readonly draw?: Draw;
  /** Of `draw`, so that the null is 0. */
  readonly drawMean?: number;
};

/** Shares of replications that claimed an effect, at any look or at the last one. */
export type PeekingResult = {
  readonly fixedHorizonAnyLook: number;
  readonly fixedHorizonFinalLook: number;
  readonly confidenceSequenceAnyLook: number;
  readonly confidenceSequenceFinalLook: number;
  readonly msprtAnyLook: number;
  /** Observations until the confidence sequence stopped, or the end. */
  readonly meanStopN: number;
};

const ALPHA = 0.05;
/** A one-sample stream as two arms: the other one is known exactly. */
const KNOWN = {nB: 1_000_000_000, meanB: 0, varianceB: 0};

/**
 * A stream of paired differences with a look after every batch: Student's t with its
 * fixed-horizon p, the asymptotic confidence sequence and mSPRT (τ² = 0.01) on the same data.
 */
export function peek(scenario: PeekingScenario): PeekingResult {
  const {reps, looks, step, firstLook = step} = scenario;
  const counts = Array.from({length: looks}, (_, look) => firstLook + look * step);
  const critical = counts.map(n => studentT.quantile(1 - ALPHA / 2, n - 1));
  const total = {anyT: 0, finalT: 0, anyCs: 0, finalCs: 0, anyMsprt: 0, stopN: 0};
  for (let k = 0; k < reps; k++) {
    const seen = looksOf(scenario, counts, k);
    const rejects = seen.map(({nA, meanA, varianceA}, look) => Math.abs(meanA) > (critical[look] ?? 0) * Math.sqrt(varianceA / nA));
    const stops = seen.map(look => isOutside(look, scenario.tuning));
    const stopAt = stops.indexOf(true);
    const mixture = msprt({looks: seen}, {tauSquared: 0.01, alpha: ALPHA});
    total.anyT += rejects.includes(true) ? 1 : 0;
    total.finalT += rejects.at(-1) === true ? 1 : 0;
    total.anyCs += stopAt >= 0 ? 1 : 0;
    total.finalCs += stops.at(-1) === true ? 1 : 0;
    total.anyMsprt += mixture.status === 'ok' && mixture.stopAt !== null ? 1 : 0;
    total.stopN += counts[stopAt >= 0 ? stopAt : looks - 1] ?? 0;
  }
  return {
    fixedHorizonAnyLook: total.anyT / reps,
    fixedHorizonFinalLook: total.finalT / reps,
    confidenceSequenceAnyLook: total.anyCs / reps,
    confidenceSequenceFinalLook: total.finalCs / reps,
    msprtAnyLook: total.anyMsprt / reps,
    meanStopN: total.stopN / reps,
  };
}

function looksOf({seed0, effectInSd, draw = normal12, drawMean = 0}: PeekingScenario, counts: readonly number[], k: number): Look[] {
  const rng = replication(seed0, k);
  let [n, sum, squares] = [0, 0, 0];
  return counts.map(end => {
    for (; n < end; n++) {
      const x = draw(rng) - drawMean + effectInSd;
      sum += x;
      squares += x * x;
    }
    return {nA: n, meanA: sum / n, varianceA: (squares - (sum * sum) / n) / (n - 1), ...KNOWN};
  });
}

function isOutside({nA, meanA, varianceA}: Look, tuning: number): boolean {
  const sequence = asymptoticConfidenceSequence(
    {n: nA, estimate: meanA, standardError: Math.sqrt(varianceA / nA)},
    {alpha: ALPHA, tuningParameter: tuning},
  );
  return sequence.status === 'ok' && (sequence.ci[0] > 0 || sequence.ci[1] < 0);
}
