import type {Clock} from '../core/clock.ts';
import type {ExperimentView} from '../core/experiment.ts';
import type {Rng} from '../core/rng.ts';
import type {Stream} from '../core/streams.ts';
import type {Logger, Metrics} from '../core/telemetry.ts';
import type {EventLog} from '../log/event-log.ts';
import type {FactStore} from '../warehouse/warehouse.ts';
import type {EventCodec} from './event-codec.ts';
import type {RecordHasher} from './record-hasher.ts';

export type WorkerOptions = {
  readonly stream: Stream;
  readonly log: EventLog;
  readonly warehouse: FactStore;
  readonly codec: EventCodec;
  readonly hasher: RecordHasher;
  /** The newest views of the stream's experiments, asked for at each flush: a new version needs no restart. */
  readonly views: (stream: string) => readonly ExperimentView[];
  readonly clock: Clock;
  readonly rng: Rng;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Names this process in its ticks. */
  readonly owner: string;
  /** Asks for a graceful stop: final flush, commit, leave the group. */
  readonly signal: AbortSignal;
  /** Called after each commit that moved an offset. */
  readonly onProgress?: () => void;
};

/** How a worker ended. It never rejects. */
export type WorkerEnd =
  | {readonly reason: 'stopped'}
  /** The consumer is fenced, crashed or stalled: build a new one. */
  | {readonly reason: 'rebuild'; readonly error: unknown}
  | {readonly reason: 'fatal'; readonly error: unknown};
