import type {ClosingConfig} from '../closing/closing-config.ts';
import type {Config} from '../config/load.ts';
import type {Clock} from '../core/clock.ts';
import type {Rng} from '../core/rng.ts';
import {CONTROL_TOPIC, DEAD_LETTERS_TOPIC} from '../core/streams.ts';
import type {Logger} from '../core/telemetry.ts';
import type {Tracing} from '../core/tracing.ts';
import type {Verdict} from '../core/verdict.ts';
import {ExperimentRegistry} from '../experiment/registry.ts';
import {watchAppends} from '../log/append-watch.ts';
import type {EventLog} from '../log/event-log.ts';
import {openLogger} from '../observe/logger.ts';
import {openMetrics, type ShownMetrics} from '../observe/metrics.ts';
import type {SqlExecutor} from '../warehouse/sql-executor.ts';
import type {Warehouse} from '../warehouse/warehouse.ts';
import {registryClosingConfig} from './closing-config.ts';
import {type TopicCodec, topicCodecs} from './codecs.ts';
import {FactTraces} from './fact-traces.ts';
import {SYSTEM_CLOCK, SYSTEM_RNG} from './system.ts';
import {openTracing} from './wire-tracing.ts';
import {VERSION} from './version.ts';
import {openLog} from './wire-log.ts';
import {openWarehouse} from './wire-warehouse.ts';

/** Everything a role or a command works with, opened by one configuration. */
export type Platform = {
  readonly config: Config;
  readonly clock: Clock;
  readonly rng: Rng;
  readonly logger: Logger;
  readonly metrics: ShownMetrics;
  readonly log: EventLog;
  /** Why the log took nothing lately; null while it does. For readiness. */
  readonly appendRefusal: () => string | null;
  readonly warehouse: Warehouse;
  /** Runs statements of the SQL endpoint; null when analysts ask the ClickHouse server itself. */
  readonly executor: SqlExecutor | null;
  readonly registry: ExperimentRegistry;
  readonly closing: ClosingConfig;
  /** How the events of a topic are written and read. */
  readonly codecOf: (topic: string) => Promise<TopicCodec>;
  /** Part of every verdict's evidence. */
  readonly versions: Verdict['versions'];
  /** Where spans go; absent when tracing is off. */
  readonly tracing?: Tracing;
  readonly factTraces?: FactTraces;
  close(): Promise<void>;
};

/** Opens log and warehouse by the configuration, brings both up to date, and reads the experiments topic to its end. */
export async function openPlatform(config: Config, {role}: {readonly role: string}): Promise<Platform> {
  const logger = openLogger(config.text('observe.log_level'), {role});
  const metrics = openMetrics();
  metrics.gauge('assay_build_info', 1, {version: VERSION, role});
  const ports = {clock: SYSTEM_CLOCK, rng: SYSTEM_RNG, logger, metrics};
  const opened: {close(): Promise<void>}[] = [];
  const closeAll = async (): Promise<void> => {
    for (const port of opened.reverse()) await port.close();
    opened.length = 0;
  };
  try {
    const tracing = openTracing(config, {role, logger});
    if (tracing !== null) opened.push(tracing);
    const {log, refusal: appendRefusal} = watchAppends(await openLog(config, ports), SYSTEM_CLOCK);
    opened.push(log);
    await createControlTopics(log);
    const {warehouse, executor} = await openWarehouse(config, ports);
    opened.push(warehouse);
    await warehouse.migrate();
    const registry = await ExperimentRegistry.open({log, clock: SYSTEM_CLOCK, logger});
    opened.push(registry);
    const versions = {assay: VERSION, node: process.version, engine: await warehouse.engineVersion()};
    const traced = tracing === null ? {} : {tracing, factTraces: new FactTraces({...ports, warehouse}, tracing)};
    return {config, ...ports, log, appendRefusal, warehouse, executor, registry, closing: registryClosingConfig(registry), codecOf: topicCodecs(config), versions, ...traced, close: closeAll};
  } catch (error) {
    await closeAll();
    throw error;
  }
}

/** Topics every mode needs besides the streams' own; the registry makes the experiments topic. */
async function createControlTopics(log: EventLog): Promise<void> {
  await log.createTopic({topic: DEAD_LETTERS_TOPIC, partitions: 1, clock: 'log', retentionMs: null});
  await log.createTopic({topic: CONTROL_TOPIC, partitions: 1, clock: 'log', retentionMs: null});
}
