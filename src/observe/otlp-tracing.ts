import {messageOf} from '../core/errors.ts';
import {type Logger, SILENT_LOGGER} from '../core/telemetry.ts';
import type {Span, Tracing} from '../core/tracing.ts';

export type OtlpOptions = {
  /** Where spans are posted: a collector's base address, or one that ends in /v1/traces. */
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Share of traces that are told, decided by the trace id: the same ones in every process. */
  readonly sampleShare?: number;
  readonly serviceName: string;
  readonly version?: string;
  readonly logger?: Logger;
};

/** Spans that wait for the exporter at most; a collector that is away costs this much memory and no more. */
const SPANS_QUEUED_MAX = 2_048;
const EXPORT_EVERY_MS = 2_000;
const EXPORT_MS_MAX = 5_000;
/** Attribute values are cut: names of experiments come from services. */
const VALUE_CHARS_MAX = 512;

/**
 * Posts spans to an OpenTelemetry collector as OTLP over HTTP (JSON). The libraries are loaded
 * with the first span, so that a process without tracing pays nothing for them.
 */
export function openOtlpTracing(options: OtlpOptions): Tracing {
  const {logger = SILENT_LOGGER} = options;
  const early: Span[] = [];
  let exporter: Exporter | null = null;
  let opening: Promise<void> | null = null;
  const open = (): Promise<void> =>
    openExporter(options).then(
      opened => {
        exporter = opened;
        for (const span of early.splice(0)) opened.record(span);
      },
      (error: unknown) => {
        early.length = 0;
        logger.warn('tracing is off: its libraries cannot be loaded', {error: messageOf(error)});
      },
    );
  return {
    record: span => {
      opening ??= open();
      if (exporter !== null) exporter.record(span);
      else if (early.length < SPANS_QUEUED_MAX) early.push(span);
    },
    close: async () => {
      await opening;
      await exporter?.close();
    },
  };
}

type Exporter = {record(span: Span): void; close(): Promise<void>};

async function openExporter({url, headers = {}, sampleShare = 1, serviceName, version = '', logger = SILENT_LOGGER}: OtlpOptions): Promise<Exporter> {
  const [api, sdk, {OTLPTraceExporter}, {resourceFromAttributes}] = await Promise.all([
    import('@opentelemetry/api'),
    import('@opentelemetry/sdk-trace'),
    import('@opentelemetry/exporter-trace-otlp-http'),
    import('@opentelemetry/resources'),
  ]);
  // What a collector refuses would be lost in silence; one line until it works again is enough.
  const failed = once((message: string) => logger.warn('spans not delivered', {error: message}));
  api.diag.setLogger({error: failed, warn: failed, info: nothing, debug: nothing, verbose: nothing}, {logLevel: api.DiagLogLevel.WARN, suppressOverrideMessage: true});
  const ids = {spanId: '', traceId: ''};
  const provider = new sdk.TracerProvider({
    resource: resourceFromAttributes({'service.name': serviceName, ...(version === '' ? {} : {'service.version': version})}),
    sampler: new sdk.TraceIdRatioBasedSampler(sampleShare),
    idGenerator: {generateSpanId: () => ids.spanId, generateTraceId: () => ids.traceId},
    spanLimits: {attributeValueLengthLimit: VALUE_CHARS_MAX},
    spanProcessors: [
      new sdk.BatchSpanProcessor({
        exporter: new OTLPTraceExporter({url: tracesUrl(url), headers: {...headers}, timeoutMillis: EXPORT_MS_MAX}),
        maxQueueSize: SPANS_QUEUED_MAX,
        scheduledDelayMillis: EXPORT_EVERY_MS,
        exportTimeoutMillis: EXPORT_MS_MAX,
      }),
    ],
  });
  const tracer = provider.getTracer('assay', version);
  const KINDS = {internal: api.SpanKind.INTERNAL, server: api.SpanKind.SERVER, client: api.SpanKind.CLIENT, producer: api.SpanKind.PRODUCER, consumer: api.SpanKind.CONSUMER} as const;
  const contextOf = (traceId: string, spanId: string) => ({traceId, spanId, traceFlags: api.TraceFlags.SAMPLED, isRemote: true});
  return {
    record: span => {
      const {traceId, spanId, parentSpanId, name, kind, startedAt, endedAt, attributes, links = [], error} = span;
      ids.spanId = spanId;
      ids.traceId = traceId;
      const parent = parentSpanId === null ? api.ROOT_CONTEXT : api.trace.setSpanContext(api.ROOT_CONTEXT, contextOf(traceId, parentSpanId));
      const started = tracer.startSpan(name, {kind: KINDS[kind], startTime: startedAt, attributes: {...attributes}, links: links.map(link => ({context: contextOf(link.traceId, link.spanId)}))}, parent);
      if (error !== undefined) started.setStatus({code: api.SpanStatusCode.ERROR, message: error});
      started.end(endedAt);
    },
    close: () => provider.shutdown().catch((error: unknown) => failed(messageOf(error))),
  };
}

/** As OTEL_EXPORTER_OTLP_ENDPOINT is read: a base address gets the path of traces. */
export const tracesUrl = (url: string): string => (/\/v1\/traces\/?$/.test(url) ? url : `${url.replace(/\/+$/, '')}/v1/traces`);

const nothing = (): void => undefined;

function once(tell: (message: string) => void): (message: string) => void {
  let isTold = false;
  return message => {
    if (isTold) return;
    isTold = true;
    tell(message);
  };
}
