import {encodeExperiment, encodeStream} from '../avro/released.ts';
import type {ExperimentRecord} from '../avro/records.ts';
import {canonicalJson} from '../core/canonical-json.ts';
import type {Clock} from '../core/clock.ts';
import {AssayError, messageOf} from '../core/errors.ts';
import {LIMITS} from '../core/limits.ts';
import {EXPERIMENTS_TOPIC, type Stream} from '../core/streams.ts';
import type {Logger} from '../core/telemetry.ts';
import type {EventLog, LogRecord} from '../log/event-log.ts';
import {foldRecord} from './fold.ts';
import {conflict, type ExperimentChange, invalid, makeRecord} from './make-record.ts';
import {currentOf, EMPTY_STATE, type ExperimentsState, historyOf, type StoredVersion} from './state.ts';
import {toDocument} from './to-document.ts';

export type RegistryOptions = {readonly log: EventLog; readonly clock: Clock; readonly logger: Logger};

/** What a batch of records brought, in log order. */
export type RegistryChange = {
  readonly state: ExperimentsState;
  readonly versions: readonly StoredVersion[];
  readonly streams: readonly Stream[];
};
export type RegistryListener = (change: RegistryChange) => void;

/** Tries of one append or of catching up at the start, with backoff between them: about 13 s in all. */
const TRIES_MAX = 8;
/** A written record is back within milliseconds; after this the log must be away. */
const READ_BACK_MS_MAX = 15_000;
/** Two experiments may start in one layer at the same moment; the loser takes other slots. */
const LAYER_RACES_MAX = 5;

/**
 * Every experiment and stream, as the experiments topic says, and kept up to date.
 *
 * opening ──caught up──► following ⇄ away (last good state; retries with backoff)
 *                            └──────► failed (corrupt log) / closed
 *
 * There is no other owner of this state: a change is appended to the topic, and
 * counts when this registry has read it back and the fold has accepted it.
 */
export class ExperimentRegistry {
  readonly #log: EventLog;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #abort = new AbortController();
  readonly #listeners = new Set<RegistryListener>();
  readonly #waiters = new Set<{readonly offset: bigint; readonly done: () => void}>();
  #state: ExperimentsState = EMPTY_STATE;
  #failure: AssayError | undefined;
  #isAway = false;
  #following: Promise<void> = Promise.resolve();

  private constructor({log, clock, logger}: RegistryOptions) {
    this.#log = log;
    this.#clock = clock;
    this.#logger = logger;
  }

  /**
   * Creates the topic if need be and reads it to the end seen now.
   * @throws AssayError ASSAY_LOG_UNAVAILABLE after the last try.
   */
  static async open(options: RegistryOptions): Promise<ExperimentRegistry> {
    const registry = new ExperimentRegistry(options);
    await registry.#retried('opening the experiments topic', () => registry.#catchUp());
    registry.#following = registry.#follow();
    return registry;
  }

  /** Everything accepted so far. A value: it never changes. */
  snapshot(): ExperimentsState {
    return this.#state;
  }

  /** Whether the log could not be read last time; the snapshot is then the last good one. */
  get isAway(): boolean {
    return this.#isAway;
  }

  /** Called after each batch that brought something. Returns how to stop. */
  subscribe(listener: RegistryListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /**
   * The state once the topic was read to the end it has now (DESIGN C5).
   * @throws AssayError ASSAY_LOG_UNAVAILABLE when that takes too long.
   */
  async caughtUp(): Promise<ExperimentsState> {
    const end = await this.#retried('asking for the end of the experiments topic', () => this.#end());
    await this.#readTo(end);
    return this.#state;
  }

  /**
   * Makes a change and returns the version it became.
   * @throws AssayError ASSAY_EXPERIMENT_CONFLICT naming the newer version and its
   *   author, ASSAY_EXPERIMENT_INVALID listing every problem, ASSAY_LOG_UNAVAILABLE.
   */
  async publish(change: ExperimentChange): Promise<StoredVersion> {
    for (let race = 1; ; race += 1) {
      const record = await this.#record(change);
      const bytes = encodeExperiment(record);
      if (bytes.length > LIMITS.eventBytesMax) {
        throw invalid(record.experiment, `takes ${bytes.length} bytes, the limit is ${LIMITS.eventBytesMax}; shorten its texts`);
      }
      const offset = await this.#append(`${record.stream}/${record.experiment}`, bytes);
      await this.#readTo(offset + 1n);
      const accepted = historyOf(this.#state, record.stream, record.experiment)[record.version - 1];
      if (accepted !== undefined && isSame(accepted, record)) return accepted;
      const refusal = this.#state.refusals.find(other => other.offset === offset);
      const isLayerRace = refusal?.code === 'layer_taken' && race < LAYER_RACES_MAX;
      if (isLayerRace) continue;
      if (accepted !== undefined) throw conflict(change, currentOf(this.#state, record.stream, record.experiment));
      throw invalid(record.experiment, refusal?.reason ?? 'its record was not accepted');
    }
  }

  /**
   * Announces a stream before its first event; the same again is fine.
   * @throws AssayError ASSAY_EXPERIMENT_CONFLICT when it was announced otherwise.
   */
  async announceStream(stream: Stream): Promise<Stream> {
    if (!this.#state.streams.has(stream.name)) {
      const offset = await this.#append(`stream/${stream.name}`, encodeStream(stream));
      await this.#readTo(offset + 1n);
    }
    const known = this.#state.streams.get(stream.name);
    if (known !== undefined && canonicalJson(known) === canonicalJson(stream)) return known;
    throw new AssayError(
      'ASSAY_EXPERIMENT_CONFLICT',
      `stream ${stream.name} exists as ${canonicalJson(known ?? null)} and streams never change; choose another name`,
    );
  }

  /** Stops following. The snapshot stays. Idempotent. */
  async close(): Promise<void> {
    this.#abort.abort();
    this.#wake();
    await this.#following;
  }

  /** A change is refused only after a look at the end of the log: what it builds on may have been written elsewhere a moment ago. */
  async #record(change: ExperimentChange): Promise<ExperimentRecord> {
    const before = this.#state;
    try {
      return makeRecord(before, change);
    } catch (refusal) {
      const state = this.#isAway ? before : await this.caughtUp().catch(() => before);
      if (state === before) throw refusal;
      return makeRecord(state, change);
    }
  }

  async #catchUp(): Promise<void> {
    await this.#log.createTopic({topic: EXPERIMENTS_TOPIC, partitions: 1, clock: 'log', retentionMs: null});
    const end = await this.#end();
    const from = {topic: EXPERIMENTS_TOPIC, partition: 0, fromOffset: this.#state.nextOffset};
    if (this.#state.nextOffset < end) {
      for await (const records of this.#log.read({...from, toOffset: end})) this.#apply(records);
    }
  }

  async #end(): Promise<bigint> {
    const [partition] = await this.#log.offsets(EXPERIMENTS_TOPIC);
    return partition?.end ?? 0n;
  }

  /** Reads on for ever. A log that is away is tried again for ever, ever more slowly; the state stays as it was. */
  async #follow(): Promise<void> {
    const {signal} = this.#abort;
    let failures = 0;
    while (!signal.aborted) {
      try {
        const from = {topic: EXPERIMENTS_TOPIC, partition: 0, fromOffset: this.#state.nextOffset, signal};
        for await (const records of this.#log.read(from)) {
          failures = 0;
          this.#isAway = false;
          this.#apply(records);
        }
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof AssayError && error.kind === 'fatal') return this.#fail(error);
        this.#isAway = true;
        this.#logger.warn('experiments topic unreadable', {error: messageOf(error), failures});
      }
      failures += 1;
      await this.#clock.sleep(backoffMs(failures), signal);
    }
  }

  #fail(error: AssayError): void {
    this.#failure = error;
    this.#isAway = true;
    this.#logger.error('experiments topic failed', {code: error.code, error: messageOf(error)});
    this.#wake();
  }

  #apply(records: readonly LogRecord[]): void {
    const versions: StoredVersion[] = [];
    const streams: Stream[] = [];
    for (const record of records) {
      const before = this.#state;
      if (record.offset < before.nextOffset) continue;
      const after = foldRecord(before, record);
      for (const [key, history] of after.histories) {
        const newest = history.at(-1);
        if (newest !== undefined && history !== before.histories.get(key)) versions.push(newest);
      }
      for (const [name, stream] of after.streams) if (!before.streams.has(name)) streams.push(stream);
      if (after.refusedCount > before.refusedCount) this.#logger.warn('experiment record refused', {...after.refusals.at(-1)});
      this.#state = after;
    }
    this.#wake();
    for (const {stream, experiment, version} of versions) this.#logger.debug('experiment version applied', {stream, experiment, version});
    if (versions.length > 0 || streams.length > 0) this.#tell({state: this.#state, versions, streams});
  }

  #tell(change: RegistryChange): void {
    for (const listener of this.#listeners) {
      try {
        listener(change);
      } catch (error) {
        this.#logger.error('experiment listener failed', {error: messageOf(error)});
      }
    }
  }

  async #append(key: string, value: Uint8Array): Promise<bigint> {
    const records = [{key, value, partition: 0}];
    // Of an append whose answer was lost the record may be there twice: the second is refused as stale.
    const [appended] = await this.#retried('writing to the experiments topic', () => this.#log.append(EXPERIMENTS_TOPIC, records));
    if (appended === undefined) throw new AssayError('ASSAY_LOG_UNAVAILABLE', 'the log did not say where it put the record');
    return appended.offset;
  }

  async #retried<T>(what: string, act: () => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await act();
      } catch (error) {
        const mayRecover = error instanceof AssayError && error.kind === 'retry';
        if (!mayRecover || tries >= TRIES_MAX || this.#abort.signal.aborted) throw error;
        this.#logger.warn('experiments topic retried', {what, tries, error: messageOf(error)});
        await this.#clock.sleep(backoffMs(tries), this.#abort.signal);
      }
    }
  }

  async #readTo(offset: bigint): Promise<void> {
    const patience = new AbortController();
    let waiter: {readonly offset: bigint; readonly done: () => void} | undefined;
    const read = new Promise<void>(done => {
      waiter = {offset, done};
      this.#waiters.add(waiter);
      this.#wake();
    });
    await Promise.race([read, this.#clock.sleep(READ_BACK_MS_MAX, patience.signal)]);
    patience.abort();
    if (waiter !== undefined) this.#waiters.delete(waiter);
    if (this.#state.nextOffset >= offset) return;
    if (this.#failure !== undefined) throw this.#failure;
    throw new AssayError('ASSAY_LOG_UNAVAILABLE', `the experiments topic was not read to offset ${offset} within ${READ_BACK_MS_MAX} ms`);
  }

  /** Ends the waits that are over, or all of them when nothing more will come. */
  #wake(): void {
    const isOver = this.#failure !== undefined || this.#abort.signal.aborted;
    for (const waiter of this.#waiters) if (isOver || waiter.offset <= this.#state.nextOffset) waiter.done();
  }
}

const backoffMs = (failures: number): number =>
  Math.min(LIMITS.retryBackoffMsMax, LIMITS.retryBackoffMsMin * 2 ** Math.min(failures - 1, 20));

/** Whether an accepted version is what a record asked for: its own, or an earlier copy whose answer was lost. */
function isSame(accepted: StoredVersion, record: ExperimentRecord): boolean {
  return (
    accepted.author === record.author &&
    accepted.reason === record.reason &&
    canonicalJson(toDocument(accepted.definition)) === canonicalJson(JSON.parse(record.definition)) &&
    Buffer.compare(Buffer.from(accepted.layerSlots), Buffer.from(record.layerSlots)) === 0
  );
}
