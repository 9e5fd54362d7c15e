import type {Clock} from '../../src/core/clock.ts';
import {epochMs} from '../../src/core/units.ts';
import {makeClickHouseWarehouse, type WarehouseConnections} from '../../src/warehouse/clickhouse/clickhouse-warehouse.ts';
import type {GuardAccess} from '../../src/warehouse/clickhouse/sql-guard-lists.ts';
import type {Warehouse} from '../../src/warehouse/warehouse.ts';

/** The machine's clock, for what waits on another process. */
export const systemClock: Clock = {
  now: () => epochMs(Date.now()),
  sleep: (ms, signal) =>
    new Promise(resolve => {
      const timer = setTimeout(resolve, ms);
      signal?.addEventListener('abort', () => {
        clearTimeout(timer);
        resolve();
      });
    }),
};

/** A warehouse for tests of storage alone: closing and analysis are left out. */
export function storageOf(connections: WarehouseConnections, {holder = null, access = 'tables'}: {holder?: string | null; access?: GuardAccess} = {}): Warehouse {
  const absent = {} as never;
  return makeClickHouseWarehouse({connections, clock: systemClock, holder, access}, {closing: absent, analysis: absent});
}
