import type {Clock} from '../core/clock.ts';
import type {Stream} from '../core/streams.ts';
import type {Logger} from '../core/telemetry.ts';
import type {EpochMs} from '../core/units.ts';
import type {ExperimentRegistry} from '../experiment/registry.ts';
import type {Episode} from '../guard/backtest.ts';
import type {ComparisonTable} from '../guard/comparison-table.ts';
import type {EventDoor} from '../ingest/accept-events.ts';
import type {SpendAsk, SpendSums} from '../quality/spend-board.ts';
import type {DeliveryRow, OutboxStore, ReadStore, VerdictStore} from '../warehouse/warehouse.ts';
import type {AuditLog} from './access/audit-log.ts';
import type {LiveFeed} from './live-feed.ts';
import type {PipelineState} from './pipeline-state.ts';

/** What the handlers answer from. */
export type Backend = {
  readonly door: Pick<EventDoor, 'accept'>;
  readonly registry: ExperimentRegistry;
  readonly warehouse: ReadStore & VerdictStore & Pick<OutboxStore, 'newestDeliveries' | 'deliveryHistory' | 'latestAlerts'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly audit: AuditLog;
  readonly live: LiveFeed;
  /** What keeps the process from being ready; empty when it is. */
  readonly unready: () => Promise<readonly string[]>;
  readonly metrics: {readonly render: () => Promise<string>; readonly contentType: string};
  /** The stream that requests without `stream` mean, of an experiment if they name one. @throws AssayError naming the streams */
  readonly stream: (named?: string, experiment?: string) => Promise<Stream>;
  /** From when a change of an experiment holds, where the stream's own clock does not say. */
  readonly validFrom: (stream: string) => Promise<{readonly validFrom?: EpochMs}>;
  readonly pipeline: (stream: Stream) => Promise<PipelineState>;
  /** One more attempt of a delivery. @throws AssayError ASSAY_NOT_FOUND */
  readonly redeliver: (deliveryId: string) => Promise<DeliveryRow>;
  /** When a guard would have fired over the stored slices of the last days. @throws AssayError ASSAY_NOT_FOUND */
  readonly backtest: (request: {readonly stream: Stream; readonly rule: string; readonly days: number}) => Promise<{readonly rule: string; readonly from: string; readonly to: string; readonly episodes: readonly Episode[]}>;
  /** The variants side by side in one window of the present phase. @throws AssayError ASSAY_NOT_FOUND */
  readonly compare: (request: {readonly stream: Stream; readonly experiment: string; readonly windowMs: number; readonly to: EpochMs}) => Promise<ComparisonTable>;
  /** What all processes have spent of budgets, as far as outcomes have arrived. */
  readonly spend: (asks: readonly SpendAsk[]) => Promise<SpendSums>;
  /** Address of this server in links of reports; '' when it has none. */
  readonly publicUrl: string;
  /** Signs addresses of charts; without it none can be fetched without a key. */
  readonly chartSecret?: string;
};
