import type {ClosingConfig} from '../../closing/closing-config.ts';
import type {Clock} from '../../core/clock.ts';
import type {Logger, Metrics} from '../../core/telemetry.ts';
import type {ExperimentRegistry} from '../../experiment/registry.ts';
import type {EventLog} from '../../log/event-log.ts';
import type {Warehouse} from '../../warehouse/warehouse.ts';

/** What the harness itself works with: a connection of its own to the log and the warehouse under test. */
export type Ground = {
  readonly log: EventLog;
  readonly warehouse: Warehouse;
  readonly registry: ExperimentRegistry;
  readonly closing: ClosingConfig;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  close(): Promise<void>;
};

/** What operators and accidents do to a cluster. */
export type Surgery = {
  deleteBelow(topic: string, at: {readonly partition: number; readonly offset: bigint}): Promise<void>;
  deleteTopic(topic: string): Promise<void>;
  addPartitions(topic: string, partitions: number): Promise<void>;
  /** One record that travels small and unpacks to `bytes`. */
  appendBomb(topic: string, at: {readonly partition: number; readonly bytes: number; readonly timestamp: number; readonly headers: Readonly<Record<string, string>>}): Promise<void>;
};

/** Handed in by the composition root, which alone knows adapters and the configuration. */
export type RealPorts = {
  readonly clock: Clock;
  /** Opens log and warehouse as the config file says. */
  openGround(configFile: string): Promise<Ground>;
  openSurgery(configFile: string): Surgery;
};
