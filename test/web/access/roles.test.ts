/** Every route × every role. A route that is not in this table fails the test. */
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import type {Role} from '../../../src/web/access/roles.ts';
import {openServer} from '../../../src/web/server.ts';
import {type Access, call, makeAccess, openTestServer, type TestServer} from '../test-server.ts';

type Who = 'nobody' | Role;
const WHO: readonly Who[] = ['nobody', 'ingest', 'viewer', 'editor', 'admin'];
const ALL: readonly Who[] = WHO;
const SENDS: readonly Who[] = ['ingest', 'admin'];
const SERVED: readonly Who[] = ['ingest', 'viewer', 'editor', 'admin'];
const READS: readonly Who[] = ['viewer', 'editor', 'admin'];
const CHANGES: readonly Who[] = ['editor', 'admin'];
const MANAGES: readonly Who[] = ['admin'];

const ALLOWED: Readonly<Record<string, readonly Who[]>> = {
  'POST /v1/events': SENDS,
  'GET /v1/config': SERVED,
  'GET /v1/assign': SERVED,
  'GET /v1/me': SERVED,
  'GET /v1/experiments': READS,
  'GET /v1/experiments/:experiment': READS,
  'GET /v1/experiments/:experiment/versions': READS,
  'GET /v1/experiment.schema.json': READS,
  'POST /v1/experiments/validate': READS,
  'POST /v1/experiments': CHANGES,
  'PUT /v1/experiments/:experiment': CHANGES,
  'POST /v1/experiments/:experiment/weights': CHANGES,
  'POST /v1/experiments/:experiment/start': CHANGES,
  'POST /v1/experiments/:experiment/pause': CHANGES,
  'POST /v1/experiments/:experiment/resume': CHANGES,
  'POST /v1/experiments/:experiment/conclude': CHANGES,
  'POST /v1/experiments/:experiment/archive': CHANGES,
  'GET /v1/verdicts': READS,
  'GET /v1/verdicts/:verdict': READS,
  'GET /v1/trend': READS,
  'GET /v1/windows': READS,
  'GET /v1/comparison': READS,
  'GET /v1/live': READS,
  'GET /v1/report': READS,
  'GET /v1/reports/:file': READS,
  'GET /v1/charts/:file': ALL,
  'GET /v1/alerts': READS,
  'GET /v1/guards': READS,
  'GET /v1/guards/backtest': READS,
  'GET /v1/deliveries': READS,
  'GET /v1/deliveries/:delivery': READS,
  'POST /v1/deliveries/:delivery/redeliver': CHANGES,
  'GET /v1/streams': READS,
  'GET /v1/pipeline': READS,
  'GET /v1/throughput': READS,
  'GET /v1/ledger': READS,
  'GET /v1/dead-letters': READS,
  'GET /v1/audit': MANAGES,
  'GET /metrics': READS,
  'POST /v1/spend': READS,
  'POST /v1/session': ALL,
  'DELETE /v1/session': ALL,
  'GET /healthz': ALL,
  'GET /readyz': ALL,
  'GET /openapi.json': ALL,
  'GET /': ALL,
  'GET /experiments/:experiment': ALL,
  'GET /alerts': ALL,
  'GET /deliveries': ALL,
  'GET /guards': ALL,
  'GET /pipeline': ALL,
  'GET /audit': ALL,
  'GET /assets/*': ALL,
};

/** Signing in checks the key it is given itself. */
const CHECKS_ITSELF = 'POST /v1/session';

let access: Access;
let server: TestServer;
beforeAll(async () => {
  access = makeAccess();
  server = await openTestServer({}, access);
});
afterAll(() => server.close());

describe('routes and roles', () => {
  test('the table names every route there is, and no other', () => {
    expect(server.routes.map(({method, path}) => `${method} ${path}`).sort()).toEqual(Object.keys(ALLOWED).sort());
  });

  test.each(Object.entries(ALLOWED))('%s', async (route, allowed) => {
    const [method = '', path = ''] = route.split(' ');
    const address = path.replaceAll(/:\w+/g, 'x').replace('*', 'nothing.js');
    for (const who of WHO) {
      const init = {method, ...(who === 'nobody' ? {} : {key: access.keys[who]})};
      // A wrong query ends the answers that would go on for ever.
      const {status, body} = await call(server.url, path === '/v1/live' ? `${address}?size_s=0` : address, init);
      if (allowed.includes(who)) {
        if (route !== CHECKS_ITSELF) expect([who, status]).not.toEqual([who, expect.toBeOneOf([401, 403])]);
        continue;
      }
      expect([who, status]).toEqual([who, who === 'nobody' ? 401 : 403]);
      expect(body).toMatchObject({title: who === 'nobody' ? 'A key is needed' : 'Not allowed', status});
    }
  });

  test('what answers is what the API’s description says: status, kind and problems', async () => {
    type Described = {responses: Record<string, {content?: Record<string, unknown>}>; 'x-roles'?: string[]};
    const {paths} = (await call(server.url, '/openapi.json')).body as {paths: Record<string, Record<string, Described>>};
    const described = Object.entries(paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, operation]) => ({path, method: method.toUpperCase(), ...operation})));
    const api = server.routes.filter(({tag}) => tag !== 'pages').map(({method, path}) => `${method} ${path.replaceAll(/:(\w+)/g, '{$1}')}`);
    expect(described.map(({method, path}) => `${method} ${path}`).sort()).toEqual(api.sort());
    for (const {path, method, responses, 'x-roles': roles = []} of described) {
      for (const [status, {content}] of Object.entries(responses)) {
        if (!['204', '304'].includes(status)) expect([path, status, Object.keys(content ?? {}).length > 0]).toEqual([path, status, true]);
      }
      const of = `${method} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`;
      if (roles.length > 0) expect([of, ALLOWED[of]?.filter(who => who !== 'nobody')]).toEqual([of, roles]);
      const answer = await call(server.url, path === '/v1/live' ? `${path}?size_s=0` : path.replaceAll(/\{\w+\}/g, 'x'), {method, key: access.keys.admin});
      const {content = {}} = responses[answer.status] ?? responses['default'] ?? {};
      if (answer.status !== 204) expect([of, Object.keys(content)]).toEqual([of, expect.arrayContaining([answer.type?.split(';')[0]])]);
    }
  });

  test('with a key the server may listen beyond loopback; without one it refuses', async () => {
    const exposed = await openTestServer({host: '0.0.0.0'}, makeAccess());
    const port = new URL(exposed.url).port;
    expect((await call(`http://127.0.0.1:${port}`, '/v1/experiments')).status).toBe(401);
    expect((await call(`http://127.0.0.1:${port}`, '/healthz')).status).toBe(200);
    await exposed.close();
    await expect(openTestServer({host: '0.0.0.0'})).rejects.toThrow(/server\.host 0\.0\.0\.0 is not loopback.*assay keys add/);
    await expect(openTestServer({host: '::'})).rejects.toThrow(/is not loopback/);
    expect(typeof openServer).toBe('function');
  });
});
