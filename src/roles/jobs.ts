import {LookPlan} from '../analyze/look-plan.ts';
import {Closer} from '../closing/closer.ts';
import {AssayError, messageOf} from '../core/errors.ts';
import type {ExperimentView} from '../core/experiment.ts';
import type {Stream} from '../core/streams.ts';
import type {Verdict} from '../core/verdict.ts';
import {runBreakers, runDriftGuards} from '../guard/run-breakers.ts';
import {runCanaries} from '../guard/run-canaries.ts';
import {Alerts} from './alerts.ts';
import {analyzeAndStore, AUDIT_SLICES, auditState, auditStream, newestCut} from './analysis.ts';
import {currentViews} from './closing-config.ts';
import type {Notifications} from './notifications.ts';
import type {Platform} from './platform.ts';

/** A guard must have acted within seconds, so it looks more often than anything else. */
const GUARD_EVERY_MS = 250;
/** Spans of facts may be a little late; reading them should cost little. */
const TRACES_EVERY_MS = 2_000;
/** Steps are held for minutes, and verdicts, which they need, come as often as the analysis. */
const CANARY_EVERY_MS = 1_000;
/** Reads facts, under the limits of an analyst's statement. */
const DRIFT_EVERY_MS = 15_000;

/**
 * The singleton's work: closing, audit, analysis, alerts and reports, each in a loop of
 * its own. A part that fails with something worth a retry is tried at its next turn;
 * anything else ends all and the process.
 */
export class Jobs {
  readonly #platform: Platform;
  readonly #notifications: Notifications;
  readonly #closer: Closer;
  readonly #alerts: Alerts;
  readonly #audits = new Map<string, Verdict['audit']>();
  readonly #looks: LookPlan;

  constructor(platform: Platform, notifications: Notifications) {
    this.#platform = platform;
    this.#notifications = notifications;
    const {log, warehouse, closing, clock, logger, metrics, config} = platform;
    this.#closer = new Closer({
      log, warehouse, config: closing, clock, logger, metrics,
      closeEveryMs: config.number('closing.every_ms'),
      reviseEveryMs: config.number('closing.revise_every_ms'),
    });
    this.#alerts = new Alerts(platform, notifications);
    this.#looks = new LookPlan(config.number('analysis.every_ms'));
  }

  get closer(): Closer {
    return this.#closer;
  }

  /** Until the signal, or until a part fails for good. */
  async run(signal: AbortSignal): Promise<void> {
    const {config} = this.#platform;
    const stop = new AbortController();
    const onAbort = (): void => stop.abort();
    signal.addEventListener('abort', onAbort, {once: true});
    if (signal.aborted) stop.abort();
    const parts = [
      this.#closer.run(stop.signal),
      this.#loop('audit', config.number('audit.every_ms'), stop.signal, stream => this.#audit(stream)),
      this.#loop('analysis', () => this.#looks.waitMs(this.#lookedAt()), stop.signal, stream => this.#analyse(stream)),
      this.#loop('alerts', config.number('closing.every_ms') * 5, stop.signal, stream => this.#alerts.look(stream)),
      this.#loop('guards', GUARD_EVERY_MS, stop.signal, stream => this.#act(stream, runBreakers)),
      this.#loop('drift', DRIFT_EVERY_MS, stop.signal, stream => this.#act(stream, runDriftGuards)),
      this.#loop('canaries', CANARY_EVERY_MS, stop.signal, stream => this.#act(stream, runCanaries)),
      ...this.#tracedLoops(stop.signal),
      this.#notifications.run(stop.signal),
    ];
    try {
      await Promise.race([Promise.all(parts), ...parts.map(part => part.then(() => new Promise<never>(() => undefined)))]);
    } finally {
      stop.abort();
      signal.removeEventListener('abort', onAbort);
      await Promise.allSettled(parts);
    }
  }

  /** One analysis of every experiment that has new data, now. @returns the rows it stored */
  async analyseNow(stream: Stream): Promise<Verdict[]> {
    await this.#audit(stream);
    return this.#analyse(stream, (view, {cut}) => this.#looks.isNew(view, cut));
  }

  /** Nothing to do while tracing is off. */
  #tracedLoops(signal: AbortSignal): Promise<void>[] {
    const {factTraces} = this.#platform;
    if (factTraces === undefined) return [];
    return [this.#loop('traces', TRACES_EVERY_MS, signal, async stream => factTraces.look(stream, await newestCut(this.#platform, stream)))];
  }

  async #loop(name: string, everyMs: number | (() => number), signal: AbortSignal, work: (stream: Stream) => Promise<unknown>): Promise<void> {
    const {clock, closing, logger, metrics} = this.#platform;
    while (!signal.aborted) {
      await clock.sleep(typeof everyMs === 'number' ? everyMs : everyMs(), signal);
      for (const stream of closing.streams()) {
        if (signal.aborted) return;
        const startedAt = clock.now();
        try {
          await work(stream);
          metrics.observe('assay_jobs_round_seconds', (clock.now() - startedAt) / 1000, {job: name});
          metrics.gauge('assay_jobs_success_timestamp_seconds', clock.now() / 1000, {job: name});
        } catch (error) {
          metrics.count('assay_jobs_failures_total', 1, {job: name});
          if (!(error instanceof AssayError) || error.kind === 'fatal') throw error;
          logger.warn('job delayed', {job: name, stream: stream.name, error: messageOf(error)});
        }
      }
    }
  }

  async #audit(stream: Stream): Promise<void> {
    const report = await auditStream(this.#platform, stream, AUDIT_SLICES);
    this.#audits.set(stream.name, auditState(report, this.#platform.clock.now()));
  }

  /** Of those whose look is due and that have new data. */
  async #analyse(stream: Stream, isDue: LookPlan['isDue'] = (view, at) => this.#looks.isDue(view, at)): Promise<Verdict[]> {
    const cut = await newestCut(this.#platform, stream);
    if (cut === null) return [];
    const at = {now: this.#platform.clock.now(), cut};
    const due = this.#lookedAt(stream).filter(view => isDue(view, at));
    if (due.length === 0) return [];
    // After a start the first analysis may come before the first audit; evidence without one is no evidence.
    if (!this.#audits.has(stream.name)) await this.#audit(stream);
    const audit = this.#audits.get(stream.name);
    const rows: Verdict[] = [];
    for (const view of due) {
      const request = {stream, experiment: view.experiment, cut, live: true, ...(audit === undefined ? {} : {audit})};
      rows.push(...(await analyzeAndStore(this.#platform, request)));
      this.#looks.looked(view, at);
    }
    await this.#notifications.verdictsStored(rows);
    return rows;
  }

  /** An import's draft is analysed on demand only: nothing about it changes by itself. */
  #lookedAt(...streams: Stream[]): ExperimentView[] {
    const {registry, closing} = this.#platform;
    const names = (streams.length > 0 ? streams : closing.streams()).map(({name}) => name);
    return names.flatMap(name => currentViews(registry, name)).filter(({definition}) => !['draft', 'archived'].includes(definition.lifecycle));
  }

  /** An import is over, and a simulation has its own clock: guards act on what is live. */
  async #act(stream: Stream, act: typeof runBreakers): Promise<void> {
    if (stream.kind !== 'live') return;
    const {clock} = this.#platform;
    await act(this.#platform, {stream: stream.name, sliceMs: stream.sliceMs, now: clock.now()});
  }
}
