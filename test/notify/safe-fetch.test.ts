import {createServer} from 'node:http';
import {afterEach, beforeEach, describe, expect, test} from 'vitest';
import type {Resolve} from '../../src/notify/check-url.ts';
import {type PostAnswer, safePost} from '../../src/notify/safe-fetch.ts';
import {openScriptedReceiver, type ScriptedReceiver} from '../helpers/webhook-receiver.ts';
import {REAL_CLOCK} from './manual-clock.ts';

const LIMITS = {connectMs: 400, totalMs: 600, responseBytesMax: 64 * 1024};

describe('one safe POST', () => {
  let receiver: ScriptedReceiver;
  let lookups: string[] = [];

  beforeEach(async () => {
    lookups = [];
    receiver = await openScriptedReceiver(REAL_CLOCK);
  });
  afterEach(() => receiver.close());

  const toLoopback: Resolve = async hostname => {
    lookups.push(hostname);
    return [{address: '127.0.0.1', family: 4}];
  };
  const post = (url: string, resolve: Resolve = toLoopback): Promise<PostAnswer> =>
    safePost({url, headers: {'x-test': 'yes'}, body: '{"a":1}'}, {allow: ['127.0.0.1', 'hook.example', 'two.example'], resolve, clock: REAL_CLOCK, limits: LIMITS});

  test('connects to the address that was checked, after one look-up, under the name of the URL', async () => {
    receiver.play({kind: 'status', status: 200});
    const answer = await post(`http://hook.example:${receiver.port}/path?q=1`);
    expect(answer).toMatchObject({status: 200, body: 'an answer', isTruncated: false});
    expect(lookups).toEqual(['hook.example']);
    expect(receiver.received[0]).toMatchObject({path: '/path?q=1', body: '{"a":1}'});
    expect(receiver.received[0]?.headers).toMatchObject({host: `hook.example:${receiver.port}`, 'x-test': 'yes'});
  });

  test('a second checked address is tried when the first does not answer', async () => {
    const resolve: Resolve = async () => [{address: '127.0.0.2', family: 4}, {address: '127.0.0.1', family: 4}];
    receiver.play({kind: 'status', status: 202});
    expect((await post(`http://two.example:${receiver.port}/`, resolve)).status).toBe(202);
  });

  test.each([301, 302, 303, 307, 308])('%i is not followed', async status => {
    let visited = 0;
    const target = createServer((_request, response) => {
      visited += 1;
      response.end();
    });
    await new Promise<void>(done => target.listen(0, '127.0.0.1', () => done()));
    const address = target.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    receiver.play({kind: 'status', status, location: `http://127.0.0.1:${port}/`});
    expect((await post(receiver.url)).status).toBe(status);
    expect(visited).toBe(0);
    await new Promise<void>(done => target.close(() => done()));
  });

  test('a receiver that hangs is given up after the total time', async () => {
    receiver.play({kind: 'hang'});
    await expect(post(receiver.url)).rejects.toMatchObject({code: 'ASSAY_DELIVERY_FAILED', message: 'no answer within 600 ms'});
    expect(receiver.received).toHaveLength(1);
  });

  test('a trickle after a 200 is cut; the status stands', async () => {
    receiver.play({kind: 'trickle', everyMs: 50});
    expect(await post(receiver.url)).toMatchObject({status: 200, isTruncated: true});
  });

  test('of 1 GiB no more than 64 KiB are kept, and the connection is cut', async () => {
    receiver.play({kind: 'huge', bytes: 1024 ** 3});
    const startedAt = Date.now();
    const limits = {...LIMITS, totalMs: 8_000};
    const answer = await safePost({url: receiver.url, headers: {}, body: ''}, {allow: ['127.0.0.1'], resolve: toLoopback, clock: REAL_CLOCK, limits});
    expect(answer).toMatchObject({status: 200, isTruncated: true});
    expect(answer.body).toHaveLength(64 * 1024);
    expect(Date.now() - startedAt).toBeLessThan(4_000);
    expect(receiver.bytesSent()).toBeLessThan(32 * 1024 ** 2);
  });

  test('a reset after accepting is a failure, and its text keeps the path secret', async () => {
    receiver.play({kind: 'reset'});
    const failure = await post(`${receiver.url}services/T0/secret-token`).catch(error => error);
    expect(failure).toMatchObject({code: 'ASSAY_DELIVERY_FAILED'});
    expect(failure.message).not.toContain('secret-token');
  });

  test('a name that does not answer in time, and a port where nobody listens', async () => {
    await expect(post('http://hook.example/', () => new Promise(() => undefined))).rejects.toMatchObject({code: 'ASSAY_DELIVERY_FAILED'});
    await receiver.close();
    await expect(post(receiver.url)).rejects.toMatchObject({code: 'ASSAY_DELIVERY_FAILED'});
  });

  test('https to something that speaks no TLS fails and sends nothing readable', async () => {
    await expect(post(receiver.url.replace('http:', 'https:'))).rejects.toMatchObject({code: 'ASSAY_DELIVERY_FAILED'});
    expect(receiver.received).toHaveLength(0);
  });
});
