import type {Guard} from '../core/experiment.ts';
import type {Finding} from './evaluate.ts';

/**
 * Where a circuit breaker stands for one variant.
 *
 *     closed ──breach──► open ──recovery over──► half-open ──healthy──► closed
 *                          ▲                         │
 *                          └──── breach: wait twice as long
 */
export type BreakerState =
  | {readonly state: 'closed'}
  | {readonly state: 'open'; readonly trips: number; readonly retryAt: number; readonly weight: number}
  | {readonly state: 'half_open'; readonly trips: number; readonly since: number; readonly weight: number};

export type BreakerStep =
  | {readonly action: 'open'; readonly trips: number; readonly retryAt: number}
  | {readonly action: 'half_open'; readonly trips: number}
  | {readonly action: 'close'}
  | {readonly action: null};

const RECOVERY_MS = 60_000;
/** Longest wait between two tries; somebody has been told long before. */
const RECOVERY_MS_MAX = 3_600_000;
/** Of the weight that was taken away; the try serves this share. */
export const PROBE_SHARE = 0.1;

/** Pure: what to do now. Inconclusive is neither failed nor recovered: nothing happens. */
export function advanceBreaker(
  breaker: BreakerState,
  {guard, finding, now}: {readonly guard: Guard; readonly finding: (Pick<Finding, 'state'> & Partial<Pick<Finding, 'windowEnd'>>) | undefined; readonly now: number},
): BreakerStep {
  const recoveryMs = (trips: number): number => Math.min(RECOVERY_MS_MAX, (guard.recoveryMs ?? RECOVERY_MS) * 2 ** trips);
  if (breaker.state === 'open') return now >= breaker.retryAt ? {action: 'half_open', trips: breaker.trips} : {action: null};
  if (finding?.state === 'breach') {
    const trips = breaker.state === 'half_open' ? breaker.trips + 1 : 0;
    return {action: 'open', trips, retryAt: now + recoveryMs(trips)};
  }
  // A try must have lasted a window, in the data as well: its first outcomes are those of the quickest requests.
  const isRecovered = breaker.state === 'half_open' && finding?.state === 'ok' && Math.min(now, finding.windowEnd ?? now) >= breaker.since + guard.windowMs;
  return isRecovered ? {action: 'close'} : {action: null};
}

/** Earlier windows, end to end, that a dynamic threshold looks at, and how few are too few. Overlapping ones would hide how much they vary. */
export const HISTORY_WINDOWS = 30;
const HISTORY_WINDOWS_MIN = 10;

/**
 * The upper bound of a guard: as written, or mean + sigmas·sd of the values before,
 * whichever is larger, so that an alarm needs both; null without an upper bound.
 */
export function dynamicAbove({above, sigmas}: Guard, earlier: readonly number[]): number | null {
  if (sigmas === undefined || earlier.length < HISTORY_WINDOWS_MIN) return above;
  const mean = earlier.reduce((sum, value) => sum + value, 0) / earlier.length;
  const squares = earlier.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const bound = mean + sigmas * Math.sqrt(squares / (earlier.length - 1));
  return above === null ? bound : Math.max(above, bound);
}
