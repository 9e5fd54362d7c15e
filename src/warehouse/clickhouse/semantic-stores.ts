import {ClickHouseAnalysisStore} from './analysis-store.ts';
import {ClickHouseAuditStore} from './audit-store.ts';
import type {SemanticStores, WarehouseConnections} from './clickhouse-warehouse.ts';
import {ClickHouseClosingStore} from './closing-store.ts';
import {ClickHouseLedgerStore} from './ledger-store.ts';

/** The stores that say what is counted. Analysis has a connection of its own, so that it never waits for a closing. */
export function makeSemanticStores({closing, stats}: Pick<WarehouseConnections, 'closing' | 'stats'>): SemanticStores {
  const slices = new ClickHouseClosingStore(closing);
  const books = new ClickHouseLedgerStore(closing);
  const audit = new ClickHouseAuditStore(closing);
  return {
    closing: {
      progress: (stream, committed) => slices.progress(stream, committed),
      closingState: stream => slices.closingState(stream),
      closeSlices: request => slices.closeSlices(request),
      reviseSlices: request => slices.reviseSlices(request),
      closedSlices: (stream, experiment) => slices.closedSlices(stream, experiment),
      ledger: (stream, committed) => books.ledger(stream, committed),
      auditSlices: request => audit.auditSlices(request),
    },
    analysis: new ClickHouseAnalysisStore(stats),
  };
}
