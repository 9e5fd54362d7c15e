import type {AsyncLocalStorage} from 'node:async_hooks';
import {assign, type AssignRequest, type Assignment} from '../assign/assign.ts';
import {checkEvent} from '../avro/check-event.ts';
import {makeEventId} from '../avro/event-id.ts';
import {checkShape} from '../avro/shape.ts';
import type {Clock} from '../core/clock.ts';
import type {Event, OutcomeStatus} from '../core/events.ts';
import type {Rng} from '../core/rng.ts';
import type {Logger} from '../core/telemetry.ts';
import {hexOf, placeOf, sentSpanId, type Span, type SpanPlace, traceparentOf, type Tracing} from '../core/tracing.ts';
import type {ConfigSource} from './config-source.ts';
import type {SdkLimits} from './limits.ts';
import {observeCall, type ObservedCall} from './observe-call.ts';
import type {PriceTable} from './price-table.ts';
import type {Spend, SpendLedger} from './spend-ledger.ts';
import {extractHeaders, injectHeaders, type TraceContext, traceIdOf} from './propagation.ts';
import {Remembered} from './remembered.ts';
import {isUnitSampled, outcomeRate, Sampler} from './sampler.ts';
import type {Sender, SenderCounts} from './sender.ts';

/** Who meets an experiment; the unit may come from the context. */
export type TrackRequest = Omit<AssignRequest, 'unitId'> & {
  readonly unitId?: string;
  readonly itemId?: string;
  readonly sessionId?: string;
};

export type OutcomeRequest = {
  readonly unitId?: string;
  readonly measures?: Readonly<Record<string, number>>;
  readonly status?: OutcomeStatus;
  /** The prompt or test case that was answered: pairs variants in design `paired`. */
  readonly itemId?: string;
  /** experiment → variant, where one unit meets both (design `paired`). */
  readonly variantHint?: Readonly<Record<string, string>>;
  readonly attributes?: Readonly<Record<string, string>>;
};

export type ObserveRequest = Omit<OutcomeRequest, 'status'> & {
  /** The model asked for; the answer's own name wins. */
  readonly model?: string;
};

export type TrackerParts = {
  readonly sender: Sender;
  readonly spend: SpendLedger;
  /** Brings in what other processes spend. */
  readonly follower?: {close(): void};
  readonly config: ConfigSource;
  readonly context: AsyncLocalStorage<TraceContext>;
  readonly clock: Clock;
  readonly rng: Rng;
  readonly logger: Logger;
  readonly limits: SdkLimits;
  readonly monotonicMs: () => number;
  readonly prices: PriceTable;
  /** On every event: model_version, service, … */
  readonly attributes: Readonly<Record<string, string>>;
  /** experiment → variant to serve while its configuration is unknown. */
  readonly fallbacks: Readonly<Record<string, string>>;
  /** Gets spans of calls and events in traced contexts. */
  readonly tracing?: Tracing;
};

export type TrackerCounts = Readonly<SenderCounts> & {
  readonly queued: number;
  /** Not sent because their unit is not in the sample. */
  readonly sampledOut: number;
  /** Not sent because a worker would refuse them; the first reason is logged. */
  readonly invalid: number;
  readonly sampleRate: number;
};

/**
 * What a service holds: assigns units, and tells Assay what they met and how it
 * went. No call waits, none throws: what cannot be delivered is counted.
 */
export class Tracker {
  readonly #parts: TrackerParts;
  readonly #sampler = new Sampler();
  readonly #exposed: Remembered;
  #outcomeRate = 1;
  #sampledOut = 0;
  #invalid = 0;

  constructor(parts: TrackerParts) {
    this.#parts = parts;
    this.#exposed = new Remembered(Math.ceil(parts.limits.exposuresRememberedMax / 2));
    const learn = (): void => {
      this.#outcomeRate = outcomeRate(parts.config.current());
    };
    learn();
    parts.config.subscribe(learn);
  }

  /** Resolves true once the first configuration is here, false when the time is over first. Never rejects. */
  async ready(timeoutMs = 5_000): Promise<boolean> {
    const patience = new AbortController();
    const isOver = this.#parts.clock.sleep(timeoutMs, patience.signal).then(() => false);
    const isReady = await Promise.race([this.#parts.config.ready.then(() => true), isOver]);
    patience.abort();
    return isReady;
  }

  /** The unit's variant, by the newest configuration this process has. Tells nobody: see `expose`. */
  assign(experiment: string, request: TrackRequest = {}): Assignment {
    const version = this.#parts.config.current().experiments.get(experiment);
    if (version === undefined) {
      return {variant: this.#parts.fallbacks[experiment] ?? '', reason: 'fallback', cause: 'unknown_experiment', phase: 0, configVersion: 0};
    }
    const unitId = request.unitId ?? this.context().unitId ?? '';
    const assignment = assign(version, {...request, unitId});
    if (this.#parts.spend.isIdle || assignment.cause !== 'slot') return assignment;
    const spend = this.budget({unitId, ...(request.attributes === undefined ? {} : {attributes: request.attributes})});
    const cheaper = spend?.tier === 'switch' || spend?.tier === 'block' ? spend.budget.cheaper?.[experiment] : undefined;
    const isServed = version.definition.variants.some(({key}) => key === cheaper);
    return cheaper === undefined || !isServed || cheaper === assignment.variant ? assignment : {...assignment, variant: cheaper, reason: 'fallback', cause: 'budget'};
  }

  /** How far a unit, or the tenant in its attributes, is into the tightest of its budgets; undefined without one. Of `block` the caller should not call at all. */
  budget(request: Pick<TrackRequest, 'unitId' | 'attributes'> = {}): Spend | undefined {
    return this.#parts.spend.worst(this.#spender(request));
  }

  /**
   * The unit's variant, and the event that the unit met it: once per experiment,
   * phase, unit and variant. Units outside the experiment send nothing.
   */
  expose(experiment: string, request: TrackRequest = {}): Assignment {
    const assignment = this.assign(experiment, request);
    this.#guarded(() => {
      if (!EXPOSING.has(assignment.cause)) return;
      const context = this.context();
      const unitId = request.unitId ?? context.unitId ?? '';
      const version = this.#parts.config.current().experiments.get(experiment);
      const sampleRate = this.#admitted(unitId, version?.definition.sampleRate ?? 1);
      if (sampleRate === undefined) return;
      const {variant, phase, configVersion, reason} = assignment;
      if (!this.#exposed.add(`${experiment}\0${phase}\0${unitId}\0${variant}\0${reason}`)) return;
      this.#send({
        kind: 'exposure', experiment, variant, phase, configVersion, reason,
        sessionId: request.sessionId ?? context.sessionId ?? null,
        ...this.#shared({unitId, itemId: request.itemId, attributes: request.attributes, sampleRate}),
      });
    });
    return assignment;
  }

  /** A measured result of a unit. */
  outcome(request: OutcomeRequest): void {
    this.#guarded(() => {
      if (request.measures !== undefined && !this.#parts.spend.isIdle) this.#parts.spend.add(this.#spender(request), request.measures);
      const unitId = request.unitId ?? this.context().unitId ?? '';
      const sampleRate = this.#admitted(unitId, this.#outcomeRate);
      if (sampleRate === undefined) return;
      this.#send({
        kind: 'outcome',
        variantHint: request.variantHint ?? NOTHING,
        measures: request.measures ?? NOTHING,
        status: request.status ?? 'ok',
        ...this.#shared({unitId, itemId: request.itemId, attributes: request.attributes, sampleRate}),
      });
    });
  }

  /**
   * Runs an LLM call and sends an outcome with its latency, time to first token,
   * tokens, cost and error class. Answer and error pass through unchanged; of a
   * stream the outcome is sent when the caller has read it.
   */
  observe<T>(request: ObserveRequest, call: () => PromiseLike<T> | T): Promise<T> {
    const {prices, monotonicMs} = this.#parts;
    // The stream may be read elsewhere: what is known of the request is known now.
    const outer = this.context();
    const span = this.#openSpan(outer);
    const context = span === null ? outer : {...outer, traceparent: traceparentOf(span)};
    const startedAt = this.#parts.clock.now();
    const onDone = ({status, measures, model}: ObservedCall): void => {
      if (span !== null) this.#tell({...span, name: 'assay.observe', kind: 'client', startedAt, attributes: {...(model === undefined ? {} : {'gen_ai.response.model': model}), ...measuresShown(measures)}, ...(status === 'ok' ? {} : {error: status})});
      const attributes = {...request.attributes, ...(model === undefined ? {} : {model: model.slice(0, this.#parts.limits.modelCharsMax)})};
      this.#parts.context.run(context, () => this.outcome({...request, status, measures: {...measures, ...request.measures}, attributes}));
    };
    return observeCall(span === null ? call : () => this.#parts.context.run(context, call), {prices, monotonicMs, onDone, ...(request.model === undefined ? {} : {model: request.model})});
  }

  /** Runs `work` with this context around everything it calls; what the outer context says and this does not, stays. */
  run<T>(context: TraceContext, work: () => T): T {
    const inner = {...this.context(), ...context};
    return this.#parts.context.run(this.#parts.tracing !== undefined && inner.traceparent === undefined ? {...inner, traceparent: this.#newTrace()} : inner, work);
  }

  context(): TraceContext {
    return this.#parts.context.getStore() ?? NO_CONTEXT;
  }

  /** Headers that carry the context on, over HTTP or Kafka. */
  inject(into: Record<string, string> = {}): Record<string, string> {
    return injectHeaders(this.context(), into);
  }

  /** The context that a request or a message came with; give it to `run`. */
  extract(headers: Parameters<typeof extractHeaders>[0]): TraceContext {
    return extractHeaders(headers);
  }

  /** Called after each change of the configuration. Returns how to stop. */
  onConfig(listener: () => void): () => void {
    return this.#parts.config.subscribe(listener);
  }

  /** Whether the configuration in force is the last good one of a source that cannot be reached. */
  get isConfigAway(): boolean {
    return this.#parts.config.isAway;
  }

  counts(): TrackerCounts {
    const {sender} = this.#parts;
    return {...sender.counts, queued: sender.queued, sampledOut: this.#sampledOut, invalid: this.#invalid, sampleRate: this.#sampler.rate};
  }

  /** Resolves true once everything is delivered, false when the time is over first. */
  flush(timeoutMs = this.#parts.limits.closeMsMax): Promise<boolean> {
    return this.#parts.sender.flush(timeoutMs);
  }

  /** Delivers what it can in this time; the rest goes to the spool, or is counted as dropped. */
  async close(timeoutMs = this.#parts.limits.closeMsMax): Promise<void> {
    this.#parts.follower?.close();
    await this.#parts.sender.close(timeoutMs);
    await this.#parts.config.close();
    await this.#parts.tracing?.close();
  }

  #spender({unitId, attributes}: Pick<TrackRequest, 'unitId' | 'attributes'>): {unitId: string; attributes: Readonly<Record<string, string>>} {
    return {unitId: unitId ?? this.context().unitId ?? '', attributes: {...this.#parts.attributes, ...attributes}};
  }

  /** The rate to send with; undefined when the unit is not in the sample. */
  #admitted(unitId: string, configured: number): number | undefined {
    const {sender, clock} = this.#parts;
    this.#sampler.adapt(sender.pressure, clock.now());
    const rate = Math.min(configured, this.#sampler.rate);
    if (isUnitSampled(unitId, rate)) return rate;
    this.#sampledOut += 1;
    return undefined;
  }

  #shared(given: {unitId: string; itemId: string | undefined; attributes: Readonly<Record<string, string>> | undefined; sampleRate: number}) {
    const {clock, rng} = this.#parts;
    const {traceparent, region, version} = this.context();
    const eventTs = clock.now();
    return {
      eventId: makeEventId(eventTs, rng.bytes(10)),
      unitId: given.unitId,
      eventTs,
      itemId: given.itemId ?? null,
      sampleRate: given.sampleRate,
      traceId: traceIdOf(traceparent),
      attributes: {
        ...this.#parts.attributes,
        ...(region === undefined ? {} : {region}),
        ...(version === undefined ? {} : {version}),
        ...given.attributes,
      },
    };
  }

  #send(event: Event): void {
    const now = event.eventTs;
    const problem = checkShape(event) ?? checkEvent(event, {appendTs: now, arrivalTs: now, maxAgeMs: null});
    if (problem !== null) {
      this.#refuse(problem.message);
      return;
    }
    this.#parts.sender.offer({event, headers: injectHeaders(this.context())});
    const parent = this.#parts.tracing === undefined ? null : placeOf(this.context().traceparent);
    if (parent === null) return;
    const about: Record<string, string> = event.kind === 'exposure' ? {'assay.experiment': event.experiment, 'assay.variant': event.variant} : {'assay.status': event.status};
    this.#tell({...parent, spanId: sentSpanId(event.eventId), parentSpanId: parent.spanId, name: `assay.${event.kind}`, kind: 'producer', startedAt: now, attributes: {...about, 'assay.event_id': hexOf(event.eventId)}});
  }

  /** A place below the context's span; null outside a sampled trace or without tracing. */
  #openSpan(context: TraceContext): (SpanPlace & {readonly parentSpanId: string}) | null {
    const {tracing, rng} = this.#parts;
    const parent = tracing === undefined ? null : placeOf(context.traceparent);
    return parent === null ? null : {traceId: parent.traceId, spanId: hexOf(rng.bytes(8)), parentSpanId: parent.spanId};
  }

  /** Where no caller brought a trace, work that belongs together gets one, with a first span of its own. */
  #newTrace(): string {
    const {rng} = this.#parts;
    const place = {traceId: hexOf(rng.bytes(16)), spanId: hexOf(rng.bytes(8))};
    this.#tell({...place, parentSpanId: null, name: 'assay.run', kind: 'internal', startedAt: this.#parts.clock.now(), attributes: {}});
    return traceparentOf(place);
  }

  #tell(span: Omit<Span, 'endedAt'>): void {
    this.#guarded(() => this.#parts.tracing?.record({...span, endedAt: this.#parts.clock.now()}));
  }

  #refuse(reason: string): void {
    this.#invalid += 1;
    if (this.#invalid === 1) this.#parts.logger.warn('event refused', {reason});
  }

  /** Whatever goes wrong in here is ours, and the caller has other work. */
  #guarded(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#refuse(String(error));
    }
  }
}

/** An assignment for one of these causes is something the unit met. */
const EXPOSING: ReadonlySet<string> = new Set(['slot', 'override', 'budget', 'error']);
const NOTHING = Object.freeze({});
const NO_CONTEXT: TraceContext = Object.freeze({});

/** Numbers of a call under the names of OpenTelemetry's conventions where it has one. */
function measuresShown(measures: Readonly<Record<string, number>>): Record<string, number> {
  const names: Readonly<Record<string, string>> = {tokens_in: 'gen_ai.usage.input_tokens', tokens_out: 'gen_ai.usage.output_tokens'};
  return Object.fromEntries(Object.entries(measures).map(([name, value]) => [names[name] ?? `assay.${name}`, value]));
}
