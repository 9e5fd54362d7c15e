import {dynamicThreshold} from '../../stats/dynamic-threshold.ts';
import {bernoulli, gauss, poisson, replication, sample} from './draws.ts';

const SLICES_A_DAY = 8_640;
const SLICES_A_WINDOW = 6;

export type ShareGuard = {
  /** Outcomes in 10 s, on average, and the true share of failures, which never changes. */
  readonly perSlice: number;
  readonly share: number;
  /** Fires above this share of a 60 s window with at least `minN` outcomes. */
  readonly above: number;
  readonly minN: number;
};

/** False alarms a day of a guard on a share in 60 s windows that slide by 10 s; windows in a row that breach are one alarm. */
export function shareGuardAlarms(guard: ShareGuard, {days, seed0}: {readonly days: number; readonly seed0: number}): number {
  let alarms = 0;
  for (let day = 0; day < days; day++) {
    const rng = replication(seed0, day);
    const arrive = poisson(guard.perSlice);
    const fails = bernoulli(guard.share);
    const counts = sample(SLICES_A_DAY, rng, arrive);
    const failures = counts.map(n => {
      let failed = 0;
      for (let i = 0; i < n; i++) failed += fails(rng);
      return failed;
    });
    let isFiring = false;
    let [n, failed] = [0, 0];
    for (let end = 0; end < SLICES_A_DAY; end++) {
      n += (counts[end] ?? 0) - (counts[end - SLICES_A_WINDOW] ?? 0);
      failed += (failures[end] ?? 0) - (failures[end - SLICES_A_WINDOW] ?? 0);
      const isAbove = n >= guard.minN && failed / n > guard.above;
      if (isAbove && !isFiring) alarms++;
      isFiring = isAbove;
    }
  }
  return alarms / days;
}

/** False alarms a day of rolling mean ± k·σ over 60 points, one point a minute, on independent normal values. */
export function dynamicGuardAlarms(k: number, {days, seed0}: {readonly days: number; readonly seed0: number}): number {
  const minutes = 1_440;
  let alarms = 0;
  for (let day = 0; day < days; day++) {
    const result = dynamicThreshold({series: sample(minutes + 60, replication(seed0, day), gauss)}, {window: 60, k});
    if (result.status === 'ok') alarms += result.breach.filter(isBreach => isBreach).length;
  }
  return alarms / days;
}
