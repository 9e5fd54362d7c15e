import type {Clock} from '../core/clock.ts';
import {AssayError, messageOf} from '../core/errors.ts';
import type {Stream} from '../core/streams.ts';
import type {Logger, Metrics} from '../core/telemetry.ts';
import {type EpochMs, epochMs} from '../core/units.ts';
import type {EventLog} from '../log/event-log.ts';
import type {ClosingState, ClosingStore, CommittedOffset} from '../warehouse/warehouse.ts';
import {closableThrough, cutOfSliceEnd, nextStep, revisionCut} from './close-plan.ts';
import type {ClosingConfig} from './closing-config.ts';
import {CLOSING_METRICS} from './closing-metrics.ts';
import {committedOffsets} from './committed-offsets.ts';
import {Mirror} from './mirror.ts';

/** Slices per request: small at first, larger while they hold little (an import may span years). */
const STEP_SLICES_MIN = 60;
const STEP_SLICES_MAX = 1_000_000;
const STEP_ROWS_SMALL = 5_000;
const STEP_ROWS_LARGE = 50_000;

/**
 * A request costs half a second of CPU before it looks at a fact, so slices that may close wait for
 * more of them: a fifth of the lateness they have waited already, at most a minute.
 */
const PATIENCE_SHARE = 0.2;
const PATIENCE_MS_MAX = 60_000;

export type CloserOptions = {
  readonly log: Pick<EventLog, 'committed' | 'describeTopic'>;
  readonly warehouse: ClosingStore;
  readonly config: ClosingConfig;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Pause between rounds of `run`. Default 1 s. */
  readonly closeEveryMs?: number;
  /** Late facts are folded in at most this often. Default 10 s. */
  readonly reviseEveryMs?: number;
};

export type RoundResult = {
  /** Everything that arrived up to here is durable; null: some partition has nothing yet, so nothing can close. */
  readonly progress: EpochMs | null;
  readonly closedThrough: EpochMs | null;
  readonly slicesClosed: number;
  readonly slicesRevised: number;
  /** Whether late facts below the progress are in revisions. False when that was not due, or another closer was ahead. */
  readonly isRevised: boolean;
};

/**
 * Closes slices from facts (DESIGN C5). A singleton by arrangement, not by need: what
 * a round writes is a function of facts and cuts, so a second closer writes the same.
 *
 * A round, in this order because each step bounds the next:
 *
 *     committed offsets ─► progress (min over partitions) ─► versions to the topic's end ─► mirror
 *       ─► close every slice with end + L < progress ─► revise with cut = progress − 1
 *
 * Revising last, and only after everything below its cut was closed, is what lets
 * the next revision look at nothing but facts that arrived after this one's cut.
 */
export class Closer {
  readonly #options: CloserOptions;
  readonly #mirror: Mirror;
  /** Rounds of one stream wait for each other. */
  readonly #lastRound = new Map<string, Promise<unknown>>();
  readonly #revisedAt = new Map<string, EpochMs>();
  /** Since when a stream's oldest open slice may close. */
  readonly #closableSince = new Map<string, EpochMs>();

  constructor(options: CloserOptions) {
    this.#options = options;
    this.#mirror = new Mirror(options.warehouse);
  }

  /** Rounds over all streams until the signal. Rejects with an error that is not worth a retry. */
  async run(signal: AbortSignal): Promise<void> {
    const {config, clock, logger, metrics, closeEveryMs = 1_000} = this.#options;
    while (!signal.aborted) {
      for (const stream of config.streams()) {
        if (signal.aborted) return;
        try {
          await this.round(stream, {isPatient: true});
        } catch (error) {
          metrics.count(CLOSING_METRICS.failures, 1, {stream: stream.name});
          if (!isRetryable(error)) throw error;
          logger.warn('closing delayed', {stream: stream.name, error: messageOf(error)});
        }
      }
      await clock.sleep(closeEveryMs, signal);
    }
  }

  /**
   * Closes what can be closed now, or when `isPatient` what has waited for others long enough;
   * revises when that is due, or `isReviseWanted`.
   */
  round(stream: Stream, {isReviseWanted = false, isPatient = false} = {}): Promise<RoundResult> {
    const before = this.#lastRound.get(stream.name) ?? Promise.resolve();
    const round = before.catch(() => undefined).then(() => this.#round(stream, {isReviseWanted, isPatient}));
    this.#lastRound.set(stream.name, round);
    return round;
  }

  /** Resolves once everything below the progress of now is closed and revised: imports wait for it. */
  async closeAll(stream: Stream): Promise<RoundResult> {
    let result = await this.round(stream, {isReviseWanted: true});
    // A revision that another closer overtook stores nothing; the next round starts from what that one did.
    while (!result.isRevised && result.closedThrough !== null && result.progress !== null) {
      const again = await this.round(stream, {isReviseWanted: true});
      result = {...again, slicesClosed: result.slicesClosed + again.slicesClosed, slicesRevised: result.slicesRevised + again.slicesRevised};
    }
    return result;
  }

  async #round(stream: Stream, {isReviseWanted, isPatient}: Wishes): Promise<RoundResult> {
    const {log, warehouse, config, clock, metrics} = this.#options;
    const startedAt = clock.now();
    const committed = await committedOffsets(log, stream);
    const arrivals = await warehouse.progress(stream.name, committed);
    await config.readToEnd();
    await this.#mirror.update(stream, config.versions(stream.name));
    const progress = lowest(arrivals);
    const state = await warehouse.closingState(stream.name);
    if (progress !== null) metrics.gauge(CLOSING_METRICS.progress, progress / 1000, {stream: stream.name});
    // No revision while slices wait: what is below its cut must be closed.
    const isWaiting = progress !== null && isPatient && !isReviseWanted && this.#isWaiting(stream, {state, progress});
    if (progress === null || isWaiting) {
      return {progress, closedThrough: state.closedThrough, slicesClosed: 0, slicesRevised: 0, isRevised: false};
    }
    const work = {stream, committed, progress, state};
    const {closedThrough, slicesClosed} = await this.#close(work);
    const isDue = isReviseWanted || this.#isReviseDue(stream);
    const {slicesRevised, isRevised} =
      isDue && closedThrough !== null ? await this.#revise({...work, closedThrough}) : NOT_REVISED;
    if (closedThrough !== null) metrics.gauge(CLOSING_METRICS.closedThrough, closedThrough / 1000, {stream: stream.name});
    metrics.observe(CLOSING_METRICS.roundSeconds, (clock.now() - startedAt) / 1000, {stream: stream.name});
    return {progress, closedThrough, slicesClosed, slicesRevised, isRevised};
  }

  async #close({stream, committed, progress, state}: Work): Promise<{closedThrough: EpochMs | null; slicesClosed: number}> {
    const {warehouse, config, metrics, logger} = this.#options;
    const through = closableThrough(stream, progress);
    const viewsAt = (at: EpochMs) => config.viewsAt(stream.name, at);
    let closedThrough = state.closedThrough;
    let from = closedThrough ?? state.firstSliceStart;
    let slicesMax = STEP_SLICES_MIN;
    let slicesClosed = 0;
    while (from !== null && from < through) {
      const emptyFrom = state.lastSliceEnd ?? from;
      const step = nextStep({stream, from, through, slicesMax, emptyFrom, viewsAt});
      const {slices, rows} = await warehouse.closeSlices({
        stream,
        fromSlice: step.from,
        throughSlice: step.through,
        views: step.views,
        committed,
      });
      metrics.count(CLOSING_METRICS.slices, slices, {stream: stream.name});
      metrics.count(CLOSING_METRICS.rows, rows, {stream: stream.name});
      logger.debug('slices closed', {stream: stream.name, through: step.through, slices, rows});
      if (rows < STEP_ROWS_SMALL) slicesMax = Math.min(STEP_SLICES_MAX, slicesMax * 2);
      else if (rows > STEP_ROWS_LARGE) slicesMax = Math.max(1, Math.floor(slicesMax / 2));
      slicesClosed += slices;
      closedThrough = step.through;
      from = step.through;
    }
    return {closedThrough, slicesClosed};
  }

  async #revise({stream, committed, progress, state, closedThrough}: Work & {closedThrough: EpochMs}): Promise<Revision> {
    const {warehouse, config, metrics, clock, logger} = this.#options;
    const cut = revisionCut(progress);
    const sinceCut = state.revisedCut ?? firstCut(stream, state);
    this.#revisedAt.set(stream.name, clock.now());
    if (sinceCut === null || sinceCut >= cut) return {slicesRevised: 0, isRevised: true};
    const views = config.viewsAt(stream.name, cut);
    const {slices, rows} = await warehouse.reviseSlices({stream, sinceCut, cut, closedThrough, views, committed});
    metrics.count(CLOSING_METRICS.revised, slices, {stream: stream.name});
    metrics.count(CLOSING_METRICS.rows, rows, {stream: stream.name});
    if (slices > 0) logger.info('slices revised', {stream: stream.name, cut, slices, rows});
    const {revisedCut} = await warehouse.closingState(stream.name);
    return {slicesRevised: slices, isRevised: revisedCut !== null && revisedCut >= cut};
  }

  /** Whether there are slices to close and none has waited long enough for others to join it. */
  #isWaiting(stream: Stream, {state, progress}: Pick<Work, 'state' | 'progress'>): boolean {
    const {name, latenessMs} = stream;
    const from = state.closedThrough ?? state.firstSliceStart;
    if (from === null || from >= closableThrough(stream, progress)) {
      this.#closableSince.delete(name);
      return false;
    }
    const now = this.#options.clock.now();
    const since = this.#closableSince.get(name) ?? now;
    const isWaiting = now - since < Math.min(PATIENCE_MS_MAX, latenessMs * PATIENCE_SHARE);
    if (isWaiting) this.#closableSince.set(name, since);
    else this.#closableSince.delete(name);
    return isWaiting;
  }

  #isReviseDue(stream: Stream): boolean {
    const {clock, reviseEveryMs = 10_000} = this.#options;
    const last = this.#revisedAt.get(stream.name);
    return last === undefined || clock.now() - last >= reviseEveryMs;
  }
}

type Wishes = {readonly isReviseWanted: boolean; readonly isPatient: boolean};
type Revision = Pick<RoundResult, 'slicesRevised' | 'isRevised'>;
const NOT_REVISED: Revision = {slicesRevised: 0, isRevised: false};

type Work = {
  readonly stream: Stream;
  readonly committed: readonly CommittedOffset[];
  readonly progress: EpochMs;
  readonly state: ClosingState;
};

/** Before the first revision: what arrived up to the first slice's own cut is in every closed slice. */
function firstCut(stream: Stream, {firstSliceStart}: ClosingState): EpochMs | null {
  return firstSliceStart === null ? null : cutOfSliceEnd(stream, epochMs(firstSliceStart + stream.sliceMs));
}

/** null as soon as one partition has nothing: what may still come from there is not bounded. */
function lowest(arrivals: readonly (EpochMs | null)[]): EpochMs | null {
  let min: EpochMs | null = null;
  for (const arrival of arrivals) {
    if (arrival === null) return null;
    if (min === null || arrival < min) min = arrival;
  }
  return min;
}

const isRetryable = (error: unknown): boolean => error instanceof AssayError && error.kind === 'retry';
