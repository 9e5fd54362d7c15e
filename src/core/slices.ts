import type {EpochMs} from './units.ts';

/** What a slice is kept per. */
export type SliceKey = {
  readonly experiment: string;
  readonly phase: number;
  readonly variant: string;
  readonly metric: string;
  /** '' for all outcomes together, otherwise an attribute's name. */
  readonly dimension: string;
  readonly dimensionValue: string;
  readonly sliceStart: EpochMs;
};

/** What the outcomes of a bucket stand for beyond themselves, and the same of their squares: quantiles and errors weigh by them. */
export type ExtraBucket<Sum> = {readonly weight: Sum; readonly squares: Sum};

/** A slice from a worker's memory, of the outcomes of one partition. Floating point: never used for claims. */
export type ProvisionalSlice = SliceKey & {
  readonly partition: number;
  readonly logEpoch: number;
  /** Every outcome of the partition up to and including this offset is in it. */
  readonly lastOffset: bigint;
  readonly n: number;
  readonly sum: number;
  /** Sum of squared deviations from the mean (centred second moment). */
  readonly m2: number;
  readonly min: number;
  readonly max: number;
  /** Sum of denominators (ratio metrics), otherwise 0. */
  readonly denominatorSum: number;
  /** What sampled outcomes stand for beyond themselves, in millionths (core/sampling.ts): Σ(w − 10⁶), of values and of denominators. */
  readonly extraWeight: number;
  readonly extraSum: number;
  readonly extraDenominatorSum: number;
  /** The same by bucket, Σ(w − 10⁶) and Σ(w² − 10¹²); absent where nothing was sampled. */
  readonly extraBuckets?: ReadonlyMap<number, ExtraBucket<number>>;
  readonly histogram: Iterable<readonly [bucket: number, count: number]> & {readonly size: number};
};

/** A slice recomputed from facts: exact integers (core/exact.ts) at the metric's scale. */
export type ClosedSlice = SliceKey & {
  readonly n: number;
  readonly scale: number;
  readonly sumQ: bigint;
  readonly sumSquaresQ: bigint;
  readonly denominatorSumQ: bigint;
  /** Σ(w − 10⁶) of sampled outcomes, and the same times q: at 10^(scale + 6). 0 where nothing was sampled. */
  readonly extraWeight: bigint;
  readonly extraSumQ: bigint;
  readonly extraDenominatorSumQ: bigint;
  /** By bucket, Σ(w − 10⁶) and Σ(w² − 10¹²) of sampled outcomes. */
  readonly extraBuckets: ReadonlyMap<number, ExtraBucket<bigint>>;
  readonly min: number;
  readonly max: number;
  readonly histogram: ReadonlyMap<number, number>;
  /** The arrival time up to which facts were read for it. */
  readonly cut: EpochMs;
  readonly configVersion: number;
  readonly isRevision: boolean;
};
