import {existsSync} from 'node:fs';
import type {Config} from '../config/load.ts';
import {messageOf} from '../core/errors.ts';
import {NO_METRICS, SILENT_LOGGER} from '../core/telemetry.ts';
import {inspectCluster} from '../log/kafka/inspect-cluster.ts';
import {chdbMissing} from '../warehouse/chdb/chdb-engine.ts';
import {inspectEngine} from '../warehouse/clickhouse/inspect-engine.ts';
import {ServerSqlConnection} from '../warehouse/server/server-connection.ts';
import {readOwner} from './data-owner.ts';
import {fail, type Finding, isLoopback, ok, warn} from './doctor/finding.ts';
import {judgeEngine} from './doctor/judge-engine.ts';
import {judgeKafka} from './doctor/judge-kafka.ts';
import {judgeConfig, judgeDataDirectory, judgeMemory, judgeNode} from './doctor/judge-machine.ts';
import {SYSTEM_CLOCK, SYSTEM_RNG} from './system.ts';
import {VERSION} from './version.ts';
import {kafkaOptions} from './wire-log.ts';
import {serverOptions} from './wire-warehouse.ts';

export type {Finding} from './doctor/finding.ts';

const PROBE_MS = 2_000;
const ENGINE_MS = 10_000;

/** Looks at everything this configuration needs and changes nothing: no topic, table or directory is made. */
export async function examine(config: Config, askOwner: (sql: string) => Promise<string>): Promise<readonly Finding[]> {
  const isEmbedded = config.text('log.kind') === 'embedded' || config.text('warehouse.kind') === 'embedded';
  const parts = await Promise.all([
    [ok('assay', VERSION), judgeNode(process.version), judgeMemory(config), ...judgeConfig(config)],
    isEmbedded ? examineDirectory(config, askOwner) : [],
    config.text('log.kind') === 'kafka' ? examineKafka(config) : [],
    config.text('warehouse.kind') === 'server' ? examineServer(config) : examineEmbeddedEngine(),
    examineHttp(config),
  ]);
  return parts.flat();
}

async function examineDirectory(config: Config, askOwner: (sql: string) => Promise<string>): Promise<readonly Finding[]> {
  const directory = config.text('data');
  const found = judgeDataDirectory(directory);
  if (found.some(({status}) => status === 'fail') || !existsSync(directory)) return found;
  const owner = readOwner(directory);
  if (owner === undefined) return [...found, ok('owner', 'no process has the data directory open')];
  const who = `process ${owner.pid} (assay ${owner.role})`;
  try {
    return [...found, ok('owner', `${who} answers, engine ${await askOwner('SELECT version() AS version')}`)];
  } catch (error) {
    return [...found, fail('owner', `${who} does not answer (${messageOf(error)})`, 'see its log; stop it and start it again')];
  }
}

async function examineKafka(config: Config): Promise<readonly Finding[]> {
  try {
    const options = kafkaOptions(config, {clock: SYSTEM_CLOCK, rng: SYSTEM_RNG, logger: SILENT_LOGGER, metrics: NO_METRICS});
    return judgeKafka(await inspectCluster(options, 'assay.'), config);
  } catch (error) {
    return [fail('kafka', messageOf(error), 'check kafka.brokers, kafka.tls and kafka.sasl, and that the brokers run')];
  }
}

async function examineServer(config: Config): Promise<readonly Finding[]> {
  let connection: ServerSqlConnection | undefined;
  try {
    connection = new ServerSqlConnection({...serverOptions(config), requestTimeoutMs: ENGINE_MS});
    await connection.select('SELECT 1 AS one');
    const askedMs = SYSTEM_CLOCK.now();
    const facts = await inspectEngine(connection);
    return judgeEngine(facts, {config, askedMs, answeredMs: SYSTEM_CLOCK.now()});
  } catch (error) {
    return [fail('clickhouse', messageOf(error), 'check clickhouse.url, user, password and database, and that the server runs')];
  } finally {
    await connection?.close();
  }
}

async function examineEmbeddedEngine(): Promise<readonly Finding[]> {
  const reason = await chdbMissing();
  return [reason === null ? ok('engine', 'the embedded engine can be loaded') : fail('engine', reason, 'use Linux with glibc or macOS, or a ClickHouse server (--warehouse server)')];
}

/** Of a server that runs here; that none runs is no fault. */
async function examineHttp(config: Config): Promise<readonly Finding[]> {
  const host = config.text('server.host');
  const url = `http://${isLoopback(host) || host === '0.0.0.0' ? '127.0.0.1' : host}:${config.number('server.port')}/readyz`;
  try {
    const response = await fetch(url, {signal: AbortSignal.timeout(PROBE_MS)});
    if (response.status !== 200 && response.status !== 503) return [];
    const {reasons = []} = (await response.json()) as {reasons?: readonly string[]};
    return [response.ok ? ok('server', `${url} is ready`) : warn('server', `not ready: ${reasons.join('; ')}`, 'see what it waits for above; it becomes ready by itself')];
  } catch {
    return [];
  }
}
