import type {DurationMs} from './units.ts';

/** The stream that services publish to. */
export const LIVE_STREAM = 'live';
export const LIVE_TOPIC = 'assay.events.v1';
export const EXPERIMENTS_TOPIC = 'assay.experiments.v1';
export const DEAD_LETTERS_TOPIC = 'assay.dead-letters.v1';
export const CONTROL_TOPIC = 'assay.control.v1';
export const WORKER_GROUP = 'assay-worker';

export type StreamKind = 'live' | 'import' | 'simulation';

/**
 * One topic of events with its own clock (DESIGN §3). Immutable: the record
 * that announces it precedes its first event on the experiments topic.
 */
export type Stream = {
  readonly name: string;
  readonly kind: StreamKind;
  readonly topic: string;
  /** L: an outcome that arrives later than this after its slice's end is late. */
  readonly latenessMs: DurationMs;
  /** Length of a base slice. Windows are multiples of it. */
  readonly sliceMs: DurationMs;
  /** Events older than this at append are dead letters; null for imports. */
  readonly maxAgeMs: DurationMs | null;
  readonly partitions: number;
};

/** The consumer group of a stream's workers. */
export const workerGroup = (stream: string): string =>
  stream === LIVE_STREAM ? WORKER_GROUP : `${WORKER_GROUP}.${stream}`;

export const streamTopic = (stream: string): string =>
  stream === LIVE_STREAM ? LIVE_TOPIC : `assay.events.${stream}.v1`;
