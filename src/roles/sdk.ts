/** The entry `assay/sdk`: what a service imports. Opens neither a warehouse nor a server. */
import {AsyncLocalStorage} from 'node:async_hooks';
import {randomUUID} from 'node:crypto';
import type {Event} from '../core/events.ts';
import type {Rng} from '../core/rng.ts';
import {messageOf} from '../core/errors.ts';
import {openOtlpTracing} from '../observe/otlp-tracing.ts';
import {LIVE_STREAM} from '../core/streams.ts';
import {type Logger, NO_METRICS, SILENT_LOGGER} from '../core/telemetry.ts';
import type {ExperimentRegistry} from '../experiment/registry.ts';
import type {EventLog} from '../log/event-log.ts';
import type {KafkaEventLogOptions} from '../log/kafka/kafka-options.ts';
import type {ConfigSource} from '../sdk/config-source.ts';
import {DiskSpool} from '../sdk/disk-spool.ts';
import {HttpConfigSource} from '../sdk/http-config-source.ts';
import {HttpTransport} from '../sdk/http-transport.ts';
import {LogTransport} from '../sdk/log-transport.ts';
import {SDK_LIMITS, type SdkLimits} from '../sdk/limits.ts';
import type {PriceTable} from '../sdk/price-table.ts';
import type {TraceContext} from '../sdk/propagation.ts';
import {RegistryConfigSource} from '../sdk/registry-config-source.ts';
import {Sender} from '../sdk/sender.ts';
import {SpendFollower} from '../sdk/spend-follower.ts';
import {type Budget, SpendLedger} from '../sdk/spend-ledger.ts';
import {HttpSpendSource} from '../sdk/spend-source.ts';
import {Tracker} from '../sdk/tracker.ts';
import type {Transport} from '../sdk/transport.ts';
import type {SdkKafka} from './sdk-kafka.ts';
import {SYSTEM_CLOCK, SYSTEM_RNG} from './system.ts';

export type {Assignment} from '../assign/assign.ts';
export type {SdkLimits} from '../sdk/limits.ts';
export type {ModelPrice, PriceTable} from '../sdk/price-table.ts';
export type {Budget, Spend} from '../sdk/spend-ledger.ts';
export type {TraceContext} from '../sdk/propagation.ts';
export type {ObserveRequest, OutcomeRequest, Tracker, TrackerCounts, TrackRequest} from '../sdk/tracker.ts';

export type TrackerOptions = {
  /** Exactly one of the three: a Kafka cluster, an Assay server, or the log of this process. */
  readonly kafka?: Pick<KafkaEventLogOptions, 'brokers' | 'sasl' | 'tls' | 'compression'> & {readonly clientId?: string};
  readonly http?: {readonly url: string; readonly apiKey?: string};
  readonly inProcess?: {readonly log: EventLog; readonly registry: ExperimentRegistry; readonly encode: (event: Event) => Uint8Array};
  /** A folder for events that cannot be delivered now. Without one they are dropped once the queue is full. */
  readonly spool?: string;
  readonly prices?: PriceTable;
  /** Limits on what calls may cost; see `tracker.budget`. */
  readonly budgets?: readonly Budget[];
  /** An Assay server that is asked what all processes have spent of the budgets (a key of the role `viewer`); without one each counts its own. */
  readonly budgetServer?: {readonly url: string; readonly apiKey?: string};
  readonly attributes?: Readonly<Record<string, string>>;
  readonly fallbacks?: Readonly<Record<string, string>>;
  readonly limits?: Partial<SdkLimits>;
  readonly logger?: Logger;
  /** An OpenTelemetry collector (OTLP over HTTP) that gets spans of observed calls and sent events; off unless given. */
  readonly tracing?: {readonly url: string; readonly headers?: Readonly<Record<string, string>>; readonly sampleShare?: number; readonly serviceName?: string};
};

/**
 * Opens a tracker at once, whether or not anybody answers at the other end: the
 * configuration arrives later (`await tracker.ready()`), events wait meanwhile.
 * @throws TypeError when the options name no transport, or several, or a wrong budget; nothing else.
 */
export function openTracker(options: TrackerOptions): Tracker {
  const logger = options.logger ?? SILENT_LOGGER;
  const limits: SdkLimits = {...SDK_LIMITS, ...options.limits};
  const {transport, config} = wire(options, {logger, limits});
  const spool = options.spool === undefined ? undefined : openSpool(options.spool, {logger, limits});
  const rng = pooled(SYSTEM_RNG);
  const sender = new Sender({transport, clock: SYSTEM_CLOCK, rng, logger, limits, ...(spool === undefined ? {} : {spool})});
  const spend = new SpendLedger({budgets: options.budgets ?? [], clock: SYSTEM_CLOCK, limits});
  const {budgetServer} = options;
  const follower = budgetServer === undefined || spend.isIdle ? undefined
    : new SpendFollower({ledger: spend, source: new HttpSpendSource({...budgetServer, requestMsMax: limits.requestMsMax}), logger, limits});
  const tracker = new Tracker({
    ...(follower === undefined ? {} : {follower}),
    sender, config, logger, limits,
    context: new AsyncLocalStorage<TraceContext>(),
    clock: SYSTEM_CLOCK,
    rng,
    monotonicMs: () => performance.now(),
    prices: options.prices ?? {},
    spend,
    attributes: options.attributes ?? {},
    fallbacks: options.fallbacks ?? {},
    ...(options.tracing === undefined ? {} : {tracing: openOtlpTracing({serviceName: 'service', ...options.tracing, logger})}),
  });
  flushAtExit(tracker, sender);
  return tracker;
}

type Shared = {readonly logger: Logger; readonly limits: SdkLimits};

function wire({kafka, http, inProcess}: TrackerOptions, shared: Shared): {transport: Transport; config: ConfigSource} {
  const given = Object.entries({kafka, http, inProcess}).filter(([, value]) => value !== undefined).map(([name]) => name);
  if (given.length !== 1) {
    throw new TypeError(`openTracker needs exactly one of kafka, http and inProcess, got ${given.length === 0 ? 'none' : given.join(' and ')}`);
  }
  if (http !== undefined) {
    return {
      transport: new HttpTransport({...http, requestMsMax: shared.limits.requestMsMax}),
      config: new HttpConfigSource({...http, ...shared, clock: SYSTEM_CLOCK}),
    };
  }
  if (inProcess !== undefined) {
    const {log, registry, encode} = inProcess;
    return {
      transport: new LogTransport({open: () => Promise.resolve({log, encode, close: () => Promise.resolve()})}),
      config: new RegistryConfigSource({...shared, open: () => Promise.resolve(registry), stream: LIVE_STREAM, ownsRegistry: false, clock: SYSTEM_CLOCK}),
    };
  }
  const open = shareOpening(() => openKafka(kafka ?? {brokers: []}, shared));
  return {
    transport: new LogTransport({open}),
    config: new RegistryConfigSource({
      ...shared,
      open: async () => (await open()).openRegistry(),
      stream: LIVE_STREAM,
      ownsRegistry: true,
      clock: SYSTEM_CLOCK,
    }),
  };
}

/** Loaded when it is used: a service that speaks HTTP pays for no Kafka client. */
async function openKafka(kafka: NonNullable<TrackerOptions['kafka']>, {logger, limits}: Shared): Promise<SdkKafka> {
  const {openSdkKafka} = await import('./sdk-kafka.ts');
  return openSdkKafka({clientId: 'assay-sdk', ...kafka, requestTimeoutMs: limits.requestMsMax, clock: SYSTEM_CLOCK, rng: SYSTEM_RNG, logger, metrics: NO_METRICS});
}

/** One opening for all who ask at the same time; a failed one is forgotten. */
function shareOpening<T>(open: () => Promise<T>): () => Promise<T> {
  let opening: Promise<T> | undefined;
  return () => {
    const current = opening ?? open();
    opening = current;
    current.catch(() => {
      if (opening === current) opening = undefined;
    });
    return current;
  };
}

/** A spool that cannot be used is no reason not to serve. */
function openSpool(directory: string, {logger, limits}: Shared): DiskSpool | undefined {
  try {
    return new DiskSpool({directory, bytesMax: limits.spoolBytesMax, owner: randomUUID()});
  } catch (error) {
    logger.error('spool not opened; undelivered events will be dropped', {directory, error: messageOf(error)});
    return undefined;
  }
}

/** Random bytes by the page: asking the system for ten at a time is most of what an event id costs. */
function pooled(rng: Rng): Rng {
  let page = rng.bytes(RANDOM_PAGE_BYTES);
  let at = 0;
  return {
    next: () => rng.next(),
    bytes: length => {
      if (at + length > page.length) {
        page = rng.bytes(Math.max(RANDOM_PAGE_BYTES, length));
        at = 0;
      }
      at += length;
      return page.subarray(at - length, at);
    },
  };
}

const RANDOM_PAGE_BYTES = 8_192;

const OPEN = new Set<{readonly tracker: Tracker; readonly sender: Sender}>();

/** An ordinary end delivers what is queued; one by process.exit() leaves it in the spool. */
function flushAtExit(tracker: Tracker, sender: Sender): void {
  for (const one of OPEN) if (one.sender.isClosed) OPEN.delete(one);
  OPEN.add({tracker, sender});
  if (isWatchingExit) return;
  isWatchingExit = true;
  process.on('beforeExit', () => {
    for (const one of OPEN) if (one.sender.queued > 0) void one.tracker.flush();
  });
  process.on('exit', () => {
    for (const one of OPEN) one.sender.spillNow();
  });
}

let isWatchingExit = false;
