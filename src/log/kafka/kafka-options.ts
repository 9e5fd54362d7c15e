import type {Clock} from '../../core/clock.ts';
import type {Rng} from '../../core/rng.ts';
import type {Logger, Metrics} from '../../core/telemetry.ts';

export type KafkaEventLogOptions = {
  /** host:port of some brokers. */
  readonly brokers: readonly string[];
  readonly clientId: string;
  /** Replicas of topics this log creates; left out: the brokers' default. */
  readonly replication?: number;
  readonly sasl?: {
    readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
    readonly username: string;
    readonly password: string;
  };
  /** PEM texts. An empty object means TLS with the system's authorities. */
  readonly tls?: {
    readonly ca?: string;
    readonly cert?: string;
    readonly key?: string;
    readonly rejectUnauthorized?: boolean;
  };
  /** A member silent for this long loses its partitions. Heartbeats go out three times as often. */
  readonly sessionTimeoutMs?: number;
  /** Until a broker must have accepted the connection. */
  readonly connectTimeoutMs?: number;
  /** Until an operation, its retries included, must have been answered. */
  readonly requestTimeoutMs?: number;
  /** How long a broker may hold back an empty answer; also how late a rebalance may be noticed. */
  readonly fetchWaitMs?: number;
  readonly compression?: 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd';
  readonly clock: Clock;
  readonly rng?: Rng;
  readonly logger: Logger;
  readonly metrics: Metrics;
};

export const KAFKA_LIMITS = {
  /** Fetched and not yet decoded, per broker (DESIGN §10). */
  fetchBytesMax: 8 * 1024 * 1024,
  /** Of one partition in one fetch, so that a busy one does not starve the others. A larger batch comes all the same. */
  partitionFetchBytesMax: 1024 * 1024,
  /** One record batch sent; brokers refuse 1 MiB and more by default. */
  sendBytesMax: 900 * 1024,
  /** kafkajs encodes a batch in quadratic time: 4 000 records take 60 ms, 40 000 take 25 s. */
  sendRecordsMax: 2_000,
  /** Waiting to be sent per topic; beyond it an append is refused. */
  sendQueueBytesMax: 64 * 1024 * 1024,
  sessionTimeoutMs: 10_000,
  rebalanceTimeoutMs: 60_000,
  /** How long a group coordinator may load before its consumer is given up. */
  coordinatorLoadMs: 60_000,
  connectTimeoutMs: 3_000,
  /** Opening the log with no broker in reach fails within this. */
  openTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  /** A flush waits for it. */
  confirmTimeoutMs: 2_000,
  /** Ends of paused partitions, which fetches do not tell. */
  endsEveryMs: 5_000,
  fetchWaitMs: 500,
  /** Partitions that were added are found by then; a stream closes nothing before each of them was read. */
  metadataAgeMsMax: 10_000,
  closeTimeoutMs: 10_000,
} as const;
