import {checkEvent} from '../avro/check-event.ts';
import {checkShape} from '../avro/shape.ts';
import {AssayError, messageOf} from '../core/errors.ts';
import type {Event} from '../core/events.ts';
import {LIMITS} from '../core/limits.ts';
import type {Metrics} from '../core/telemetry.ts';
import {parseTraceparent} from '../core/tracing.ts';
import type {EventLog} from '../log/event-log.ts';
import {type FieldProblem, type ParseContext, parseEvent} from './parse-event.ts';

export type AcceptResult = {
  readonly accepted: number;
  readonly errors: readonly (FieldProblem & {readonly index: number})[];
};

export type DoorOptions = {
  readonly log: EventLog;
  readonly topic: string;
  readonly encode: (event: Event) => Uint8Array;
  readonly context: ParseContext;
  readonly metrics: Metrics;
  /** Older events would become dead letters; null (the default) leaves their age to the worker. */
  readonly maxAgeMs?: number | null;
};

/** The log is slow or away: the caller should come back after `retryAfterSeconds`. */
export class BusyError extends Error {
  override readonly name = 'BusyError';
  readonly retryAfterSeconds: number;

  constructor(message: string, retryAfterSeconds: number) {
    super(message);
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** An append slower than this answers 429; the records may still become durable, and their ids make a retry safe. */
const APPEND_MS_MAX = 5_000;

/**
 * The HTTP door for services without the SDK: JSON events in, durable records out.
 * Bytes under way are bounded; beyond that callers are told to come back.
 */
export class EventDoor {
  readonly #options: DoorOptions;
  #bytesUnderWay = 0;

  constructor(options: DoorOptions) {
    this.#options = options;
  }

  /**
   * Valid events are durable when this resolves; the others are named one by one.
   * Without a trace of its own an event gets that of the request's W3C `traceparent`, if there is one.
   * @throws BusyError when the log is slow or away.
   */
  async accept(values: readonly unknown[], {traceparent}: {readonly traceparent?: string} = {}): Promise<AcceptResult> {
    const traceId = parseTraceparent(traceparent ?? '')?.traceId;
    const context = traceId === undefined ? this.#options.context : {...this.#options.context, traceId};
    const errors: (FieldProblem & {index: number})[] = [];
    const records: {key: string; value: Uint8Array}[] = [];
    for (const [index, value] of values.entries()) {
      const parsed = parseEvent(value, context);
      const problems = parsed.ok ? this.#problemsOf(parsed.event) : parsed.problems;
      if (parsed.ok && problems.length === 0) {
        const bytes = this.#options.encode(parsed.event);
        if (bytes.length <= LIMITS.eventBytesMax) {
          records.push({key: parsed.event.unitId, value: bytes});
          continue;
        }
        errors.push({index, field: '', message: `the event has ${bytes.length} bytes encoded, at most ${LIMITS.eventBytesMax} are taken; leave texts out`});
      }
      for (const problem of problems) errors.push({index, ...problem});
    }
    if (records.length > 0) await this.#append(records);
    this.#options.metrics.count('assay_ingest_events_total', records.length);
    if (errors.length > 0) this.#options.metrics.count('assay_ingest_refused_events_total', values.length - records.length);
    return {accepted: records.length, errors};
  }

  /** What a worker would refuse is named now: a dead letter tells its sender nothing. */
  #problemsOf(event: Event): FieldProblem[] {
    const now = this.#options.context.clock.now();
    const arrival = {appendTs: now, arrivalTs: now, maxAgeMs: this.#options.maxAgeMs ?? null};
    const problem = checkShape(event) ?? checkEvent(event, arrival);
    if (problem === null) return [];
    // Messages of these checks begin with the field.
    const at = problem.message.indexOf(': ');
    return [{field: problem.message.slice(0, at), message: problem.message.slice(at + 2)}];
  }

  async #append(records: readonly {key: string; value: Uint8Array}[]): Promise<void> {
    const bytes = records.reduce((sum, {value}) => sum + value.length, 0);
    if (this.#bytesUnderWay > 0 && this.#bytesUnderWay + bytes > LIMITS.inFlightBytesMax) {
      throw new BusyError('the event log is slower than its callers; send again after the time in Retry-After', 1);
    }
    this.#bytesUnderWay += bytes;
    const appended = this.#options.log.append(this.#options.topic, records).finally(() => {
      this.#bytesUnderWay -= bytes;
    });
    // A late failure after the answer was sent has nobody to tell but the counter.
    appended.catch(() => this.#options.metrics.count('assay_ingest_append_failures_total'));
    let timer: NodeJS.Timeout | undefined;
    const tooSlow = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new BusyError('the event log did not confirm in time; send again with the same event_id', 2)), APPEND_MS_MAX);
    });
    try {
      await Promise.race([appended, tooSlow]);
    } catch (error) {
      if (error instanceof AssayError && error.kind === 'retry') throw new BusyError(messageOf(error), 2);
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }
}
