import type {Clock} from '../../core/clock.ts';
import type {AnalysisStore, ClosingStore, Warehouse} from '../warehouse.ts';
import type {SqlConnection} from './connection.ts';
import {ClickHouseExportStore} from './export-store.ts';
import {ClickHouseFactStore} from './fact-store.ts';
import {ClickHouseGuardStore} from './guard-store.ts';
import {loadMigrations, migrate} from './migrations.ts';
import {ClickHouseOutboxStore} from './outbox-store.ts';
import {ClickHousePrivacyStore} from './privacy-store.ts';
import {ClickHouseReadStore, type OpenReader} from './read-store.ts';
import {ClickHouseRegistryStore} from './registry-store.ts';
import type {GuardAccess} from './sql-guard-lists.ts';
import {ClickHouseVerdictStore} from './verdict-store.ts';

/** A connection runs one query at a time, so each kind of work has its own. */
export type WarehouseConnections = {
  /** Inserts of facts and provisional slices. */
  readonly writer: SqlConnection;
  /** The worker's lookups: they must not wait for an insert, nor for a closing. */
  readonly lookup: SqlConnection;
  /** Closing, revisions, ledger, audit. */
  readonly closing: SqlConnection;
  /** Analysis, verdicts, outbox, windows. */
  readonly stats: SqlConnection;
  /** Guards, which act within seconds: they wait for nobody. */
  readonly guard: SqlConnection;
  /** A connection for one statement of a user: these settings, then read-only for its life. */
  readonly openReader: OpenReader;
  /** A connection for one export: it writes a file or an object, so it is not read-only. */
  readonly openExporter: OpenReader;
  /** Closes the five above and what they rest on. */
  close(): Promise<void>;
};

export type ClickHouseWarehouseOptions = {
  readonly connections: WarehouseConnections;
  readonly clock: Clock;
  /** Names this process in the migration lock; null when no other process can migrate (embedded). */
  readonly holder: string | null;
  /** What `query` may read: `tables` on the owner's own command line, otherwise `views`. */
  readonly access: GuardAccess;
};

/** The parts whose SQL means something; see closing-store.ts and analysis-store.ts. */
export type SemanticStores = {
  readonly closing: Omit<ClosingStore, 'mirrorVersions' | 'mirrorStream' | 'streams'>;
  readonly analysis: AnalysisStore;
};

/** Composes the stores into the port. */
export function makeClickHouseWarehouse(options: ClickHouseWarehouseOptions, {closing, analysis}: SemanticStores): Warehouse {
  const {connections, clock, holder, access} = options;
  const {writer, lookup, stats, openReader} = connections;
  const facts = new ClickHouseFactStore({writer, reader: lookup});
  const registry = new ClickHouseRegistryStore(connections.closing);
  const verdicts = new ClickHouseVerdictStore(stats);
  const outbox = new ClickHouseOutboxStore(stats);
  const privacy = new ClickHousePrivacyStore(connections.closing);
  const reads = new ClickHouseReadStore({connection: stats, openReader, access});
  const guards = new ClickHouseGuardStore({connection: connections.guard, reader: stats});
  const exports = new ClickHouseExportStore({openExporter: connections.openExporter, access});
  return {
    insertFacts: batch => facts.insertFacts(batch),
    insertProvisional: (stream, slices) => facts.insertProvisional(stream, slices),
    arrivalHigh: query => facts.arrivalHigh(query),
    firstExposures: (stream, unitIds) => facts.firstExposures(stream, unitIds),
    openOutcomes: query => facts.openOutcomes(query),
    writtenThrough: (stream, logEpoch, partition) => facts.writtenThrough(stream, logEpoch, partition),
    tombstones: stream => facts.tombstones(stream),
    writeTombstone: request => privacy.writeTombstone(request),
    eraseUnit: request => privacy.eraseUnit(request),

    progress: (stream, committed) => closing.progress(stream, committed),
    closingState: stream => closing.closingState(stream),
    closeSlices: request => closing.closeSlices(request),
    reviseSlices: request => closing.reviseSlices(request),
    ledger: (stream, committed) => closing.ledger(stream, committed),
    auditSlices: request => closing.auditSlices(request),
    closedSlices: (stream, experiment) => closing.closedSlices(stream, experiment),
    mirrorVersions: versions => registry.mirrorVersions(versions),
    mirrorStream: stream => registry.mirrorStream(stream),
    streams: () => registry.streams(),

    newestPhase: scope => analysis.newestPhase(scope),
    exposureCounts: scope => analysis.exposureCounts(scope),
    armTotals: (scope, metric) => analysis.armTotals(scope, metric),
    prepare: (scope, options) => analysis.prepare(scope, options),
    release: scope => analysis.release(scope),
    valueGroups: (scope, metric, of) => analysis.valueGroups(scope, metric, of),
    weightedSums: (scope, metric, of) => analysis.weightedSums(scope, metric, of),
    pairGroups: (scope, metric, of) => analysis.pairGroups(scope, metric, of),
    relabelledArms: (scope, of) => analysis.relabelledArms(scope, of),
    offsetsUnder: (stream, cut) => analysis.offsetsUnder(stream, cut),
    measuresSeen: (stream, experiment) => analysis.measuresSeen(stream, experiment),
    explainSql: (...asked) => analysis.explainSql(...asked),

    insertVerdicts: rows => verdicts.insertVerdicts(rows),
    verdict: verdictId => verdicts.verdict(verdictId),
    latestVerdicts: (stream, experiment) => verdicts.latestVerdicts(stream, experiment),
    insertDeliveries: rows => outbox.insertDeliveries(rows),
    deliveries: filter => outbox.deliveries(filter),
    newestDeliveries: filter => outbox.newestDeliveries(filter),
    delivery: deliveryId => outbox.delivery(deliveryId),
    deliveryHistory: deliveryId => outbox.deliveryHistory(deliveryId),
    insertAlerts: rows => outbox.insertAlerts(rows),
    latestAlerts: stream => outbox.latestAlerts(stream),

    query: (sql, queryOptions) => reads.query(sql, queryOptions),
    windows: request => reads.windows(request),
    deadLetters: filter => reads.deadLetters(filter),
    guardWindows: (stream, asks) => guards.guardWindows(stream, asks),
    guardHistory: (stream, asks) => guards.guardHistory(stream, asks),
    exportRows: request => exports.exportRows(request),

    migrate: () => migrate(connections.closing, {migrations: loadMigrations(), clock, holder}),
    engineVersion: async () => (await lookup.select<{version: string}>('SELECT version() AS version'))[0]?.version ?? '',
    ping: async () => void (await lookup.select('SELECT 1 AS one')),
    close: () => connections.close(),
  };
}
