import {createServer} from 'node:http';
import type {AddressInfo} from 'node:net';

export type ReceivedSpan = {
  readonly service: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly name: string;
  readonly kind: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly links: readonly {readonly traceId: string; readonly spanId: string}[];
  readonly error: string | undefined;
};

export type OtlpReceiver = {
  readonly url: string;
  readonly spans: ReceivedSpan[];
  readonly requests: {readonly path: string; readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>}[];
  close(): Promise<void>;
};

type Value = {stringValue?: string; intValue?: string | number; doubleValue?: number; boolValue?: boolean};
type WireSpan = {
  traceId: string; spanId: string; parentSpanId?: string; name: string; kind: number; startTimeUnixNano: string; endTimeUnixNano: string;
  attributes?: {key: string; value: Value}[]; links?: {traceId: string; spanId: string}[]; status?: {code?: number; message?: string};
};
type Payload = {resourceSpans: {resource: {attributes: {key: string; value: Value}[]}; scopeSpans: {spans: WireSpan[]}[]}[]};

const plain = ({stringValue, intValue, doubleValue, boolValue}: Value): unknown => stringValue ?? boolValue ?? doubleValue ?? Number(intValue);
const mapOf = (attributes: {key: string; value: Value}[] = []): Record<string, unknown> => Object.fromEntries(attributes.map(({key, value}) => [key, plain(value)]));

/** A collector of this machine that takes OTLP's JSON over HTTP and keeps what it got. */
export async function openOtlpReceiver({status = 200}: {readonly status?: number} = {}): Promise<OtlpReceiver> {
  const spans: ReceivedSpan[] = [];
  const requests: OtlpReceiver['requests'] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      requests.push({path: request.url ?? '', headers: request.headers});
      if (status === 200) {
        const payload = JSON.parse(Buffer.concat(chunks).toString('utf8')) as Payload;
        for (const {resource, scopeSpans} of payload.resourceSpans) {
          const service = String(mapOf(resource.attributes)['service.name']);
          for (const span of scopeSpans.flatMap(scope => scope.spans)) spans.push(received(service, span));
        }
      }
      response.writeHead(status, {'content-type': 'application/json'}).end('{}');
    });
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const {port} = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    spans,
    requests,
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

const received = (service: string, span: WireSpan): ReceivedSpan => ({
  service,
  traceId: span.traceId,
  spanId: span.spanId,
  parentSpanId: span.parentSpanId === '' ? undefined : span.parentSpanId,
  name: span.name,
  kind: span.kind,
  startMs: Number(BigInt(span.startTimeUnixNano) / 1_000_000n),
  endMs: Number(BigInt(span.endTimeUnixNano) / 1_000_000n),
  attributes: mapOf(span.attributes),
  links: (span.links ?? []).map(({traceId, spanId}) => ({traceId, spanId})),
  error: span.status?.code === 2 ? span.status.message : undefined,
});
