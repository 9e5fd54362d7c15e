import type {Clock} from '../../core/clock.ts';
import type {ExperimentView} from '../../core/experiment.ts';
import type {ExposureFact, FactBatch, OutcomeFact} from '../../core/facts.ts';
import type {EpochMs} from '../../core/units.ts';
import type {EventLog} from '../../log/event-log.ts';
import type {Warehouse} from '../../warehouse/warehouse.ts';
import type {RecordHasher} from '../../worker/record-hasher.ts';

/** A log to which everything that happens to Kafka can be made to happen. */
export type SimLog = EventLog & {
  rebalance(topic: string, group: string): void;
  fence(topic: string, group: string): void;
  setCommitted(at: {topic: string; group: string; partition: number; offset: bigint}): Promise<void>;
  appendUnreadable(at: {topic: string; partition: number; records: number; timestamp: EpochMs; reason: string}): void;
};

type Place = {readonly phase: number; readonly variant: string; readonly phaseEnd: EpochMs | null};
export type PlaceOutcome = (
  view: ExperimentView,
  outcome: OutcomeFact,
  exposures: readonly ExposureFact[],
) => Place | 'crossover' | 'unattributed';

export type SimWarehouseOptions = {
  readonly onInsert?: (batch: FactBatch) => Promise<{readonly stored: number; readonly isFailed: boolean}>;
  readonly identityOf?: (fact: ExposureFact | OutcomeFact) => string;
  readonly placeOutcome?: PlaceOutcome;
};

/** The adapters, handed in: only roles and tests may name them. */
export type SimPorts = {
  readonly makeLog: (clock: Clock) => SimLog;
  readonly makeWarehouse: (options: SimWarehouseOptions) => Warehouse;
  /** The warehouse's own rule of attribution, which planted bugs start from. */
  readonly placeOutcome: PlaceOutcome;
  readonly hasher: RecordHasher;
};
