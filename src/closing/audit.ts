import type {Stream} from '../core/streams.ts';
import type {Logger, Metrics} from '../core/telemetry.ts';
import type {EventLog} from '../log/event-log.ts';
import type {ClosingStore, LedgerPartition} from '../warehouse/warehouse.ts';
import type {ClosingConfig} from './closing-config.ts';
import {CLOSING_METRICS} from './closing-metrics.ts';
import {committedOffsets} from './committed-offsets.ts';

export type AuditOptions = {
  readonly log: Pick<EventLog, 'committed' | 'describeTopic'>;
  readonly warehouse: Pick<ClosingStore, 'ledger' | 'auditSlices'>;
  readonly config: Pick<ClosingConfig, 'viewsOfAllVersions'>;
  readonly stream: Stream;
  /** Newest closed slices to recompute; null checks all. */
  readonly slicesMax: number | null;
  readonly logger: Logger;
  readonly metrics: Metrics;
};

export type AuditReport = {
  readonly stream: string;
  /** Books that do not balance + slices that differ + facts counted twice. Must be 0. */
  readonly mismatch: number;
  /** 0 proves nothing, and callers must say so. */
  readonly slices_checked: number;
  readonly facts: number;
  /** Offsets without an arrivals row: control records of the log, or an alarm. */
  readonly gaps: number;
  readonly partitions: readonly LedgerPartition[];
  /** One line per mismatch. */
  readonly details: readonly string[];
};

/** The ledger and the stored slices against the facts (DESIGN C6). */
export async function runAudit(options: AuditOptions): Promise<AuditReport> {
  const {log, warehouse, config, stream, slicesMax, logger, metrics} = options;
  const partitions = await warehouse.ledger(stream.name, await committedOffsets(log, stream));
  const views = config.viewsOfAllVersions(stream.name);
  const {slicesChecked, mismatches, duplicateKeys} = await warehouse.auditSlices({stream, views, slicesMax});
  const details = [
    ...partitions.flatMap(ledgerErrors),
    ...mismatches.map(({slice, stored, recomputed}) => `slice ${slice}: stored ${stored}, recomputed ${recomputed}`),
    ...(duplicateKeys > 0 ? [`${duplicateKeys} facts are counted more than once`] : []),
  ];
  const mismatch = details.length + Math.max(0, duplicateKeys - 1);
  const gaps = partitions.reduce((sum, partition) => sum + partition.gaps, 0);
  const labels = {stream: stream.name};
  metrics.count(CLOSING_METRICS.mismatch, mismatch, labels);
  metrics.gauge(CLOSING_METRICS.slicesChecked, slicesChecked, labels);
  metrics.gauge(CLOSING_METRICS.gaps, gaps, labels);
  if (mismatch > 0) logger.error('audit found mismatches', {stream: stream.name, mismatch, details: details.slice(0, 20)});
  return {
    stream: stream.name,
    mismatch,
    slices_checked: slicesChecked,
    facts: partitions.reduce((sum, partition) => sum + partition.facts, 0),
    gaps,
    partitions,
    details,
  };
}

/** What does not add up in one partition's books. */
export function ledgerErrors(books: LedgerPartition): string[] {
  const {partition, appended, accepted, duplicate, deadLettered, forgotten, facts} = books;
  const errors: string[] = [];
  if (appended !== accepted + duplicate + deadLettered + forgotten) {
    const parts = `${accepted} accepted + ${duplicate} duplicate + ${deadLettered} dead-lettered + ${forgotten} forgotten`;
    errors.push(`partition ${partition}: ${appended} appended, but ${parts}`);
  }
  if (facts !== accepted) errors.push(`partition ${partition}: ${accepted} accepted, but ${facts} facts`);
  const outcomes = books.outcomesAttributed + books.outcomesCrossover + books.outcomesUnattributed;
  if (outcomes > accepted) errors.push(`partition ${partition}: ${outcomes} outcomes among ${accepted} accepted`);
  return errors;
}
