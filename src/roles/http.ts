import {LIVE_STREAM, type Stream} from '../core/streams.ts';
import type {EpochMs} from '../core/units.ts';
import {currentOf} from '../experiment/state.ts';
import {EventDoor} from '../ingest/accept-events.ts';
import {SpendBoard} from '../quality/spend-board.ts';
import {committedOffsets} from '../closing/committed-offsets.ts';
import {loadQuery} from '../warehouse/clickhouse/query-file.ts';
import {AuditLog} from '../web/access/audit-log.ts';
import {KeyRing} from '../web/access/key-file.ts';
import type {PipelineState} from '../web/pipeline-state.ts';
import {openServer} from '../web/server.ts';
import {newestCut} from './analysis.ts';
import {compareExperiment} from './compare.ts';
import {backtestGuard} from './guard-backtest.ts';
import {openNotifications} from './notifications.ts';
import type {Platform} from './platform.ts';
import {unreadyReasons} from './readiness.ts';
import {openSqlEndpoint} from './sql-endpoint.ts';
import {defaultStream, openLiveStream, validFromIn} from './streams.ts';
import {auditFileOf, keysFileOf} from './access-files.ts';

export type HttpServer = {readonly url: string; /** null unless it was asked for. */ readonly sqlUrl: string | null; close(): Promise<void>};

/** The HTTP server of `up`, `server` and `demo`. `unready` names what else must run in this process. */
export async function startHttp(platform: Platform, unready: () => readonly string[] = () => []): Promise<HttpServer> {
  const {config, log, warehouse, registry, clock, rng, logger, metrics, versions} = platform;
  const live = await openLiveStream(platform);
  const codec = await platform.codecOf(live.topic);
  const door = new EventDoor({
    log,
    topic: live.topic,
    encode: codec.encode,
    context: {
      clock,
      rng,
      currentPhase: experiment => currentOf(registry.snapshot(), LIVE_STREAM, experiment),
    },
    metrics,
  });
  const keys = new KeyRing({file: keysFileOf(config), clock, logger});
  const audit = new AuditLog(auditFileOf(config), logger);
  const {outbox} = openNotifications(platform);
  const board = new SpendBoard({warehouse, stream: LIVE_STREAM, newestCut: () => newestCut(platform, live)});
  const server = await openServer({
    host: config.text('server.host'),
    port: config.number('server.port'),
    corsOrigins: config.list('server.cors_origins'),
    requestsPerSecond: config.number('server.requests_per_second'),
    publicUrl: config.text('reports.public_url'),
    chartSecret: config.text('reports.chart_secret'),
    version: versions.assay,
    random: bytes => Buffer.from(rng.bytes(bytes)).toString('base64url'),
    keys, audit, logger, clock, door, registry, warehouse, metrics,
    stream: (named, experiment) => defaultStream(platform, named, experiment),
    validFrom: stream => validFromIn(platform, stream),
    ...(platform.tracing === undefined ? {} : {tracing: platform.tracing}),
    pipeline: stream => pipelineState(platform, stream),
    redeliver: id => outbox.redeliver(id),
    backtest: request => backtestGuard(platform, request),
    compare: request => compareExperiment(platform, request),
    spend: asks => board.sums(asks),
    unready: () => unreadyReasons(platform, {topic: live.topic, own: unready()}),
  });
  try {
    const sql = await openSqlEndpoint(platform, {keys, audit});
    return {
      url: server.url,
      sqlUrl: sql?.url ?? null,
      close: async () => {
        await sql?.close();
        await server.close();
      },
    };
  } catch (error) {
    await server.close();
    throw error;
  }
}

async function pipelineState({log, warehouse, metrics, versions}: Platform, stream: Stream): Promise<PipelineState> {
  const [offsets, committed, closing] = await Promise.all([log.offsets(stream.topic), committedOffsets(log, stream), warehouse.closingState(stream.name)]);
  const progress = await warehouse.progress(stream.name, committed);
  const partitions = committed.map(({partition, logEpoch, offset}, index) => {
    const end = offsets[index]?.end ?? offset;
    return {
      partition,
      log_epoch: logEpoch,
      first_offset: String(offsets[index]?.start ?? 0n),
      end_offset: String(end),
      committed_offset: String(offset),
      lag_records: Number(end > offset ? end - offset : 0n),
      progress: isoOf(progress[index] ?? null),
    };
  });
  const isWhole = progress.length > 0 && progress.every(at => at !== null);
  return {
    stream: stream.name,
    partitions,
    lag_records: partitions.reduce((sum, {lag_records: lag}) => sum + lag, 0),
    progress: isWhole ? isoOf(Math.min(...progress.map(Number))) : null,
    closed_through: isoOf(closing.closedThrough),
    revised_cut: isoOf(closing.revisedCut),
    paused_seconds: metrics.has('assay_worker_ready') ? await metrics.total('assay_worker_paused_seconds_total') : null,
    audit: await newestAudit(warehouse, stream.name),
    versions: {...versions},
  };
}

/** The audit runs where the jobs are; every verdict carries what it found. */
async function newestAudit(warehouse: Platform['warehouse'], stream: string): Promise<PipelineState['audit']> {
  const [row] = await warehouse.query(loadQuery('newest-audit'), {parameters: {stream}});
  return row === undefined ? null : (JSON.parse(String(row['audit'])) as PipelineState['audit']);
}

const isoOf = (at: EpochMs | number | null): string | null => (at === null ? null : new Date(at).toISOString());
