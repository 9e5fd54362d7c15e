import type {WarehouseConnections} from '../clickhouse/clickhouse-warehouse.ts';
import {OWN_STATEMENTS} from '../clickhouse/own-statements.ts';
import {type ChdbEngine, type ChdbEngineOptions, openChdbEngine} from './chdb-engine.ts';

/** The embedded warehouse's connections; closing them closes the engine. */
export async function openChdbConnections(options: ChdbEngineOptions): Promise<WarehouseConnections> {
  const engine = await openChdbEngine(options);
  return connectionsOf(engine, () => engine.close());
}

/** @param close what closing the warehouse closes, for those who share the engine with an HTTP front */
export async function connectionsOf(engine: ChdbEngine, close: () => Promise<void>): Promise<WarehouseConnections> {
  return {
    writer: await engine.openConnection(OWN_STATEMENTS),
    lookup: await engine.openConnection(OWN_STATEMENTS),
    closing: await engine.openConnection(OWN_STATEMENTS),
    stats: await engine.openConnection(OWN_STATEMENTS),
    guard: await engine.openConnection(OWN_STATEMENTS),
    openReader: settings => engine.openConnection({...settings, readonly: 1}),
    openExporter: settings => engine.openConnection(settings),
    close,
  };
}
