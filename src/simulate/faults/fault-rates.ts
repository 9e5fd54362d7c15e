import type {Rng} from '../../core/rng.ts';

/** Chances per step, drawn per seed: each seed has its own weather, many have calm in some respect. */
export type FaultRates = {
  crash: number;
  partialInsert: number;
  lostAcknowledgement: number;
  refusal: number;
  slowness: number;
  /** Longest delay of a slow call: beyond a few seconds its caller is a zombie. */
  slowMsMax: number;
  lostCommit: number;
  failedCommit: number;
  lostAppend: number;
  /** Per second. */
  rebalance: number;
  fence: number;
  backwardCommit: number;
  clockJump: number;
};

export function drawFaultRates(rng: Rng): FaultRates {
  const sometimes = (rate: number): number => (rng.next() < 0.5 ? rng.next() * rate : 0);
  return {
    crash: sometimes(0.04),
    partialInsert: sometimes(0.3),
    lostAcknowledgement: sometimes(0.3),
    refusal: sometimes(0.2),
    slowness: sometimes(0.4),
    slowMsMax: rng.next() < 0.5 ? 500 : 8_000,
    lostCommit: sometimes(0.2),
    failedCommit: sometimes(0.2),
    lostAppend: sometimes(0.2),
    rebalance: sometimes(0.4),
    fence: sometimes(0.2),
    backwardCommit: sometimes(0.3),
    clockJump: sometimes(0.5),
  };
}

export const NO_FAULTS: FaultRates = {
  crash: 0, partialInsert: 0, lostAcknowledgement: 0, refusal: 0, slowness: 0, slowMsMax: 0, lostCommit: 0,
  failedCommit: 0, lostAppend: 0, rebalance: 0, fence: 0, backwardCommit: 0, clockJump: 0,
};
