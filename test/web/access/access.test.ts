import {mkdtempSync, readFileSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {request} from 'node:http';
import {connect} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, describe, expect, test} from 'vitest';
import {epochMs} from '../../../src/core/units.ts';
import {SYSTEM_CLOCK} from '../../../src/roles/system.ts';
import {type ApiKey, findKey, hashSecret, keyText, makeKey} from '../../../src/web/access/api-keys.ts';
import {AuditLog} from '../../../src/web/access/audit-log.ts';
import {editKeyFile, KeyRing, readKeyFile} from '../../../src/web/access/key-file.ts';
import {TokenBucket} from '../../../src/web/access/token-bucket.ts';
import {call, makeAccess, openTestServer, random, type TestServer} from '../test-server.ts';

const opened: TestServer[] = [];
afterEach(async () => {
  for (const server of opened.splice(0)) await server.close();
});

async function open(...args: Parameters<typeof openTestServer>): Promise<TestServer> {
  const server = await openTestServer(...args);
  opened.push(server);
  return server;
}

/** fetch sets Host and Origin itself; this sends what it is told. */
function raw(url: string, options: {method?: string; path: string; headers: Record<string, string>; body?: string}): Promise<{status: number; body: string; headers: Record<string, unknown>}> {
  return new Promise((resolve, reject) => {
    const {method = 'GET', path, headers, body} = options;
    const out = request(url + path, {method, headers, setHost: !('host' in headers)}, answer => {
      let text = '';
      answer.setEncoding('utf8').on('data', chunk => {
        text += chunk;
      });
      answer.on('end', () => resolve({status: answer.statusCode ?? 0, body: text, headers: answer.headers}));
    });
    out.on('error', reject);
    out.end(body);
  });
}

const manualClock = (at: number) => {
  let now = at;
  return {
    clock: {now: () => epochMs(now), sleep: SYSTEM_CLOCK.sleep},
    pass: (ms: number) => {
      now += ms;
    },
  };
};

describe('keys', () => {
  const key = (id: string, secret: string, changes: Partial<ApiKey> = {}): ApiKey => ({
    id, name: 'n', role: 'viewer', requestsPerSecond: null, createdAt: '2026-01-01T00:00:00.000Z', revokedAt: null, secrets: [{hash: hashSecret(secret), createdAt: '2026-01-01T00:00:00.000Z', expiresAt: null}], ...changes,
  });

  test('a key opens its own entry and no other; expired and revoked ones open nothing', () => {
    const [a, b] = [makeKey(random), makeKey(random)];
    const ring = new Map([key(a.id, a.secret), key(b.id, b.secret, {revokedAt: '2026-01-02T00:00:00.000Z'})].map(entry => [entry.id, entry]));
    const now = epochMs(Date.parse('2026-02-01T00:00:00.000Z'));
    expect(findKey(keyText(a.id, a.secret), ring, now)?.id).toBe(a.id);
    expect(findKey(keyText(a.id, b.secret), ring, now)).toBeUndefined();
    expect(findKey(keyText(b.id, b.secret), ring, now)).toBeUndefined();
    expect(findKey('', ring, now)).toBeUndefined();
    expect(findKey(keyText(a.id, `${a.secret}x`), ring, now)).toBeUndefined();
    const old = makeKey(random);
    const expired = key(old.id, old.secret, {secrets: [{hash: hashSecret(old.secret), createdAt: '2026-01-01T00:00:00.000Z', expiresAt: '2026-01-31T23:59:59.999Z'}]});
    expect(findKey(keyText(old.id, old.secret), new Map([[old.id, expired]]), now)).toBeUndefined();
  });

  test('two secrets of a rotation both open it until the first runs out', () => {
    const {id, secret} = makeKey(random);
    const next = random(32);
    const rotated = key(id, secret, {
      secrets: [
        {hash: hashSecret(secret), createdAt: '2026-01-01T00:00:00.000Z', expiresAt: '2026-01-02T00:00:00.000Z'},
        {hash: hashSecret(next), createdAt: '2026-01-01T00:00:00.000Z', expiresAt: null},
      ],
    });
    const ring = new Map([[id, rotated]]);
    const at = (iso: string, text: string) => findKey(keyText(id, text), ring, epochMs(Date.parse(iso)))?.id;
    expect([at('2026-01-01T12:00:00Z', secret), at('2026-01-01T12:00:00Z', next)]).toEqual([id, id]);
    expect([at('2026-01-02T00:00:00Z', secret), at('2026-01-02T00:00:00Z', next)]).toEqual([undefined, id]);
  });

  test('the file holds no secret, is for its owner alone, and edits at once lose nothing', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'assay-keys-'));
    const file = join(directory, 'keys.json');
    const made = Array.from({length: 12}, () => makeKey(random));
    await Promise.all(made.map(({id, secret}) => editKeyFile(file, keys => ({keys: [...keys, key(id, secret)], result: null}), SYSTEM_CLOCK)));
    expect(readKeyFile(file).map(({id}) => id).sort()).toEqual(made.map(({id}) => id).sort());
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const text = readFileSync(file, 'utf8');
    for (const {secret} of made) expect(text).not.toContain(secret);
    rmSync(directory, {recursive: true});
  });

  test('a file that is not one of ours is refused by name, not taken for no keys', () => {
    const directory = mkdtempSync(join(tmpdir(), 'assay-keys-'));
    const file = join(directory, 'keys.json');
    for (const text of ['{', '{"version":1,"keys":[{"id":"x"}]}', '[]']) {
      writeFileSync(file, text);
      expect(() => readKeyFile(file)).toThrow(`the file of API keys ${file} cannot be read`);
    }
    rmSync(directory, {recursive: true});
  });

  test('a running server sees new and revoked keys; a broken or lost file leaves the doors locked', () => {
    const directory = mkdtempSync(join(tmpdir(), 'assay-keys-'));
    const file = join(directory, 'keys.json');
    const {clock, pass} = manualClock(1_000_000);
    const {id, secret} = makeKey(random);
    const write = (keys: readonly ApiKey[]) => writeFileSync(file, JSON.stringify({version: 1, keys}));
    const ring = new KeyRing({file, clock});
    expect(ring.isLocked).toBe(false);
    write([key(id, secret)]);
    pass(1_000);
    expect([ring.isLocked, ring.find(keyText(id, secret))?.id]).toEqual([true, id]);
    writeFileSync(file, '{"half');
    pass(1_000);
    expect([ring.isLocked, ring.find(keyText(id, secret))?.id]).toEqual([true, id]);
    write([key(id, secret, {revokedAt: '2026-01-02T00:00:00.000Z'})]);
    pass(1_000);
    expect([ring.isLocked, ring.find(keyText(id, secret))]).toEqual([true, undefined]);
    rmSync(file);
    pass(1_000);
    expect(ring.isLocked).toBe(true);
    rmSync(directory, {recursive: true});
  });
});

describe('limits', () => {
  test('a bucket lets a burst pass, then its rate, and says how long to wait', () => {
    const bucket = new TokenBucket(2, 0);
    expect([0, 0, 0, 0].map(at => bucket.take(at))).toEqual([0, 0, 0, 0]);
    expect(bucket.take(0)).toBe(1);
    expect(bucket.take(500)).toBe(0);
    expect(bucket.take(600)).toBe(1);
    expect(new TokenBucket(0.1, 0).take(0)).toBe(0);
  });

  test('each key has its own limit; 429 says when to come back', async () => {
    const access = makeAccess(key => (key.role === 'viewer' ? {...key, requestsPerSecond: 0.5} : key));
    const server = await open({}, access);
    expect((await call(server.url, '/v1/me', {key: access.keys.viewer})).status).toBe(200);
    const second = await call(server.url, '/v1/me', {key: access.keys.viewer});
    expect(second).toMatchObject({status: 429, body: {detail: expect.stringContaining('the viewer may make 0.5 requests a second')}});
    expect(Number(second.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await call(server.url, '/v1/me', {key: access.keys.editor})).status).toBe(200);
  });

  test('an address that guesses keys is slowed down, right ones still pass', async () => {
    const access = makeAccess();
    const server = await open({}, access);
    const statuses: number[] = [];
    for (let i = 0; i < 30; i += 1) statuses.push((await call(server.url, '/v1/me', {key: `assay_${'a'.repeat(8)}_${'b'.repeat(43)}`})).status);
    expect(new Set(statuses)).toEqual(new Set([401, 429]));
    expect((await call(server.url, '/v1/me', {key: access.keys.viewer})).status).toBe(200);
  });
});

describe('who may call without keys', () => {
  test('this machine, by its own name only: a page rebound by DNS gets nothing', async () => {
    const server = await open();
    expect((await raw(server.url, {path: '/v1/experiments', headers: {}})).status).toBe(200);
    for (const host of ['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example:80', '']) {
      expect([host, (await raw(server.url, {path: '/v1/experiments', headers: {host}})).status]).toEqual([host, expect.toBeOneOf([400, 403])]);
    }
    expect((await raw(server.url, {path: '/v1/experiments', headers: {host: 'localhost:7333'}})).status).toBe(200);
  });

  test('another site’s page cannot change anything, listed ones may send', async () => {
    const server = await open({corsOrigins: ['https://app.example']});
    const send = (headers: Record<string, string>) => raw(server.url, {method: 'POST', path: '/v1/events', headers: {'content-type': 'text/plain', ...headers}, body: '[1]'});
    expect((await send({origin: 'https://evil.example'})).status).toBe(403);
    expect((await send({origin: 'null'})).status).toBe(403);
    expect((await send({'sec-fetch-site': 'cross-site'})).status).toBe(403);
    expect((await send({origin: 'https://app.example'})).status).toBe(202);
    expect((await send({origin: server.url})).status).toBe(202);
    expect((await send({})).status).toBe(202);
  });
});

describe('CORS', () => {
  test('only listed origins are answered with the header, also before a request', async () => {
    const access = makeAccess();
    const server = await open({corsOrigins: ['https://app.example']}, access);
    const preflight = (origin: string) =>
      raw(server.url, {method: 'OPTIONS', path: '/v1/events', headers: {origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization'}});
    expect((await preflight('https://app.example')).headers['access-control-allow-origin']).toBe('https://app.example');
    expect((await preflight('https://evil.example')).headers['access-control-allow-origin']).toBeUndefined();
    const sent = await raw(server.url, {path: '/v1/me', headers: {origin: 'https://app.example', authorization: `Bearer ${access.keys.viewer}`}});
    expect([sent.status, sent.headers['access-control-allow-origin'], sent.headers['access-control-allow-credentials']]).toEqual([200, 'https://app.example', undefined]);
  });
});

describe('signing in', () => {
  const signIn = (url: string, key: string, headers: Record<string, string> = {}) =>
    call(url, '/v1/session', {method: 'POST', body: JSON.stringify({key}), headers: {'content-type': 'application/json', ...headers}});

  test('a key becomes a cookie that scripts cannot read, that acts with the key’s role, and that ends', async () => {
    const access = makeAccess();
    const server = await open({}, access);
    const signed = await signIn(server.url, access.keys.viewer);
    expect(signed).toMatchObject({status: 200, body: {role: 'viewer'}});
    const cookie = signed.headers.get('set-cookie') ?? '';
    expect(cookie).toMatch(/^assay_session=[^;]+; Path=\/; HttpOnly; SameSite=Strict; Max-Age=43200$/);
    const value = cookie.split(';')[0] ?? '';
    expect(value).not.toContain(access.keys.viewer.split('_').slice(2).join('_'));
    expect((await call(server.url, '/v1/me', {headers: {cookie: `other=1; ${value}`}})).body).toMatchObject({name: 'the viewer', role: 'viewer'});
    expect((await call(server.url, '/v1/audit', {headers: {cookie: value}})).status).toBe(403);
    expect((await call(server.url, '/v1/me', {headers: {cookie: `${value}x`}})).status).toBe(401);
    const [id, expires, mac] = value.slice('assay_session='.length).split('.');
    const admin = access.keys.admin.split('_')[1];
    expect((await call(server.url, '/v1/me', {headers: {cookie: `assay_session=${admin}.${expires}.${mac}`}})).status).toBe(401);
    expect((await call(server.url, '/v1/me', {headers: {cookie: `assay_session=${id}.${Number(expires) + 1}.${mac}`}})).status).toBe(401);
    const out = await call(server.url, '/v1/session', {method: 'DELETE', headers: {cookie: value}});
    expect([out.status, out.headers.get('set-cookie')]).toEqual([204, expect.stringContaining('Max-Age=0')]);
  });

  test('a wrong key does not sign in, and another site cannot sign a browser in', async () => {
    const access = makeAccess();
    const server = await open({}, access);
    expect((await signIn(server.url, 'assay_x')).status).toBe(401);
    expect((await signIn(server.url, access.keys.viewer, {origin: 'https://evil.example'})).status).toBe(403);
  });

  test('a cookie sent along by another site’s page changes nothing', async () => {
    const access = makeAccess();
    const server = await open({}, access);
    const cookie = (await signIn(server.url, access.keys.admin)).headers.get('set-cookie')?.split(';')[0] ?? '';
    const post = (headers: Record<string, string>) => raw(server.url, {method: 'POST', path: '/v1/events', headers: {cookie, 'content-type': 'text/plain', ...headers}, body: '[1]'});
    expect((await post({origin: 'https://evil.example'})).status).toBe(403);
    expect((await post({'sec-fetch-site': 'same-site'})).status).toBe(403);
    expect((await post({origin: server.url})).status).toBe(202);
  });
});

describe('what is written down', () => {
  test('changes, refusals and sign-ins, never a key', async () => {
    const access = makeAccess();
    const server = await open({}, access);
    await call(server.url, '/v1/experiments/nope/pause', {method: 'POST', body: '{"reason": "it hurts"}', key: access.keys.editor});
    await call(server.url, '/v1/experiments/nope/pause', {method: 'POST', body: '{"reason": "it hurts"}', key: access.keys.viewer});
    await call(server.url, '/v1/experiments');
    await call(server.url, `/v1/events?key=${access.keys.viewer}`, {method: 'POST', body: '[]'});
    const {body} = await call(server.url, '/v1/audit', {key: access.keys.admin});
    const {entries} = body as {entries: {actor: string; action: string; status: number; detail: string; target: string}[]};
    expect(entries.map(({actor, action, status, target, detail}) => [actor, action, status, target, detail])).toEqual([
      ['', 'POST /v1/events', 403, '', ''],
      ['', 'GET /v1/experiments', 401, '', ''],
      ['', 'POST /v1/experiments/:experiment/pause', 403, 'nope', ''],
      ['the editor', 'POST /v1/experiments/:experiment/pause', 404, 'nope', 'it hurts'],
    ]);
    expect(readFileSync(join(access.directory, 'audit.jsonl'), 'utf8')).not.toMatch(/assay_[a-z0-9]{8}_/);
  });

  test('a torn line is passed over, the newest come first', () => {
    const directory = mkdtempSync(join(tmpdir(), 'assay-audit-'));
    const log = new AuditLog(join(directory, 'audit.jsonl'));
    const entry = (action: string) => ({at: '2026-01-01T00:00:00.000Z', actor: 'a', key_id: null, role: null, action, target: '', status: 200, address: '', detail: 'x'.repeat(5_000)});
    log.write(entry('one'));
    writeFileSync(join(directory, 'audit.jsonl'), '{"torn', {flag: 'a'});
    writeFileSync(join(directory, 'audit.jsonl'), '\n', {flag: 'a'});
    log.write(entry('two'));
    expect(log.read(10).map(({action}) => action)).toEqual(['two', 'one']);
    expect(log.read(10)[0]?.detail.length).toBeLessThan(2_100);
    rmSync(directory, {recursive: true});
  });
});

describe('tricks', () => {
  test('paths that climb, encode or double nothing but 404 or 400', async () => {
    const server = await open();
    const port = Number(new URL(server.url).port);
    for (const path of ['/assets/../../package.json', '/assets/%2e%2e/%2e%2e/package.json', '/assets/..%2f..%2fpackage.json', '/assets/....//package.json', '/assets/%00', '//etc/passwd', '/assets//etc/passwd', '/%', '/assets/dashboard.css%00.js']) {
      const answer = await rawLine(port, `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
      expect([path, answer.slice(0, 12)]).toEqual([path, expect.stringMatching(/^HTTP\/1\.1 (404|400)/)]);
      expect(answer).not.toContain('"dependencies"');
      expect(answer).toMatch(/content-type: application\/problem\+json/i);
      expect(answer).toMatch(/content-security-policy: default-src 'none'/i);
    }
  });

  test('headers that smuggle or swell are refused', async () => {
    const server = await open();
    const port = Number(new URL(server.url).port);
    const smuggled = await rawLine(port, 'POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n');
    expect(smuggled).toMatch(/^HTTP\/1\.1 400/);
    expect(smuggled).not.toContain('assay_up');
    expect(await rawLine(port, `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(40_000)}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 431 [\s\S]*application\/problem\+json/);
    expect(await rawLine(port, 'GET / HTTP/1.1\r\n\r\n')).toMatch(/^HTTP\/1\.1 400/);
  });

  test('who may not send gets its answer before the body is read', async () => {
    const access = makeAccess();
    const server = await open({}, access);
    const answer = await rawLine(Number(new URL(server.url).port), `POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4000000\r\nAuthorization: Bearer ${access.keys.viewer}\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 403/);
  });
});

/** Sends bytes as they are and reads until the first answer is whole or the connection ends. */
function rawLine(port: number, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    let text = '';
    socket.setEncoding('utf8').on('data', chunk => {
      text += chunk;
      if (text.includes('\r\n\r\n')) socket.end();
    });
    socket.on('close', () => resolve(text));
    socket.on('error', reject);
  });
}
