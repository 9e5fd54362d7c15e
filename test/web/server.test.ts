import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {AssayError} from '../../src/core/errors.ts';
import {SILENT_LOGGER} from '../../src/core/telemetry.ts';
import {BusyError, type EventDoor} from '../../src/ingest/accept-events.ts';
import {openServer, type ServerOptions} from '../../src/web/server.ts';

type Door = Pick<EventDoor, 'accept'>;
type Answer = {status: number; type: string | null; retryAfter: string | null; body: unknown};

let seen: unknown[] = [];
let accept: Door['accept'] = values => {
  seen.push(...values);
  return Promise.resolve({accepted: values.length, errors: []});
};
let unready: readonly string[] = [];

const warehouse = {
  latestVerdicts: () => Promise.resolve([]),
  query: () => Promise.reject(new AssayError('ASSAY_QUERY_REFUSED', 'slide_s must be a multiple of the base slice')),
} as unknown as ServerOptions['warehouse'];
const options: ServerOptions = {
  host: '127.0.0.1',
  port: 0,
  logger: SILENT_LOGGER,
  door: {accept: (values: readonly unknown[]) => accept(values)} as unknown as EventDoor,
  warehouse,
  unready: () => Promise.resolve(unready),
  metrics: {render: () => Promise.resolve('assay_up 1\n'), contentType: 'text/plain; version=0.0.4'},
  report: () => Promise.resolve(null),
  stream: () => Promise.resolve('live'),
};

let server: Awaited<ReturnType<typeof openServer>>;
beforeAll(async () => {
  server = await openServer(options);
});
afterAll(() => server.close());

async function call(path: string, init: RequestInit = {}): Promise<Answer> {
  const response = await fetch(`${server.url}${path}`, init);
  const text = await response.text();
  const type = response.headers.get('content-type');
  return {status: response.status, type, retryAfter: response.headers.get('retry-after'), body: type?.includes('json') === true ? JSON.parse(text) : text};
}

const post = (body: string, type = 'application/json', headers: Record<string, string> = {}): Promise<Answer> =>
  call('/v1/events', {method: 'POST', body, headers: {'content-type': type, ...headers}});

async function eventsOf(body: string, type: string): Promise<unknown[]> {
  seen = [];
  expect((await post(body, type)).status).toBe(202);
  return seen;
}

function expectProblem(answer: Answer, status: number, detail: RegExp): void {
  expect(answer.type).toContain('application/problem+json');
  expect(answer).toMatchObject({status, body: {type: 'about:blank', status}});
  expect((answer.body as {title: string}).title).not.toBe('');
  expect((answer.body as {detail: string}).detail).toMatch(detail);
}

describe('POST /v1/events', () => {
  test('takes an array, one object, NDJSON and what a beacon sends as text', async () => {
    expect(await eventsOf('[{"a": 1}, {"a": 2}]', 'application/json')).toEqual([{a: 1}, {a: 2}]);
    expect(await eventsOf('{"a": 1}', 'application/json; charset=utf-8')).toEqual([{a: 1}]);
    expect(await eventsOf('{"a": 1}\n{"a": 2}\r\n\n', 'application/x-ndjson')).toEqual([{a: 1}, {a: 2}]);
    expect(await eventsOf('[{"a": 1}]', 'text/plain;charset=UTF-8')).toEqual([{a: 1}]);
    expect(await eventsOf('{"a": 1}\n{"a": 2}', 'text/plain;charset=UTF-8')).toEqual([{a: 1}, {a: 2}]);
    expect(await eventsOf('{"a": "ü"}', 'application/x-www-form-urlencoded')).toEqual([{a: 'ü'}]);
  });

  test('a body that cannot be read is a problem that says what to send', async () => {
    expectProblem(await post(''), 400, /the body is empty; send a JSON array, one JSON object, or NDJSON/);
    expectProblem(await post('{oops'), 400, /the body is not JSON/);
    expectProblem(await post('{"a": 1}\n{oops', 'application/x-ndjson'), 400, /line 2 is not JSON/);
    expectProblem(await post('{"a": 1}\n{oops', 'text/plain'), 400, /line 2 is not JSON/);
  });

  test('a body that is too large, or holds too many events, is refused with the limit', async () => {
    expectProblem(await post(`["${'x'.repeat(4 * 1024 * 1024)}"]`), 413, /a request may hold 4 MiB; send fewer events at once/);
    expectProblem(await post(`[${'1,'.repeat(5_000)}1]`), 413, /5001 events; send at most 5000 at once/);
  });

  test('some wrong events are named beside those accepted; only wrong ones are a 400', async () => {
    const before = accept;
    const errors = [{index: 0, field: 'unit_id', message: 'must be text'}];
    accept = values => Promise.resolve({accepted: values.length - 1, errors});
    expect(await post('[1, 2]')).toMatchObject({status: 202, body: {accepted: 1, errors}});
    expect(await post('[1]')).toMatchObject({status: 400, body: {accepted: 0, errors}});
    accept = before;
  });

  test('a busy log is 429 with Retry-After', async () => {
    const before = accept;
    accept = () => Promise.reject(new BusyError('the event log is slower than its callers', 2));
    const answer = await post('[1]');
    expectProblem(answer, 429, /slower than its callers/);
    expect(answer.retryAfter).toBe('2');
    accept = before;
  });

  test('an error of ours is a 500 that tells no details', async () => {
    const before = accept;
    accept = () => Promise.reject(new Error('the password is hunter2'));
    const answer = await post('[1]');
    expectProblem(answer, 500, /the server log has the cause/);
    expect(JSON.stringify(answer)).not.toContain('hunter2');
    accept = before;
  });
});

describe('the other paths', () => {
  test('/healthz says that the process lives, /readyz why it should get no requests', async () => {
    expect(await call('/healthz')).toMatchObject({status: 200, body: {status: 'ok'}});
    expect(await call('/readyz')).toMatchObject({status: 200, body: {status: 'ready', reasons: []}});
    unready = ['the warehouse does not answer'];
    expect(await call('/readyz')).toMatchObject({status: 503, body: {status: 'not ready', reasons: unready}});
    unready = [];
  });

  test('/metrics is Prometheus text', async () => {
    expect(await call('/metrics')).toMatchObject({status: 200, body: 'assay_up 1\n', type: expect.stringContaining('version=0.0.4')});
  });

  test('what is not there, and a wrong method, are problems that name the request', async () => {
    expectProblem(await call('/v2/events'), 404, /there is nothing at GET \/v2\/events/);
    expectProblem(await call('/v1/events'), 404, /there is nothing at GET \/v1\/events/);
  });

  test('a wrong query is a 400 that says what to give', async () => {
    expectProblem(await call('/v1/windows?size_s=ten&experiment=x'), 400, /size_s and slide_s as whole numbers/);
    expectProblem(await call('/v1/windows?experiment=x&slide_s=7'), 400, /multiple of the base slice/);
  });

  test('without a verdict: a page that says so, and a 404 for the report', async () => {
    expect((await call('/')).body).toContain('No verdict yet');
    expectProblem(await call('/v1/report'), 404, /verdicts appear once an experiment has data/);
    expect(await call('/v1/verdicts')).toMatchObject({status: 200, body: {verdicts: []}});
  });

  test('every answer forbids scripts, frames and sniffing', async () => {
    for (const path of ['/', '/healthz', '/nothing']) {
      const {headers} = await fetch(`${server.url}${path}`);
      expect(headers.get('content-security-policy')).toContain("default-src 'none'");
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('x-frame-options')).toBe('DENY');
    }
  });

  test('without API keys it refuses to listen beyond loopback, and a taken port is named with the fix', async () => {
    await expect(openServer({...options, host: '0.0.0.0'})).rejects.toThrow(/server\.host 0\.0\.0\.0 is not loopback/);
    const port = Number(new URL(server.url).port);
    await expect(openServer({...options, port})).rejects.toThrow(`cannot listen on 127.0.0.1:${port}`);
  });
});
