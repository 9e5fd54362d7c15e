import type {Comparison} from './compare-windows.ts';
import type {HealthScore} from './health-score.ts';

/** The variants of an experiment side by side, in one window of its present phase. */
export type ComparisonTable = {
  readonly experiment: string;
  readonly phase: number;
  readonly config_version: number;
  readonly control: string;
  /** ISO 8601. */
  readonly window_start: string;
  readonly window_end: string;
  readonly comparisons: readonly Comparison[];
  /** Empty when the definition says nothing under health. */
  readonly health: readonly HealthScore[];
};
