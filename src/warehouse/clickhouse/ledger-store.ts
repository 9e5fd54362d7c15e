import type {ClosingStore, CommittedOffset, LedgerPartition} from '../warehouse.ts';
import type {SqlConnection} from './connection.ts';
import {loadQuery} from './query-file.ts';
import {FINAL_WITHIN_PARTITIONS} from './slice-recompute.ts';

/**
 * The books (DESIGN C6). Copies of an event are told from each other by `arrivals`, facts are
 * counted in the fact tables, so that the two can be found to disagree.
 */
export class ClickHouseLedgerStore implements Pick<ClosingStore, 'ledger'> {
  readonly #connection: SqlConnection;

  constructor(connection: SqlConnection) {
    this.#connection = connection;
  }

  async ledger(stream: string, committed: readonly CommittedOffset[]): Promise<LedgerPartition[]> {
    if (committed.length === 0) return [];
    // Offsets as text inside JSON: a bigint would not survive it.
    const ends = `[${committed.map(({logEpoch, partition, offset}) => `[${logEpoch},${partition},${offset}]`).join(',')}]`;
    const rows = await this.#connection.select<LedgerRow>(loadQuery('ledger'), {stream, committed: ends}, FINAL_WITHIN_PARTITIONS);
    const byPartition = new Map(rows.map(row => [`${row.log_epoch}/${row.partition}`, row]));
    return committed.map(asked => {
      const row = byPartition.get(`${asked.logEpoch}/${asked.partition}`);
      return row === undefined ? emptyBooks(asked) : toBooks(row);
    });
  }
}

type LedgerCounts =
  | 'appended' | 'accepted' | 'duplicate' | 'conflict' | 'dead_lettered' | 'forgotten' | 'ticks' | 'gaps' | 'facts'
  | 'outcomes_attributed' | 'outcomes_crossover' | 'outcomes_unattributed';

type LedgerRow = Readonly<Record<LedgerCounts, string>> & {
  readonly log_epoch: number;
  readonly partition: number;
  readonly first_offset: string;
  readonly end_offset: string;
};

const toBooks = (row: LedgerRow): LedgerPartition => ({
  logEpoch: row.log_epoch,
  partition: row.partition,
  firstOffset: BigInt(row.first_offset),
  endOffset: BigInt(row.end_offset),
  appended: Number(row.appended),
  accepted: Number(row.accepted),
  duplicate: Number(row.duplicate),
  conflict: Number(row.conflict),
  deadLettered: Number(row.dead_lettered),
  forgotten: Number(row.forgotten),
  ticks: Number(row.ticks),
  gaps: Number(row.gaps),
  facts: Number(row.facts),
  outcomesAttributed: Number(row.outcomes_attributed),
  outcomesCrossover: Number(row.outcomes_crossover),
  outcomesUnattributed: Number(row.outcomes_unattributed),
});

/** A partition where nothing arrived below the committed offset. */
const emptyBooks = ({logEpoch, partition, offset}: CommittedOffset): LedgerPartition => ({
  logEpoch,
  partition,
  firstOffset: null,
  endOffset: offset,
  appended: 0,
  accepted: 0,
  duplicate: 0,
  conflict: 0,
  deadLettered: 0,
  forgotten: 0,
  ticks: 0,
  gaps: 0,
  facts: 0,
  outcomesAttributed: 0,
  outcomesCrossover: 0,
  outcomesUnattributed: 0,
});
