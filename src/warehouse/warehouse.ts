import type {ExperimentVersion, ExperimentView} from '../core/experiment.ts';
import type {FactBatch, FactRows, OutcomeFact} from '../core/facts.ts';
import type {ClosedSlice, ProvisionalSlice} from '../core/slices.ts';
import type {Stream} from '../core/streams.ts';
import type {EpochMs} from '../core/units.ts';
import type {Verdict} from '../core/verdict.ts';
import type {AnalysisStore} from './analysis-port.ts';

export type {AnalysisScope, AnalysisStore, ArmSampling, ArmTotals, ExposureCounts, MixedSums, PairGroups, RelabelledArm, WeightedAsk, WeightedSums} from './analysis-port.ts';

/**
 * The port to where facts rest and questions are answered: named operations, no
 * SQL. Adapters: `clickhouse/` (over `@clickhouse/client`, with a `server/` or a
 * `chdb/` connection) and `memory/` (simulation). Every adapter passes
 * `test/contract/warehouse.contract.ts`.
 *
 * Every write is idempotent: the same rows again, in any grouping and order, from
 * any number of writers, leave the same answers (DESIGN "Where idempotence lives").
 * Every read of facts sees each accepted fact once: of several copies of one
 * identity (kind, stream, unit_id, event_id) the earliest (arrival_ts, position).
 *
 * Errors: `ASSAY_SINK_UNAVAILABLE` (retry: refused, timed out, too many parts, 5xx),
 * `ASSAY_SINK_REJECTED` (fatal: the engine says the rows or the query are wrong),
 * `ASSAY_WAREHOUSE_CORRUPT`, `ASSAY_MIGRATION_FAILED` (fatal).
 */
export interface Warehouse extends FactStore, PrivacyStore, ClosingStore, AnalysisStore, VerdictStore, OutboxStore, ReadStore, GuardStore, ExportStore {
  /** Applies the migrations that are missing, in order, under a lock. */
  migrate(): Promise<MigrationReport>;
  /** The engine's version, e.g. "26.7.2.1". */
  engineVersion(): Promise<string>;
  ping(): Promise<void>;
  close(): Promise<void>;
}

export type MigrationReport = {readonly applied: readonly string[]; readonly version: number};

// ── worker ────────────────────────────────────────────────────────────────────

export interface FactStore {
  /**
   * Resolves once every row is durable: facts and dead letters first, `arrivals`
   * last, so an arrival row never speaks of a fact that is not there.
   */
  insertFacts(batch: FactBatch): Promise<void>;
  /** Replaces the provisional slices of the same key and partition that have a lower position. */
  insertProvisional(stream: string, slices: FactRows<ProvisionalSlice>): Promise<void>;
  /** Largest arrival_ts below `belowOffset`; null when there is none. Seeds the running maximum. */
  arrivalHigh(query: PartitionBelow): Promise<EpochMs | null>;
  /** First `assigned` exposures of these units, for the worker's cache. Provisional use only. */
  firstExposures(stream: string, unitIds: readonly string[]): Promise<FirstExposure[]>;
  /** Outcomes of one partition below an offset with event_ts ≥ `from`, in offset order, from which a new owner rebuilds its open slices. */
  openOutcomes(query: PartitionBelow & {readonly from: EpochMs}): AsyncIterable<readonly OutcomeFact[]>;
  /** Whether any of these positions already has an arrivals row, i.e. the highest offset + 1 written for the partition; null when none. */
  writtenThrough(stream: string, logEpoch: number, partition: number): Promise<bigint | null>;
  /** What a worker may not write any more. */
  tombstones(stream: string): Promise<Tombstones>;
}

/** Facts of a unit that arrived up to its time are forgotten, and so are later copies of them, which `ids` knows by their hashes. */
export type Tombstones = {readonly units: ReadonlyMap<string, EpochMs>; readonly ids: ReadonlySet<bigint>};

export type PartitionBelow = {
  readonly stream: string;
  readonly logEpoch: number;
  readonly partition: number;
  readonly belowOffset: bigint;
};

export type FirstExposure = {
  readonly unitId: string;
  readonly experiment: string;
  readonly phase: number;
  readonly variant: string;
  readonly eventTs: EpochMs;
  /** UUID bytes as 32 hex digits: the tie-breaker after eventTs. */
  readonly eventId: string;
  readonly isCrossover: boolean;
};

// ── forgetting ────────────────────────────────────────────────────────────────

export interface PrivacyStore {
  /**
   * Writes a tombstone that covers what arrived of the unit so far, and what is needed to keep the
   * books without it. From here on no recompute counts it. null when nothing ever arrived in the stream.
   */
  writeTombstone(request: {readonly stream: string; readonly unitId: string; readonly reason: string}): Promise<Tombstone | null>;
  /** Erases the facts that the tombstone covers and the dead letters with the unit's key in the log. Repeating it is harmless. */
  eraseUnit(request: {readonly stream: string; readonly unitId: string; readonly logKey: string; readonly forgottenTs: EpochMs}): Promise<void>;
}

export type Tombstone = {readonly forgottenTs: EpochMs; /** Events it covers. */ readonly events: number};

// ── closing and audit ─────────────────────────────────────────────────────────

/** Everything below `offset` of the partition is durable (the group's committed offset). */
export type CommittedOffset = {readonly logEpoch: number; readonly partition: number; readonly offset: bigint};

export interface ClosingStore {
  /** The largest arrival_ts below each committed offset; null where nothing arrived. Its minimum bounds every cut. */
  progress(stream: string, committed: readonly CommittedOffset[]): Promise<(EpochMs | null)[]>;
  closingState(stream: string): Promise<ClosingState>;
  /**
   * Recomputes the slices in [fromSlice, throughSlice) from facts, each under its own cut
   * (its end + L), stores them and, last, the marker that closes them. The same
   * request writes the same bytes.
   */
  closeSlices(request: CloseRequest): Promise<ClosingResult>;
  /**
   * Finds closed slices that facts with arrival_ts in (sinceCut, cut] would change,
   * recomputes them under `cut`, stores those that differ from their latest revision
   * (a key that vanished becomes n = 0) and, last, the marker.
   */
  reviseSlices(request: ReviseRequest): Promise<ClosingResult>;
  /** The books per partition over [first arrival, committed offset). */
  ledger(stream: string, committed: readonly CommittedOffset[]): Promise<LedgerPartition[]>;
  /** Recomputes stored slices at their own cut and compares them with what is stored. */
  auditSlices(request: AuditRequest): Promise<AuditResult>;
  /** Reads the stored closed slices (latest revision), for tests and replays. */
  closedSlices(stream: string, experiment: string): Promise<ClosedSlice[]>;
  /** Writes versions to `experiment_versions`; the views read phases and designs there. */
  mirrorVersions(versions: readonly ExperimentVersion[]): Promise<void>;
  mirrorStream(stream: Stream): Promise<void>;
  streams(): Promise<Stream[]>;
}

export type ClosingState = {
  /** Slices that end at or before this are closed; null when none is. */
  readonly closedThrough: EpochMs | null;
  /** Cut of the latest revision, or null. */
  readonly revisedCut: EpochMs | null;
  /** Start of the earliest and end of the latest slice that holds an outcome; null without outcomes. */
  readonly firstSliceStart: EpochMs | null;
  readonly lastSliceEnd: EpochMs | null;
};

export type CloseRequest = {
  readonly stream: Stream;
  readonly fromSlice: EpochMs;
  readonly throughSlice: EpochMs;
  readonly views: readonly ExperimentView[];
  /** Evidence: what was committed when the cut was chosen. */
  readonly committed: readonly CommittedOffset[];
};

export type ReviseRequest = {
  readonly stream: Stream;
  readonly sinceCut: EpochMs;
  readonly cut: EpochMs;
  readonly closedThrough: EpochMs;
  readonly views: readonly ExperimentView[];
  readonly committed: readonly CommittedOffset[];
};

export type ClosingResult = {readonly slices: number; readonly rows: number};

export type LedgerPartition = {
  readonly logEpoch: number;
  readonly partition: number;
  readonly firstOffset: bigint | null;
  readonly endOffset: bigint;
  /** User records: everything but ticks. */
  readonly appended: number;
  readonly accepted: number;
  readonly duplicate: number;
  /** Duplicates whose payload differs from the accepted one. */
  readonly conflict: number;
  readonly deadLettered: number;
  readonly forgotten: number;
  readonly ticks: number;
  /** Offsets without an arrivals row: control records, or an alarm. */
  readonly gaps: number;
  /** Facts found in the fact tables for this partition; must equal `accepted`. */
  readonly facts: number;
  readonly outcomesAttributed: number;
  readonly outcomesCrossover: number;
  readonly outcomesUnattributed: number;
};

export type AuditRequest = {
  readonly stream: Stream;
  readonly views: readonly ExperimentView[];
  /** Newest closed slices to check; null checks all. */
  readonly slicesMax: number | null;
};

export type AuditResult = {
  readonly slicesChecked: number;
  readonly mismatches: readonly {readonly slice: string; readonly stored: string; readonly recomputed: string}[];
  /** Fact keys that appear more than once after deduplication; must be 0. */
  readonly duplicateKeys: number;
};

// ── verdicts, deliveries, alerts ──────────────────────────────────────────────

export interface VerdictStore {
  insertVerdicts(verdicts: readonly Verdict[]): Promise<void>;
  verdict(verdictId: string): Promise<Verdict | null>;
  /** Newest verdict of each metric × variant of the experiment (all experiments when null). */
  latestVerdicts(stream: string, experiment: string | null): Promise<Verdict[]>;
}

export type AlertRow = {
  readonly alert_id: string;
  readonly stream: string;
  readonly rule: string;
  readonly experiment: string;
  readonly variant: string;
  readonly state: 'pending' | 'firing' | 'resolved';
  readonly severity: string;
  readonly value: number | null;
  readonly threshold: number | null;
  readonly window_start: string | null;
  readonly window_end: string | null;
  readonly reason: string;
  readonly context: Readonly<Record<string, unknown>>;
  /** ISO 8601. */
  readonly changed_at: string;
};

/** One state of one message of the outbox; the newest row of an id counts. */
export type DeliveryRow = {
  /** Stable over retries and restarts: the webhook-id. */
  readonly delivery_id: string;
  readonly channel: string;
  readonly subject: string;
  readonly body: string;
  readonly content_type: string;
  readonly state: 'due' | 'delivered' | 'failed' | 'disabled';
  readonly attempt: number;
  /** ISO 8601. */
  readonly created_at: string;
  readonly next_attempt_at: string | null;
  readonly changed_at: string;
  readonly last_status: number | null;
  readonly last_error: string;
  readonly duration_ms: number | null;
};

/** A page of what came no later than `through`, so that what comes in between moves nothing; the rows before it are passed over. */
export type PageBelow = {readonly through?: EpochMs; readonly skip?: number};

export interface OutboxStore {
  insertDeliveries(rows: readonly DeliveryRow[]): Promise<void>;
  /** Newest state of every delivery in one of the states (all when empty), oldest first. */
  deliveries(filter: {readonly states: readonly DeliveryRow['state'][]; readonly limit: number}): Promise<DeliveryRow[]>;
  /** The same, newest first, for people who go through them page by page. */
  newestDeliveries(filter: {readonly states: readonly DeliveryRow['state'][]; readonly limit: number} & PageBelow): Promise<DeliveryRow[]>;
  delivery(deliveryId: string): Promise<DeliveryRow | null>;
  /** Every attempt of a delivery, oldest first. */
  deliveryHistory(deliveryId: string): Promise<DeliveryRow[]>;
  insertAlerts(rows: readonly AlertRow[]): Promise<void>;
  /** Newest state per (rule, experiment, variant). */
  latestAlerts(stream: string): Promise<AlertRow[]>;
}

// ── reading ───────────────────────────────────────────────────────────────────

export type WindowRow = {
  readonly stream: string;
  readonly experiment: string;
  readonly phase: number;
  readonly variant: string;
  readonly metric: string;
  readonly window_start: EpochMs;
  readonly window_end: EpochMs;
  /** Outcomes that were sent. */
  readonly n: number;
  /** How many they stand for: more than `n` where units were sampled. */
  readonly estimated_n: number;
  /** Of all the outcomes they stand for, as is the mean; spread, extremes and quantiles are of those that were sent. */
  readonly sum: number;
  readonly mean: number;
  readonly sd: number | null;
  readonly min: number;
  readonly max: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly status: 'provisional' | 'closed';
  readonly revision: number;
};

export type StoredDeadLetter = {
  readonly stream: string;
  readonly partition: number;
  readonly offset: string;
  readonly code: string;
  readonly message: string;
  readonly key: string | null;
  readonly value: Uint8Array;
  /** ISO 8601. */
  readonly arrival_ts: string;
};

export interface ReadStore {
  /**
   * One read-only statement of a user (SELECT, WITH, EXPLAIN, DESCRIBE, SHOW), parsed before it
   * runs, under limits. `ASSAY_QUERY_REFUSED` says what was refused and why. Integers beyond 2^53
   * come as text, others as numbers.
   */
  query(sql: string, options?: ReadQueryOptions): Promise<Record<string, unknown>[]>;
  /** Windows of one experiment with window_end in (from, to]. */
  windows(request: {
    readonly stream: string;
    readonly experiment: string;
    readonly sizeMs: number;
    readonly slideMs: number;
    readonly from: EpochMs;
    readonly to: EpochMs;
    /** The rows of one value of an attribute that the metric keeps slices by, in place of the totals. */
    readonly dimension?: {readonly name: string; readonly value: string};
  }): Promise<WindowRow[]>;
  /** Newest first. */
  deadLetters(filter: {readonly stream: string | null; readonly code: string | null; readonly limit: number} & PageBelow): Promise<StoredDeadLetter[]>;
}

/** Windows of one size and of one phase of an experiment, each by its end. */
export type GuardAsk = {
  readonly experiment: string;
  readonly phase: number;
  readonly sizeMs: number;
  readonly metrics: readonly string[];
  readonly ends: readonly EpochMs[];
};

/** A window with the standard errors of its mean and quantiles, each outcome taken by itself; NaN where there is none. */
export type GuardWindow = WindowRow & {readonly errors: {readonly mean: number; readonly p50: number; readonly p95: number; readonly p99: number}};

export interface GuardStore {
  /**
   * What guards look at: the totals of those windows as `windows` gives them, but for what
   * came late to a closed slice. Waits for no analysis, no closing and no other reader.
   */
  guardWindows(stream: string, asks: readonly GuardAsk[]): Promise<GuardWindow[]>;
  /** The same windows with what came late, for looking back; waits like any other reader. */
  guardHistory(stream: string, asks: readonly GuardAsk[]): Promise<GuardWindow[]>;
}

export type ReadQueryOptions = {
  /** What `v_x` without `_all` mean in this statement. */
  readonly stream?: string;
  readonly parameters?: Readonly<Record<string, string | number | readonly (string | number)[]>>;
  readonly rowsMax?: number;
  readonly secondsMax?: number;
};

// ── cold storage ──────────────────────────────────────────────────────────────

/** A file of this machine, or an object of a store that speaks S3. */
export type ExportTarget =
  | {readonly kind: 'file'; readonly path: string}
  | {readonly kind: 's3'; readonly url: string; readonly accessKey: string; readonly secretKey: string};

export type ExportRequest = {
  /** One read-only statement; the same rules as `query`. */
  readonly sql: string;
  readonly target: ExportTarget;
  readonly stream?: string;
};

export interface ExportStore {
  /**
   * Writes the rows of a statement as Parquet (zstd), replacing what was there. A file appears
   * whole or not at all.
   * @returns rows as the written file says; null when a server on another machine wrote it
   */
  exportRows(request: ExportRequest): Promise<{readonly rows: number | null}>;
}
