import type {EventId} from './events.ts';
import type {EpochMs} from './units.ts';

/** Where a span stands: ids are lower-case hex, 32 and 16 digits. */
export type SpanPlace = {readonly traceId: string; readonly spanId: string};

/** A finished piece of work of one trace. */
export type Span = SpanPlace & {
  /** null for the first of its trace. */
  readonly parentSpanId: string | null;
  readonly name: string;
  readonly kind: 'internal' | 'server' | 'client' | 'producer' | 'consumer';
  readonly startedAt: EpochMs;
  readonly endedAt: EpochMs;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
  /** Spans of other traces that this one rests on. */
  readonly links?: readonly SpanPlace[];
  /** What went wrong; absent when nothing did. */
  readonly error?: string;
};

/** Where finished spans go. Never waits, never throws. */
export interface Tracing {
  record(span: Span): void;
  /** Sends what is queued. */
  close(): Promise<void>;
}

/** Version 00 ends after the flags; later versions may go on after a dash; there is no version ff. */
const TRACEPARENT = /^(?:00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})|(?!00|ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?)$/;

/** What a W3C `traceparent` says, sampled or not; null when it is malformed, which the standard says to ignore. */
export function parseTraceparent(header: string): (SpanPlace & {readonly isSampled: boolean}) | null {
  const [, ...parts] = TRACEPARENT.exec(header) ?? [];
  const [traceId = '', spanId = '', flags = ''] = parts.filter(part => part !== undefined);
  return isTraceId(traceId) && /[^0]/.test(spanId) ? {traceId, spanId, isSampled: (Number.parseInt(flags, 16) & 1) === 1} : null;
}

/** The trace and the span of a W3C `traceparent`; null when it is none, or its sender chose not to sample. */
export function placeOf(traceparent: string | undefined): SpanPlace | null {
  const parsed = parseTraceparent(traceparent ?? '');
  return parsed?.isSampled === true ? {traceId: parsed.traceId, spanId: parsed.spanId} : null;
}

export const traceparentOf = ({traceId, spanId}: SpanPlace): string => `00-${traceId}-${spanId}-01`;

export const isTraceId = (text: string): boolean => /^[0-9a-f]{32}$/.test(text) && /[^0]/.test(text);

export const hexOf = (bytes: Uint8Array): string => Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('');

/*
 * Spans about one event are made in several processes, and a fact keeps its trace but no
 * span. So their ids come from the event's own id, whose last eight bytes are random.
 */

/** Of the span in which a service sent an event. */
export const sentSpanId = (eventId: EventId): string => hexOf(eventId.subarray(8));

/** Of the span in which the event became a fact. */
export const factSpanId = (eventId: EventId): string => hexOf(eventId.subarray(8).map(byte => byte ^ 0xff));
