import {asymptoticConfidenceSequence} from '../../stats/asymptotic-confidence-sequence.ts';
import {normal} from '../../stats/normal.ts';
import {type Draw, replication} from './draws.ts';

export type TwoArmsScenario = {
  readonly name: string;
  readonly reps: number;
  readonly seed0: number;
  readonly looks: number;
  /** Units of each arm between two looks. */
  readonly step: number;
  /** No claim before an arm has this many: `min_n` of an experiment. */
  readonly minN: number;
  readonly tuning: number;
  readonly draw: Draw;
  /** Added to the treatment's units; 0 is an A/A test. */
  readonly effect: number;
};

export type TwoArmsResult = {
  /** Share of replications in which the interval left 0 at some look. */
  readonly confidenceSequence: number;
  /** The same of a plain 95 % interval looked at as often. */
  readonly fixedHorizon: number;
  /** Units of both arms until the sequence stopped, or the end. */
  readonly meanStopN: number;
};

const ALPHA = 0.05;

type Arm = {n: number; sum: number; squares: number};

/** Two arms as a verdict sees them: the unpooled standard error of a difference of means, looked at after every batch. */
export function watchTwoArms(scenario: TwoArmsScenario): TwoArmsResult {
  const {reps, looks, step} = scenario;
  let [stopped, rejected, stopN] = [0, 0, 0];
  for (let k = 0; k < reps; k++) {
    const at = watchOnce(scenario, k);
    stopped += at.sequence === null ? 0 : 1;
    rejected += at.fixed === null ? 0 : 1;
    stopN += at.sequence ?? 2 * looks * step;
  }
  return {confidenceSequence: stopped / reps, fixedHorizon: rejected / reps, meanStopN: stopN / reps};
}

function watchOnce(scenario: TwoArmsScenario, k: number): {sequence: number | null; fixed: number | null} {
  const {looks, step, minN, tuning, draw, effect} = scenario;
  const rng = replication(scenario.seed0, k);
  const critical = normal.quantile(1 - ALPHA / 2);
  const [control, variant]: [Arm, Arm] = [empty(), empty()];
  let [sequence, fixed]: [number | null, number | null] = [null, null];
  for (let look = 0; look < looks && (sequence === null || fixed === null); look++) {
    for (let i = 0; i < step; i++) {
      add(control, draw(rng));
      add(variant, draw(rng) + effect);
    }
    const n = control.n + variant.n;
    const estimate = variant.sum / variant.n - control.sum / control.n;
    const standardError = Math.sqrt(squareOf(control) + squareOf(variant));
    if (fixed === null && Math.abs(estimate) > critical * standardError) fixed = n;
    if (sequence !== null || control.n < minN) continue;
    const interval = asymptoticConfidenceSequence({n, estimate, standardError}, {alpha: ALPHA, tuningParameter: tuning});
    if (interval.status === 'ok' && (interval.ci[0] > 0 || interval.ci[1] < 0)) sequence = n;
  }
  return {sequence, fixed};
}

const empty = (): Arm => ({n: 0, sum: 0, squares: 0});

function add(arm: Arm, x: number): void {
  arm.n++;
  arm.sum += x;
  arm.squares += x * x;
}

const squareOf = ({n, sum, squares}: Arm): number => Math.max(0, squares - (sum * sum) / n) / (n - 1) / n;
