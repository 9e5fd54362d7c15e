import {afterEach, describe, expect, test} from 'vitest';
import {seededRng} from '../../src/core/rng.ts';
import {SILENT_LOGGER} from '../../src/core/telemetry.ts';
import {factSpanId, hexOf, placeOf, sentSpanId, type Span} from '../../src/core/tracing.ts';
import {durationMs, epochMs} from '../../src/core/units.ts';
import {loadConfig} from '../../src/config/load.ts';
import {openOtlpTracing, tracesUrl} from '../../src/observe/otlp-tracing.ts';
import {FactTraces} from '../../src/roles/fact-traces.ts';
import {SYSTEM_CLOCK} from '../../src/roles/system.ts';
import {openTracing} from '../../src/roles/wire-tracing.ts';
import {makeVerdict} from '../report/make-verdict.ts';
import {call, openTestServer} from '../web/test-server.ts';
import {openOtlpReceiver, type OtlpReceiver} from './otlp-receiver.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT = '00f067aa0ba902b7';
const AT = Date.parse('2026-11-21T08:00:00.000Z');

const span = (over: Partial<Span> = {}): Span => ({
  traceId: TRACE, spanId: 'a'.repeat(16), parentSpanId: PARENT, name: 'assay.fact', kind: 'consumer', startedAt: epochMs(AT), endedAt: epochMs(AT + 250), attributes: {'assay.offset': '7', n: 3}, ...over,
});

let open: {close(): Promise<void>}[] = [];
afterEach(async () => {
  for (const one of open) await one.close();
  open = [];
});
const receiver = async (options = {}): Promise<OtlpReceiver> => {
  const opened = await openOtlpReceiver(options);
  open.push(opened);
  return opened;
};

describe('spans as OTLP over HTTP', () => {
  test('ids, parent, times, kind, attributes, links and errors arrive as they were told, with the headers', async () => {
    const collector = await receiver();
    const tracing = openOtlpTracing({url: collector.url, headers: {authorization: 'Bearer t'}, serviceName: 'assay-jobs', version: '1'});
    tracing.record(span({links: [{traceId: 'c'.repeat(32), spanId: 'd'.repeat(16)}]}));
    tracing.record(span({spanId: 'b'.repeat(16), parentSpanId: null, kind: 'server', error: 'answered 500'}));
    await tracing.close();
    expect(collector.requests.map(({path, headers}) => [path, headers['authorization']])).toEqual([['/v1/traces', 'Bearer t']]);
    expect(collector.spans).toEqual([
      {service: 'assay-jobs', traceId: TRACE, spanId: 'a'.repeat(16), parentSpanId: PARENT, name: 'assay.fact', kind: 5, startMs: AT, endMs: AT + 250, attributes: {'assay.offset': '7', n: 3}, links: [{traceId: 'c'.repeat(32), spanId: 'd'.repeat(16)}], error: undefined},
      expect.objectContaining({traceId: TRACE, spanId: 'b'.repeat(16), parentSpanId: undefined, kind: 2, error: 'answered 500'}),
    ]);
  });

  test('the share of traces is a function of the trace id, the same in every process', async () => {
    const rng = seededRng(11);
    const ids = Array.from({length: 400}, () => hexOf(rng.bytes(16)));
    const told = async (service: string): Promise<string[]> => {
      const collector = await receiver();
      const tracing = openOtlpTracing({url: collector.url, serviceName: service, sampleShare: 0.25});
      for (const traceId of ids) tracing.record(span({traceId}));
      await tracing.close();
      return collector.spans.map(({traceId}) => traceId).sort();
    };
    const [one, other] = [await told('a'), await told('b')];
    expect(one).toEqual(other);
    expect(one.length).toBeGreaterThan(60);
    expect(one.length).toBeLessThan(140);
  });

  test.each([['refuses', 400], ['is away', 0]])('a collector that %s costs one line in the log and no more', async (_name, status) => {
    const lines: string[] = [];
    const collector = await receiver({status});
    if (status === 0) await collector.close();
    const tracing = openOtlpTracing({url: collector.url, serviceName: 'a', logger: {...SILENT_LOGGER, warn: message => lines.push(message)}});
    for (let index = 0; index < 3_000; index += 1) tracing.record(span());
    await tracing.close();
    expect(lines).toEqual(['spans not delivered']);
  });

  test('the address of a collector, and of its traces', () => {
    expect(['http://c:4318', 'http://c:4318/', 'http://c:4318/v1/traces', 'https://c/otlp'].map(tracesUrl)).toEqual(['http://c:4318/v1/traces', 'http://c:4318/v1/traces', 'http://c:4318/v1/traces', 'https://c/otlp/v1/traces']);
  });
});

describe('places in a trace', () => {
  test.each([
    [`00-${TRACE}-${PARENT}-01`, {traceId: TRACE, spanId: PARENT}],
    [`00-${TRACE}-${PARENT}-00`, null],
    [`00-${'0'.repeat(32)}-${PARENT}-01`, null],
    [`00-${TRACE}-${'0'.repeat(16)}-01`, null],
    ['garbage', null],
    [undefined, null],
  ])('%s', (header, place) => {
    expect(placeOf(header)).toEqual(place);
  });

  test('an event’s two spans have ids of their own', () => {
    const id = new Uint8Array([...Array(16).keys()]);
    expect([sentSpanId(id), factSpanId(id)]).toEqual(['08090a0b0c0d0e0f', 'f7f6f5f4f3f2f1f0']);
  });
});

describe('configuration', () => {
  const config = (options: Record<string, string>) => loadConfig({env: Object.fromEntries(Object.entries(options).map(([name, value]) => [`ASSAY_TRACING_${name}`, value])), flags: {}});
  const opening = (options: Record<string, string>) => () => openTracing(config(options), {role: 'server', logger: SILENT_LOGGER});

  test('off by default; a wrong address or header is named', () => {
    expect(opening({})()).toBe(null);
    expect(opening({OTLP_URL: 'collector:4318'})).toThrow(/tracing\.otlp_url must be an address/);
    expect(opening({OTLP_URL: 'http://c', OTLP_HEADERS: 'nonsense'})).toThrow(/tracing\.otlp_headers must be name=value/);
    expect(opening({OTLP_URL: 'http://c', OTLP_HEADERS: 'a=b,c=d=e'})()).not.toBe(null);
  });
});

describe('where spans come from', () => {
  const recorder = () => {
    const spans: Span[] = [];
    return {spans, tracing: {record: (one: Span) => void spans.push(one), close: () => Promise.resolve()}};
  };
  const stream = {name: 'live', kind: 'live', topic: 't', latenessMs: durationMs(1), sliceMs: durationMs(1_000), maxAgeMs: null, partitions: 1} as const;
  const EVENT = '0199f0c2aaaa7bbb8ccc001122334455';
  const fact = {kind: 'exposure', trace_id: TRACE, id: EVENT, experiment: 'e', variant: 'v2', phase: 1, status: '', event_ms: AT, append_ms: AT + 5, partition: 2, offset: '41'};

  test('a fact is told once, as a child of the span that sent it; a verdict in the traces it counts first', async () => {
    const {spans, tracing} = recorder();
    const asked: unknown[] = [];
    const query = (sql: string, options?: {parameters?: unknown}) => {
      asked.push(options?.parameters);
      return Promise.resolve(sql.includes('FROM exposures\n') ? [fact, {...fact, trace_id: 'not-a-trace'}] : [{trace_id: TRACE, id: EVENT}]);
    };
    const traces = new FactTraces({warehouse: {query} as never, clock: SYSTEM_CLOCK, rng: seededRng(3), logger: SILENT_LOGGER}, tracing);
    await traces.look(stream, null);
    await traces.look(stream, epochMs(AT));
    await traces.look(stream, epochMs(AT));
    expect(asked).toEqual([]);
    await traces.look(stream, epochMs(AT + 1_000));
    expect(asked).toEqual([{stream: 'live', after_ms: AT, until_ms: AT + 1_000, limit: 1_000}]);
    expect(spans).toEqual([expect.objectContaining({name: 'assay.fact', traceId: TRACE, parentSpanId: '8ccc001122334455', spanId: '7333ffeeddccbbaa', startedAt: AT + 5})]);
    const verdicts = [makeVerdict(), makeVerdict({metric: 'other'}), makeVerdict({variant: 'v3', decision: 'keep_running'})];
    const request = {stream, experiment: 'e', verdicts, startedAt: epochMs(AT)};
    await traces.analysed({...request, cut: epochMs(AT + 500)});
    await traces.analysed({...request, cut: epochMs(AT + 900)});
    const [first, second, counted] = spans.slice(1);
    expect([first?.name, first?.links, second?.name, counted?.name]).toEqual(['assay.analysis', [], 'assay.analysis', 'assay.verdict']);
    expect(second).toMatchObject({parentSpanId: null, links: [{traceId: TRACE, spanId: '7333ffeeddccbbaa'}], attributes: {'assay.decisions': 'v2: ship, v3: keep_running', 'assay.verdict_id': verdicts[0]?.verdict_id}});
    expect(counted).toMatchObject({traceId: TRACE, parentSpanId: '7333ffeeddccbbaa', links: [{traceId: second?.traceId, spanId: second?.spanId}]});
  });

  test('a warehouse that does not answer stops nothing', async () => {
    const {spans, tracing} = recorder();
    const traces = new FactTraces({warehouse: {query: () => Promise.reject(new Error('away'))} as never, clock: SYSTEM_CLOCK, rng: seededRng(3), logger: SILENT_LOGGER}, tracing);
    await traces.look(stream, epochMs(AT));
    await traces.look(stream, epochMs(AT + 1));
    await traces.analysed({stream, experiment: 'e', verdicts: [makeVerdict()], cut: epochMs(AT), startedAt: epochMs(AT)});
    expect(spans.map(({name}) => name)).toEqual(['assay.analysis']);
  });

  test('a request with a sampled traceparent is a span of its trace, without its query', async () => {
    const {spans, tracing} = recorder();
    const server = await openTestServer({tracing});
    open.push(server);
    await call(server.url, '/v1/report?experiment=secret', {headers: {traceparent: `00-${TRACE}-${PARENT}-01`}});
    await call(server.url, '/v1/streams', {headers: {traceparent: `00-${TRACE}-${PARENT}-00`}});
    await call(server.url, '/v1/streams');
    await server.close();
    open = [];
    expect(spans).toEqual([expect.objectContaining({traceId: TRACE, parentSpanId: PARENT, name: 'GET /v1/report', kind: 'server', attributes: {'http.request.method': 'GET', 'http.route': '/v1/report', 'http.response.status_code': 404}})]);
    expect(JSON.stringify(spans)).not.toContain('secret');
  });
});
