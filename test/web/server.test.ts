import {connect} from 'node:net';
import {gzipSync} from 'node:zlib';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {AssayError} from '../../src/core/errors.ts';
import {parseDefinitionText, requireDefinition} from '../../src/experiment/definition.ts';
import {BusyError, type EventDoor} from '../../src/ingest/accept-events.ts';
import {openMemoryWarehouse} from '../../src/warehouse/memory/memory-warehouse.ts';
import type {AlertRow, DeliveryRow} from '../../src/warehouse/warehouse.ts';
import {type Answer, call as callAt, emptyWarehouse, openTestServer, type TestServer} from './test-server.ts';

type Door = Pick<EventDoor, 'accept'>;

let seen: unknown[] = [];
let traced: unknown[] = [];
let accept: Door['accept'] = (values, given) => {
  seen.push(...values);
  traced.push(given);
  return Promise.resolve({accepted: values.length, errors: []});
};
let unready: readonly string[] = [];
let query: () => Promise<Record<string, unknown>[]> = () => Promise.resolve([]);

let server: TestServer;
beforeAll(async () => {
  server = await openTestServer({
    door: {accept: (...given) => accept(...given)},
    warehouse: emptyWarehouse({query: () => query()}),
    unready: () => Promise.resolve(unready),
  });
});
afterAll(() => server.close());

test('one backtest at a time, and the flag is let go after a failure', async () => {
  let release: () => void = () => undefined;
  const held = new Promise<void>(resolve => {
    release = resolve;
  });
  const asked: unknown[] = [];
  const own = await openTestServer({
    backtest: async ({rule, days}) => {
      asked.push([rule, days]);
      await held;
      if (rule === 'wrong') throw new AssayError('ASSAY_NOT_FOUND', 'no guard wrong');
      return {rule, from: 'a', to: 'b', episodes: []};
    },
  });
  const ask = (rule: string, more = ''): Promise<Answer> => callAt(own.url, `/v1/guards/backtest?rule=${encodeURIComponent(rule)}${more}`);
  const first = ask('wrong');
  await expect.poll(() => asked.length).toBe(1);
  expect((await ask('other')).status).toBe(429);
  release();
  expectProblem(await first, 404, /no guard wrong/);
  expect((await ask("guard:e:m:0'; DROP", '&days=31')).status).toBe(200);
  expect(asked).toEqual([['wrong', 7], ["guard:e:m:0'; DROP", 31]]);
  for (const more of ['&days=32', '&days=0', '&days=-1', '&days=x']) expect((await ask('r', more)).status).toBe(400);
  expect((await ask('')).status).toBe(400);
  await own.close();
});

test('a comparison is of one window: its size fits the slices, its end is the newest data unless named', async () => {
  const asked: unknown[] = [];
  let newest = 0;
  const own = await openTestServer({
    warehouse: emptyWarehouse({query: () => Promise.resolve([{newest_ms: newest}])}),
    compare: async ({stream, experiment, windowMs, to}) => {
      asked.push([stream.name, experiment, windowMs, to]);
      return {experiment, phase: 1, config_version: 1, control: 'v1', window_start: 'a', window_end: 'b', comparisons: [], health: []};
    },
  });
  await own.registry.publish({stream: 'live', definition: requireDefinition(parseDefinitionText('experiment: e\nvariants: {v1: 1, v2: 1}\ncontrol: v1\nmetrics: [{key: m, measure: m}]\n')), author: 'a', reason: 'r'});
  const ask = (more: string): Promise<Answer> => callAt(own.url, `/v1/comparison?${more}`);
  expect((await ask('experiment=e')).body).toEqual({comparison: null});
  newest = 1_790_000_000_000;
  expect((await ask('experiment=e')).body).toMatchObject({comparison: {experiment: 'e', control: 'v1'}});
  expect((await ask('experiment=e&window_s=60&to=2026-11-21T08:00:00Z')).status).toBe(200);
  expect(asked).toEqual([['live', 'e', 3_600_000, newest + 10_000], ['live', 'e', 60_000, Date.parse('2026-11-21T08:00:00Z')]]);
  expectProblem(await ask('experiment=nope'), 404, /nope/);
  expectProblem(await ask('experiment=e&window_s=15'), 400, /window_s must be a multiple of the base slice, which is 10 s/);
  for (const wrong of ['', 'experiment=e&window_s=0', 'experiment=e&to=soon']) expect((await ask(wrong)).status).toBe(400);
  await own.close();
});

const call = (path: string, init: RequestInit = {}): Promise<Answer> => callAt(server.url, path, init);

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
  test('the door gets the traceparent of the request, and none of a request without', async () => {
    traced = [];
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    for (const headers of [{traceparent}, {}]) expect((await post('[{}]', 'application/json', headers)).status).toBe(202);
    expect(traced).toEqual([{traceparent}, {}]);
  });

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
    expectProblem(await post('\n{oops\n{', 'application/x-ndjson'), 400, /line 2 is not JSON/);
    expectProblem(await post('oops', 'text/plain'), 400, /line 1 is not JSON/);
  });

  test('a line that is not JSON is named, and the others are taken', async () => {
    const before = accept;
    accept = values => Promise.resolve({accepted: values.length - 1, errors: [{index: 1, field: 'unit_id', message: 'must be text'}]});
    for (const type of ['application/x-ndjson', 'text/plain']) {
      const answer = await post('{"a": 1}\n\n{oops\n{"a": 2}\n{"a": 3}', type);
      expect([answer.status, answer.body]).toEqual([202, {accepted: 2, errors: [
        {index: 1, field: '', message: expect.stringMatching(/^line 3 is not JSON/)},
        {index: 2, field: 'unit_id', message: 'must be text'},
      ]}]);
    }
    accept = before;
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
    expect(await post('[1]')).toMatchObject({status: 400, type: 'application/problem+json; charset=utf-8', body: {title: 'No event was taken', status: 400, accepted: 0, errors}});
    accept = before;
  });

  test('a busy log is 429 with Retry-After', async () => {
    const before = accept;
    accept = () => Promise.reject(new BusyError('the event log is slower than its callers', 2));
    const answer = await post('[1]');
    expectProblem(answer, 429, /slower than its callers/);
    expect(answer.headers.get('retry-after')).toBe('2');
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

  test('what is not there is a problem that names the request; a wrong method names the right ones', async () => {
    expectProblem(await call('/v2/events'), 404, /there is nothing at GET \/v2\/events/);
    for (const [method, path, allow] of [
      ['GET', '/v1/events', 'OPTIONS, POST'],
      ['DELETE', '/v1/experiments', 'GET, HEAD, OPTIONS, POST'],
      ['PATCH', '/v1/experiments/any.name', 'GET, HEAD, OPTIONS, PUT'],
      ['POST', '/assets/a/b.js', 'GET, HEAD, OPTIONS'],
      ['HEAD', '/v1/live', 'GET, OPTIONS'],
    ] as const) {
      const answer = await call(path, {method});
      expect([method, path, answer.status, answer.headers.get('allow')]).toEqual([method, path, 405, allow]);
      if (method !== 'HEAD') expectProblem(answer, 405, new RegExp(`takes ${allow}, not ${method}`));
    }
    const options = await call('/v1/verdicts/vd_1', {method: 'OPTIONS'});
    expect([options.status, options.headers.get('allow')]).toEqual([204, 'GET, HEAD, OPTIONS']);
    expect((await call('/v2', {method: 'OPTIONS'})).status).toBe(404);
  });

  test('HEAD is GET without its body', async () => {
    for (const path of ['/healthz', '/v1/streams', '/v1/experiments/nope']) {
      const [get, head] = [await call(path), await call(path, {method: 'HEAD'})];
      expect([head.status, head.type, head.headers.get('content-length'), head.body]).toEqual([get.status, get.type, get.headers.get('content-length'), '']);
    }
  });

  test('a body may come as gzip; another encoding, a false one and one that unfolds without end are refused', async () => {
    const send = (body: Uint8Array, encoding: string) => call('/v1/events', {method: 'POST', body, headers: {'content-type': 'application/json', 'content-encoding': encoding}});
    const events = [{type: 'outcome', unit_id: 'ü', measures: {a: 1}}];
    seen = [];
    expect((await send(gzipSync(JSON.stringify(events)), 'gzip')).status).toBe(202);
    expect(seen).toEqual(events);
    const other = await send(Buffer.from('x'), 'br');
    expectProblem(other, 415, /Content-Encoding "br" is not read here; send gzip/);
    expect(other.headers.get('accept-encoding')).toBe('gzip');
    expectProblem(await send(Buffer.from('[]'), 'gzip'), 400, /not the gzip/);
    expectProblem(await send(gzipSync(JSON.stringify(events)).subarray(0, -4), 'gzip'), 400, /not the gzip/);
    expectProblem(await send(gzipSync(Buffer.alloc(64 * 1024 * 1024, ' ')), 'gzip'), 413, /may hold 4 MiB/);
    expect((await call('/healthz')).status).toBe(200);
  });

  test('a wrong query names the field, what was given and the fix', async () => {
    expectProblem(await call('/v1/windows?size_s=ten&experiment=x'), 400, /size_s: write a whole number, got "ten"/);
    expectProblem(await call('/v1/windows'), 400, /experiment: missing/);
    expectProblem(await call('/v1/windows?experiment=x&slide_s=7'), 400, /multiples of the base slice, which is 10 s in stream live/);
    expectProblem(await call('/v1/windows?experiment=x&from=0&to=2026-01-01'), 400, /at most 2000 are given at once/);
    expectProblem(await call('/v1/windows?experiment=x&to=soon'), 400, /to: write an ISO 8601 time/);
    expectProblem(await call('/v1/verdicts?cursor=%7B'), 400, /cursor: is not one of ours/);
    expectProblem(await call('/v1/verdicts?stream=nope'), 404, /there is no stream nope; the streams are live/);
    expectProblem(await call('/v1/verdicts?experimnt=a&limit=1'), 400, /experimnt: is not known here; there is stream, experiment, limit, cursor/);
    expectProblem(await call('/v1/trend?experiment=a&experiment=b&metric=m&variant=v'), 400, /experiment:.*got \["a","b"\]/);
  });

  test('every list is given page by page, newest first, and what comes in between moves nothing', async () => {
    const at = (second: number): string => new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString();
    const warehouse = openMemoryWarehouse();
    const delivery = (second: number): DeliveryRow => ({
      delivery_id: `d${second}`, channel: 'c', subject: 's', body: 'b', content_type: 'application/json', state: 'due', attempt: 0, created_at: at(second), next_attempt_at: null, changed_at: at(second), last_status: null, last_error: '', duration_ms: null,
    });
    const alert = (second: number): AlertRow => ({
      alert_id: `a${second}`, stream: 'live', rule: `r${second}`, experiment: 'e', variant: 'v', state: 'firing', severity: 'warning', value: 1, threshold: 1, window_start: null, window_end: null, reason: '', context: {}, changed_at: at(second),
    });
    const add = async (second: number): Promise<void> => {
      await warehouse.insertDeliveries([delivery(second)]);
      await warehouse.insertAlerts([alert(second)]);
      own.audit.write({at: at(second), actor: '', key_id: null, role: null, action: `x${second}`, target: '', status: null, address: '', detail: ''});
    };
    const own = await openTestServer({warehouse});
    for (let second = 1; second <= 5; second += 1) await add(second);
    const lists = [['/v1/deliveries', 'deliveries', 'delivery_id'], ['/v1/alerts', 'alerts', 'alert_id'], ['/v1/audit', 'entries', 'action']] as const;
    for (const [index, [path, list, id]] of lists.entries()) {
      const seen: unknown[] = [];
      let cursor: string | null = '';
      while (cursor !== null) {
        const {body} = await callAt(own.url, `${path}?limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`);
        const page = body as {next_cursor: string | null} & Record<string, Record<string, unknown>[]>;
        seen.push(...(page[list] ?? []).map(row => String(row[id]).slice(1)));
        if (cursor === '') await add(10 + index);
        cursor = page.next_cursor;
      }
      const known = [12, 11, 10].filter(second => second < 10 + index).map(String);
      expect([path, seen]).toEqual([path, [...known, '5', '4', '3', '2', '1']]);
      expectProblem(await callAt(own.url, `${path}?cursor=Ing`), 400, /cursor: is not one of ours/);
    }
    await own.close();
  });

  test('a field that a change does not know refuses it: a misspelt expected_version protects nobody', async () => {
    const answer = await call('/v1/experiments/e/pause', {method: 'POST', body: JSON.stringify({reason: 'r', expectedVersion: 3}), headers: {'content-type': 'application/json'}});
    expectProblem(answer, 400, /expectedVersion: is not known here; there is reason, expected_version, stream/);
    expect(answer.body).toMatchObject({errors: [{field: 'expectedVersion'}]});
  });

  test('a warehouse that is away is 503 with Retry-After, one that breaks is 500; neither tells details', async () => {
    query = () => Promise.reject(new AssayError('ASSAY_SINK_UNAVAILABLE', 'connect ECONNREFUSED 10.1.2.3:8123 as user assay'));
    const away = await call('/v1/ledger');
    expectProblem(away, 503, /does not answer; try again/);
    expect(away.headers.get('retry-after')).toBe('2');
    query = () => Promise.reject(new AssayError('ASSAY_SINK_REJECTED', 'SELECT secret FROM somewhere'));
    const broken = await call('/v1/ledger');
    expectProblem(broken, 500, /the server log has the cause/);
    expect(JSON.stringify([away.body, broken.body])).not.toMatch(/10\.1\.2\.3|secret|at .*\.ts/);
    query = () => Promise.resolve([]);
  });

  test('without a verdict the report is a 404 and lists are empty', async () => {
    expectProblem(await call('/v1/report'), 404, /verdicts appear once an experiment has data/);
    expect(await call('/v1/verdicts')).toMatchObject({status: 200, body: {verdicts: [], next_cursor: null}});
  });

  test('every answer forbids scripts, frames and sniffing', async () => {
    for (const path of ['/healthz', '/nothing', '/v1/experiments', '/v1/report', '/v1/windows?x']) {
      const {headers} = await call(path);
      expect(headers.get('content-security-policy')).toContain("default-src 'none'");
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('x-frame-options')).toBe('DENY');
    }
  });

  test('a taken port is named with the fix', async () => {
    const port = Number(new URL(server.url).port);
    await expect(openTestServer({port})).rejects.toThrow(`cannot listen on 127.0.0.1:${port}`);
  });

  test('a body that never comes is cut off after the limit', async () => {
    const slow = await openTestServer({requestMsMax: 200});
    const socket = connect(Number(new URL(slow.url).port), '127.0.0.1');
    socket.write('POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n[');
    const answer = await new Promise<string>(resolve => {
      let text = '';
      socket.setEncoding('utf8').on('data', chunk => {
        text += chunk;
      });
      socket.on('close', () => resolve(text));
    });
    expect(answer).toMatch(/^HTTP\/1\.1 408 Request Timeout[\s\S]*application\/problem\+json/);
    await slow.close();
  });

  test('a body nested without end is the caller’s mistake, wherever it goes', async () => {
    const deep = `${'['.repeat(200_000)}${']'.repeat(200_000)}`;
    const wrapped = `{"definition": {"a": ${deep}}}`;
    for (const [method, path] of [['POST', '/v1/experiments'], ['POST', '/v1/experiments/validate'], ['POST', '/v1/experiments/e/weights'], ['POST', '/v1/session']] as const) {
      for (const body of [deep, wrapped]) expectProblem(await call(path, {method, body, headers: {'content-type': 'application/json'}}), 400, /nested deeper than 50 levels/);
    }
    expectProblem(await call('/v1/experiments/validate', {method: 'POST', body: `{"a": "${'['.repeat(100)}"}`}), 400, /definition: missing.*a: is not known here/);
    expect((await post(deep)).status).toBeLessThan(500);
  });

  test('a request that names two hosts is refused before anything is looked at', async () => {
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
    socket.write('GET /v1/streams HTTP/1.1\r\nHost: localhost\r\nHOST: evil.example\r\nConnection: close\r\n\r\n');
    const answer = await new Promise<string>(resolve => {
      let text = '';
      socket.setEncoding('utf8').on('data', chunk => {
        text += chunk;
      });
      socket.on('close', () => resolve(text));
    });
    expect(answer).toMatch(/^HTTP\/1\.1 400 [\s\S]*more than one Host/);
  });
});
