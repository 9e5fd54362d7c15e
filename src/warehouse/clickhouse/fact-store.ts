import type {OutcomeStatus} from '../../core/events.ts';
import type {ArrivalRows, EncodedFactRows, ExposureFact, FactBatch, FactRows, OutcomeFact} from '../../core/facts.ts';
import type {ProvisionalSlice} from '../../core/slices.ts';
import {type EpochMs, epochMs} from '../../core/units.ts';
import {WAREHOUSE_LIMITS} from '../limits.ts';
import type {FactStore, FirstExposure, PartitionBelow, Tombstones} from '../warehouse.ts';
import type {SqlConnection} from './connection.ts';
import {DEAD_LETTER_ROWS, PROVISIONAL_ROWS} from './fact-rows.ts';
import {ArrivalTableColumns, ExposureColumns, OutcomeColumns, type TableColumns} from './native-facts.ts';
import {loadQuery} from './query-file.ts';
import {insertRows} from './row-insert.ts';

/** Copies of one identity always share a partition, so FINAL need not look across. */
const FINAL_WITHIN_PARTITIONS = {do_not_merge_across_partitions_select_final: 1};

/** What a worker writes and reads. Inserts and lookups have a connection each, so that neither waits for the other. */
export class ClickHouseFactStore implements FactStore {
  readonly #writer: SqlConnection;
  readonly #reader: SqlConnection;
  /** Columns that no insert uses: their memory is used again. */
  #spare: Columns | undefined;

  constructor({writer, reader}: {readonly writer: SqlConnection; readonly reader: SqlConnection}) {
    this.#writer = writer;
    this.#reader = reader;
  }

  async insertFacts(batch: FactBatch): Promise<void> {
    const {stream} = batch;
    const columns = this.#spare ?? {exposures: new ExposureColumns(), outcomes: new OutcomeColumns(), arrivals: new ArrivalTableColumns()};
    this.#spare = undefined;
    // All are begun before the first is waited for: the engine need not stand still while the next block is made.
    await settled([
      this.#insertExposures(batch.exposures, columns.exposures, stream),
      this.#insertOutcomes(batch.outcomes, columns.outcomes, stream),
      insertRows(this.#writer, DEAD_LETTER_ROWS, {rows: batch.deadLetters, stream}),
    ]);
    // Last: an arrival says that its fact is there.
    await this.#insertArrivals(batch.arrivals, columns.arrivals, stream);
    // Left to the collector when anything failed half-way.
    this.#spare = columns;
  }

  async #insertExposures(rows: EncodedFactRows<ExposureFact>, columns: ExposureColumns, stream: string): Promise<void> {
    if (rows.visit === undefined) return this.#insertEach(rows, {columns, push: row => columns.pushFact(row), stream});
    rows.visit(columns);
    return this.#insertBlock(columns, stream);
  }

  async #insertOutcomes(rows: EncodedFactRows<OutcomeFact>, columns: OutcomeColumns, stream: string): Promise<void> {
    if (rows.visit === undefined) return this.#insertEach(rows, {columns, push: row => columns.pushFact(row), stream});
    rows.visit(columns);
    return this.#insertBlock(columns, stream);
  }

  async #insertArrivals(rows: ArrivalRows, columns: ArrivalTableColumns, stream: string): Promise<void> {
    if (rows.columns === undefined) return this.#insertEach(rows, {columns, push: row => columns.pushRow(row), stream});
    for (const part of rows.columns()) columns.pushColumns(part);
    return this.#insertBlock(columns, stream);
  }

  /** Rows that are objects, which may be many: in several blocks. */
  async #insertEach<Row>(
    rows: Iterable<Row>,
    {columns, push, stream}: {readonly columns: TableColumns; readonly push: (row: Row) => void; readonly stream: string},
  ): Promise<void> {
    for (const row of rows) {
      if (columns.rows === WAREHOUSE_LIMITS.insertRows) await this.#insertBlock(columns, stream);
      push(row);
    }
    await this.#insertBlock(columns, stream);
  }

  async #insertBlock(columns: TableColumns, stream: string): Promise<void> {
    if (columns.rows === 0) return;
    const block = columns.block(stream);
    await this.#writer.insertNative(columns.table, columns.names, block, columns.rows);
    columns.clear();
  }

  insertProvisional(stream: string, slices: FactRows<ProvisionalSlice>): Promise<void> {
    return insertRows(this.#writer, PROVISIONAL_ROWS, {rows: slices, stream});
  }

  async arrivalHigh({stream, logEpoch, partition, belowOffset}: PartitionBelow): Promise<EpochMs | null> {
    const rows = await this.#reader.select<{arrival_ms: string}>(loadQuery('arrival-high'), {
      stream,
      log_epoch: logEpoch,
      partition,
      below: belowOffset,
    });
    return rows[0] === undefined ? null : epochMs(Number(rows[0].arrival_ms));
  }

  async firstExposures(stream: string, unitIds: readonly string[]): Promise<FirstExposure[]> {
    const found: FirstExposure[] = [];
    for (let from = 0; from < unitIds.length; from += WAREHOUSE_LIMITS.lookupUnits) {
      const units = unitIds.slice(from, from + WAREHOUSE_LIMITS.lookupUnits);
      const rows = await this.#reader.select<FirstExposureRow>(loadQuery('first-exposures'), {stream, units}, FINAL_WITHIN_PARTITIONS);
      for (const row of rows) found.push(toFirstExposure(row));
    }
    return found;
  }

  async *openOutcomes(query: PartitionBelow & {readonly from: EpochMs}): AsyncGenerator<readonly OutcomeFact[]> {
    const {stream, logEpoch, partition, belowOffset, from} = query;
    const rowsMax = WAREHOUSE_LIMITS.openOutcomesRows;
    let nextOffset = 0n;
    for (;;) {
      const rows = await this.#reader.select<OutcomeRow>(
        loadQuery('open-outcomes'),
        {stream, log_epoch: logEpoch, partition, from_offset: nextOffset, below: belowOffset, from_ms: from, rows_max: rowsMax},
        FINAL_WITHIN_PARTITIONS,
      );
      const last = rows.at(-1);
      if (last === undefined) return;
      yield rows.map(row => toOutcomeFact(row, {logEpoch, partition}));
      if (rows.length < rowsMax) return;
      nextOffset = BigInt(last.offset) + 1n;
    }
  }

  async writtenThrough(stream: string, logEpoch: number, partition: number): Promise<bigint | null> {
    const rows = await this.#reader.select<{offset: string}>(loadQuery('written-through'), {stream, log_epoch: logEpoch, partition});
    return rows[0] === undefined ? null : BigInt(rows[0].offset) + 1n;
  }

  async tombstones(stream: string): Promise<Tombstones> {
    const units = await this.#reader.select<{unit_id: string; forgotten_ms: string}>(loadQuery('tombstones-of-stream'), {stream});
    if (units.length === 0) return {units: new Map(), ids: new Set()};
    const ids = await this.#reader.select<{id_hash: string}>(loadQuery('forgotten-ids'), {stream, ids_max: WAREHOUSE_LIMITS.forgottenIds});
    return {
      units: new Map(units.map(({unit_id, forgotten_ms}) => [unit_id, epochMs(Number(forgotten_ms))])),
      ids: new Set(ids.map(({id_hash}) => BigInt(id_hash))),
    };
  }
}

/** Resolves when all have, rejects when none goes on any more: memory they write from is theirs until then. */
async function settled(inserts: readonly Promise<void>[]): Promise<void> {
  const failed = (await Promise.allSettled(inserts)).find(({status}) => status === 'rejected');
  if (failed?.status === 'rejected') throw failed.reason;
}

type Columns = {readonly exposures: ExposureColumns; readonly outcomes: OutcomeColumns; readonly arrivals: ArrivalTableColumns};

type FirstExposureRow = {
  readonly unit_id: string;
  readonly experiment: string;
  readonly phase: number;
  readonly first_variant: string;
  readonly event_ms: string;
  readonly first_id: string;
  readonly is_crossover: number;
};

const toFirstExposure = (row: FirstExposureRow): FirstExposure => ({
  unitId: row.unit_id,
  experiment: row.experiment,
  phase: row.phase,
  variant: row.first_variant,
  eventTs: epochMs(Number(row.event_ms)),
  eventId: row.first_id,
  isCrossover: Boolean(row.is_crossover),
});

type OutcomeRow = {
  readonly event_id: string;
  readonly unit_id: string;
  readonly event_ms: string;
  readonly item_id: string | null;
  readonly variant_hint: Readonly<Record<string, string>>;
  readonly measures: Readonly<Record<string, number>>;
  readonly status: OutcomeStatus;
  readonly sample_rate: number;
  readonly trace_id: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly append_ms: string;
  readonly arrival_ms: string;
  readonly offset: string;
};

function toOutcomeFact(row: OutcomeRow, {logEpoch, partition}: {readonly logEpoch: number; readonly partition: number}): OutcomeFact {
  return {
    kind: 'outcome',
    eventId: new Uint8Array(Buffer.from(row.event_id, 'hex')),
    unitId: row.unit_id,
    eventTs: epochMs(Number(row.event_ms)),
    itemId: row.item_id,
    variantHint: row.variant_hint,
    measures: row.measures,
    status: row.status,
    sampleRate: row.sample_rate,
    traceId: row.trace_id,
    attributes: row.attributes,
    arrival: {
      logEpoch,
      partition,
      offset: BigInt(row.offset),
      appendTs: epochMs(Number(row.append_ms)),
      arrivalTs: epochMs(Number(row.arrival_ms)),
    },
  };
}
