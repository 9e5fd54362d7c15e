import {digestOf} from '../core/canonical-json.ts';
import {messageOf} from '../core/errors.ts';
import type {Stream} from '../core/streams.ts';
import {factSpanId, hexOf, isTraceId, sentSpanId, type SpanPlace, type Tracing} from '../core/tracing.ts';
import {type EpochMs, epochMs} from '../core/units.ts';
import type {Verdict} from '../core/verdict.ts';
import {loadQuery} from '../warehouse/clickhouse/query-file.ts';
import type {Platform} from './platform.ts';

/** Facts told in one look: beyond it a collector has enough examples, and the jobs have other work. */
const FACTS_A_LOOK_MAX = 1_000;
/** Traces that a verdict names. */
const TRACES_A_VERDICT_MAX = 20;

type TracedFact = {
  readonly kind: 'exposure' | 'outcome';
  readonly trace_id: string;
  readonly id: string;
  readonly experiment: string;
  readonly variant: string;
  readonly phase: number;
  readonly status: string;
  readonly event_ms: number;
  readonly append_ms: number;
  readonly partition: number;
  readonly offset: number | string;
};

export type TracedAnalysis = {readonly stream: Stream; readonly experiment: string; readonly verdicts: readonly Verdict[]; readonly cut: EpochMs; readonly startedAt: EpochMs};

/**
 * The later part of a traced request's story: its events became facts, and a verdict counted
 * them. Read from the warehouse, so the path of events through a worker knows nothing of it.
 *
 *     service's trace:  observe ─► sent (SDK) ─► fact ─► verdict ┄┄link┄┄► analysis (a trace of its own)
 */
export class FactTraces {
  readonly #platform: Pick<Platform, 'warehouse' | 'clock' | 'rng' | 'logger'>;
  readonly #tracing: Tracing;
  /** By stream: facts up to here are told. */
  readonly #toldThrough = new Map<string, EpochMs>();
  /** By stream and experiment: the cut of the analysis before. */
  readonly #cuts = new Map<string, EpochMs>();

  constructor(platform: Pick<Platform, 'warehouse' | 'clock' | 'rng' | 'logger'>, tracing: Tracing) {
    this.#platform = platform;
    this.#tracing = tracing;
  }

  /** Tells the facts that became durable since the last look; what came before this process began is not told. */
  async look(stream: Stream, durableThrough: EpochMs | null): Promise<void> {
    if (durableThrough === null) return;
    const after = this.#toldThrough.get(stream.name);
    this.#toldThrough.set(stream.name, durableThrough);
    if (after === undefined || after >= durableThrough) return;
    const now = this.#platform.clock.now();
    for (const fact of await this.#read<TracedFact>('traced-facts', {stream: stream.name, after_ms: after, until_ms: durableThrough, limit: FACTS_A_LOOK_MAX})) {
      if (!isTraceId(fact.trace_id)) continue;
      const eventId = Buffer.from(fact.id, 'hex');
      const appended = epochMs(Number(fact.append_ms));
      this.#tracing.record({
        traceId: fact.trace_id,
        spanId: factSpanId(eventId),
        parentSpanId: sentSpanId(eventId),
        name: 'assay.fact',
        kind: 'consumer',
        startedAt: appended,
        endedAt: epochMs(Math.max(now, appended)),
        attributes: {
          'assay.kind': fact.kind, 'assay.stream': stream.name, 'assay.event_id': fact.id, 'messaging.system': 'assay', 'messaging.destination.partition.id': String(fact.partition), 'assay.offset': String(fact.offset),
          ...(fact.kind === 'exposure' ? {'assay.experiment': fact.experiment, 'assay.variant': fact.variant, 'assay.phase': Number(fact.phase)} : {'assay.status': fact.status}),
        },
      });
    }
  }

  /** Tells what an analysis decided, in a trace of its own and in the newest traces it counts for the first time. */
  async analysed({stream, experiment, verdicts: [first, ...others], cut, startedAt}: TracedAnalysis): Promise<void> {
    if (first === undefined) return;
    const {clock, rng} = this.#platform;
    const key = `${stream.name}\0${experiment}`;
    const after = this.#cuts.get(key);
    this.#cuts.set(key, cut);
    const counted = after === undefined || after >= cut ? [] : await this.#read<{trace_id: string; id: string}>('traced-outcomes', {stream: stream.name, experiment, after_ms: after, until_ms: cut, limit: TRACES_A_VERDICT_MAX});
    const facts = counted.filter(({trace_id: id}) => isTraceId(id)).map(({trace_id: traceId, id}): SpanPlace => ({traceId, spanId: factSpanId(Buffer.from(id, 'hex'))}));
    const endedAt = clock.now();
    const analysis: SpanPlace = {traceId: hexOf(rng.bytes(16)), spanId: hexOf(rng.bytes(8))};
    const attributes = {
      'assay.stream': stream.name, 'assay.experiment': experiment, 'assay.phase': first.phase, 'assay.config_version': first.config_version, 'assay.cut': new Date(cut).toISOString(),
      'assay.decisions': decisionsOf([first, ...others]), 'assay.verdict_id': first.verdict_id,
    };
    this.#tracing.record({...analysis, parentSpanId: null, name: 'assay.analysis', kind: 'internal', startedAt, endedAt, attributes, links: facts});
    for (const fact of facts) {
      const spanId = digestOf([first.verdict_id, fact.spanId]).slice(0, 16);
      this.#tracing.record({traceId: fact.traceId, spanId, parentSpanId: fact.spanId, name: 'assay.verdict', kind: 'internal', startedAt, endedAt, attributes, links: [analysis]});
    }
  }

  /** A trace that cannot be told is no reason to stop the jobs. */
  async #read<Row>(query: string, parameters: Readonly<Record<string, string | number>>): Promise<Row[]> {
    try {
      return (await this.#platform.warehouse.query(loadQuery(query), {parameters, rowsMax: FACTS_A_LOOK_MAX})) as Row[];
    } catch (error) {
      this.#platform.logger.warn('facts not traced', {error: messageOf(error)});
      return [];
    }
  }
}

/** `v2: ship, v3: keep_running`. */
function decisionsOf(verdicts: readonly Verdict[]): string {
  const byVariant = new Map(verdicts.map(({variant, decision}) => [variant, decision]));
  return [...byVariant].map(([variant, decision]) => `${variant}: ${decision}`).join(', ');
}
