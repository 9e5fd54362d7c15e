import type {Logger, Metrics} from '../core/telemetry.ts';

/** Offsets a reader expected and the log no longer has (or never delivered). */
export type OffsetGap = {
  readonly topic: string;
  readonly partition: number;
  /** The next offset to read, as committed or as read so far. */
  readonly expected: bigint;
  /** The offset the log gave instead. */
  readonly actual: bigint;
};

export type GapReporter = (gap: OffsetGap) => void;

/**
 * A gap is never silent: an ERROR line and `assay_log_gap_records_total`.
 * Records a retention limit removed before they were read are lost to the group;
 * offsets below the expected one would be read twice and are harmless.
 */
export function gapReporter(logger: Logger, metrics: Metrics): GapReporter {
  return gap => {
    const records = gap.actual - gap.expected;
    metrics.count('assay_log_gap_records_total', Number(records < 0n ? -records : records), {
      partition: gap.partition,
    });
    logger.error('offset gap found', {...gap, expected: `${gap.expected}`, actual: `${gap.actual}`});
  };
}
