import {fastify} from 'fastify';
import {describe, expect, test} from 'vitest';
import {openLogger} from '../../src/observe/logger.ts';
import {currentTraceId, runWithTrace} from '../../src/observe/trace-context.ts';

const ID = '4bf92f3577b34da6a3ce929d0e0e4736';
const TRACEPARENT = `00-${ID}-00f067aa0ba902b7-01`;

function listen(level = 'info') {
  const lines: Record<string, unknown>[] = [];
  const logger = openLogger(level, {role: 'tests'}, {write: text => void lines.push(JSON.parse(text) as Record<string, unknown>)});
  return {logger, lines};
}

describe('log lines', () => {
  test('an event in the past tense with its fields, the role and the time', () => {
    const {logger, lines} = listen();
    logger.info('batch flushed', {rows: 3});
    logger.debug('not shown');
    expect(lines).toEqual([{level: 30, time: expect.stringMatching(/^\d{4}-.*Z$/), role: 'tests', rows: 3, msg: 'batch flushed'}]);
  });

  test('secrets are masked wherever they stand', () => {
    const {logger, lines} = listen();
    logger.warn('configured', {password: 'p', kafka: {password: 'q'}, channel: {secrets: ['s']}, authorization: 'Bearer t'});
    expect(JSON.stringify(lines)).not.toMatch(/"[pqs]"|Bearer/);
  });

  test('a line written in a trace names it, also after waiting, and no other line does', async () => {
    const {logger, lines} = listen();
    await runWithTrace(TRACEPARENT, async () => {
      await new Promise(done => setTimeout(done, 1));
      logger.info('inside');
    });
    logger.info('outside');
    expect(lines.map(line => line['trace_id'])).toEqual([ID, undefined]);
  });

  test.each([undefined, '', 'nonsense', `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`, `${TRACEPARENT}\n`, [TRACEPARENT]])('%j is no trace', value => {
    expect(runWithTrace(value, currentTraceId)).toBeUndefined();
  });

  test('a request’s trace reaches its handler through the server’s hooks', async () => {
    const app = fastify();
    app.addHook('onRequest', (request, _reply, done) => runWithTrace(request.headers['traceparent'], done));
    app.post('/', async request => ({trace: currentTraceId() ?? null, body: request.body}));
    const [traced, plain] = await Promise.all([
      app.inject({method: 'POST', url: '/', headers: {traceparent: TRACEPARENT}, payload: {a: 1}}),
      app.inject({method: 'POST', url: '/', payload: {a: 2}}),
    ]);
    expect([traced.json(), plain.json()]).toEqual([{trace: ID, body: {a: 1}}, {trace: null, body: {a: 2}}]);
    await app.close();
  });
});
