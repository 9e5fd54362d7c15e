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

/** Handed in by the composition root, which alone knows adapters and the configuration. */
export type RealPorts = {
  readonly clock: Clock;
  /** Opens log and warehouse as the config file says. */
  openGround(configFile: string): Promise<Ground>;
};
