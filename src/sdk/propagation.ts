import {parseTraceparent} from '../core/tracing.ts';

/** What travels with a request through services: in memory, in HTTP headers, in Kafka headers. */
export type TraceContext = {
  readonly unitId?: string;
  /** W3C trace context: 00-<32 hex>-<16 hex>-<2 hex>. */
  readonly traceparent?: string;
  readonly sessionId?: string;
  readonly region?: string;
  /** Of the service or the model that serves the request. */
  readonly version?: string;
};

const HEADERS = {
  traceparent: 'traceparent',
  unitId: 'x-assay-unit',
  sessionId: 'x-assay-session',
  region: 'x-assay-region',
  version: 'x-assay-version',
} as const satisfies Record<keyof TraceContext, string>;

const FIELDS = Object.keys(HEADERS) as (keyof TraceContext)[];
/** A header longer than this is somebody's mistake. */
const VALUE_CHARS_MAX = 512;

/** Headers to send on with a request or a Kafka message. Values are percent-encoded: headers hold ASCII only. */
export function injectHeaders(context: TraceContext, into: Record<string, string> = {}): Record<string, string> {
  for (const field of FIELDS) {
    const value = context[field];
    if (value !== undefined) into[HEADERS[field]] = field === 'traceparent' ? value : encodeURIComponent(value);
  }
  return into;
}

type HeaderValue = string | Uint8Array | readonly (string | Uint8Array)[] | null | undefined;

/** The context in the headers of an HTTP request (Node's, a plain map) or a Kafka message (bytes). Broken values are passed over. */
export function extractHeaders(headers: Readonly<Record<string, HeaderValue>>): TraceContext {
  const context: {-readonly [field in keyof TraceContext]: string} = {};
  for (const field of FIELDS) {
    const value = headerText(headers[HEADERS[field]]);
    if (value === undefined || value === '' || value.length > VALUE_CHARS_MAX) continue;
    if (field !== 'traceparent') {
      const decoded = percentDecoded(value);
      if (decoded !== undefined) context[field] = decoded;
    } else if (parseTraceparent(value) !== null) context.traceparent = value;
  }
  return context;
}

/** The trace id inside a traceparent; '' without one. */
export const traceIdOf = (traceparent: string | undefined): string => (traceparent === undefined ? '' : (parseTraceparent(traceparent)?.traceId ?? ''));

function headerText(value: HeaderValue): string | undefined {
  const first = Array.isArray(value) ? (value as readonly (string | Uint8Array)[])[0] : (value as string | Uint8Array | null | undefined);
  if (first === null || first === undefined) return undefined;
  return typeof first === 'string' ? first : new TextDecoder().decode(first);
}

function percentDecoded(value: string): string | undefined {
  try {
    return decodeURIComponent(value);
  } catch {
    return undefined;
  }
}
