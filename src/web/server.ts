import type {AddressInfo} from 'node:net';
import {type FastifyInstance, type FastifyReply, fastify} from 'fastify';
import {AssayError, messageOf} from '../core/errors.ts';
import type {Logger} from '../core/telemetry.ts';
import {BusyError, type EventDoor} from '../ingest/accept-events.ts';
import type {ReadStore, VerdictStore} from '../warehouse/warehouse.ts';
import {addConfig, type ConfigFeed} from './config-routes.ts';

export type ServerOptions = {
  readonly host: string;
  readonly port: number;
  readonly logger: Logger;
  readonly door: EventDoor;
  /** What SDKs assign by; without it `/v1/config` is not there. */
  readonly experiments?: ConfigFeed;
  readonly warehouse: ReadStore & VerdictStore;
  /** What keeps the process from being ready; empty when it is. */
  readonly unready: () => Promise<readonly string[]>;
  readonly metrics: {readonly render: () => Promise<string>; readonly contentType: string};
  /** The newest report of the stream; null when there is no verdict yet. */
  readonly report: (format: 'html' | 'json' | 'markdown', experiment: string | null) => Promise<string | null>;
  /** The stream that requests without `stream` mean. */
  readonly stream: () => Promise<string>;
};

/** A request may hold this much; the SDK sends 500 events of at most 64 KiB, far less in practice. */
const BODY_BYTES_MAX = 4 * 1024 * 1024;
const EVENTS_MAX = 5_000;

const SECURITY_HEADERS = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
};

/** The HTTP server. Without API keys it answers on loopback alone and refuses to do otherwise. */
export async function openServer(options: ServerOptions): Promise<{readonly url: string; close(): Promise<void>}> {
  if (!['127.0.0.1', '::1', 'localhost'].includes(options.host)) {
    throw new AssayError('ASSAY_CONFIG_INVALID', `server.host ${options.host} is not loopback, and without API keys the server binds to loopback only; use 127.0.0.1 behind a proxy that authenticates`);
  }
  const app = fastify({logger: false, bodyLimit: BODY_BYTES_MAX, requestTimeout: 30_000, forceCloseConnections: true});
  app.addHook('onSend', async (_request, reply) => {
    reply.headers(SECURITY_HEADERS);
  });
  app.setErrorHandler((error, request, reply) => answerError(error, {reply, path: request.url, logger: options.logger}));
  app.setNotFoundHandler((request, reply) => problem(reply, {status: 404, title: 'Not found', detail: `there is nothing at ${request.method} ${request.url.slice(0, 200)}`}));
  addIngest(app, options);
  addOperations(app, options);
  addReading(app, options);
  if (options.experiments !== undefined) addConfig(app, options.experiments);
  try {
    await app.listen({host: options.host, port: options.port});
  } catch (error) {
    throw new AssayError('ASSAY_CONFIG_INVALID', `the HTTP server cannot listen on ${options.host}:${options.port} (${messageOf(error)}); choose another with --port`, {cause: error});
  }
  const port = (app.addresses()[0] as AddressInfo | undefined)?.port ?? options.port;
  return {url: `http://127.0.0.1:${port}`, close: () => app.close()};
}

function addIngest(app: FastifyInstance, {door}: ServerOptions): void {
  // Beacons come as text/plain, NDJSON under its own name; all are read as text first.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', {parseAs: 'string'}, (_request, body, done) => done(null, body));
  app.post('/v1/events', async (request, reply) => {
    const values = readEvents(String(request.body ?? ''), String(request.headers['content-type'] ?? ''));
    if (typeof values === 'string') return problem(reply, {status: 400, title: 'The events cannot be read', detail: values});
    if (values.length > EVENTS_MAX) return problem(reply, {status: 413, title: 'Too many events', detail: `${values.length} events; send at most ${EVENTS_MAX} at once`});
    const result = await door.accept(values);
    return reply.status(result.accepted === 0 && result.errors.length > 0 ? 400 : 202).send(result);
  });
}

/** @returns the events, or what is wrong with the body. */
function readEvents(body: string, contentType: string): unknown[] | string {
  if (body.trim() === '') return 'the body is empty; send a JSON array, one JSON object, or NDJSON';
  try {
    if (!contentType.includes('ndjson')) {
      const value: unknown = JSON.parse(body);
      return Array.isArray(value) ? value : [value];
    }
  } catch (error) {
    if (contentType.includes('application/json')) return `the body is not JSON (${messageOf(error)})`;
  }
  const values: unknown[] = [];
  for (const [index, line] of body.split('\n').entries()) {
    if (line.trim() === '') continue;
    try {
      values.push(JSON.parse(line));
    } catch (error) {
      return `line ${index + 1} is not JSON (${messageOf(error)})`;
    }
  }
  return values;
}

function addOperations(app: FastifyInstance, options: ServerOptions): void {
  app.get('/healthz', async () => ({status: 'ok'}));
  app.get('/readyz', async (_request, reply) => {
    const reasons = await options.unready();
    return reply.status(reasons.length === 0 ? 200 : 503).send({status: reasons.length === 0 ? 'ready' : 'not ready', reasons});
  });
  app.get('/metrics', async (_request, reply) => reply.type(options.metrics.contentType).send(await options.metrics.render()));
}

function addReading(app: FastifyInstance, {warehouse, report, stream}: ServerOptions): void {
  type Query = {Querystring: {stream?: string; experiment?: string; size_s?: string; slide_s?: string; minutes?: string}};
  app.get<Query>('/v1/verdicts', async request => ({
    verdicts: await warehouse.latestVerdicts(request.query.stream ?? (await stream()), request.query.experiment ?? null),
  }));
  app.get<Query>('/v1/windows', async (request, reply) => {
    const {experiment, size_s = '60', slide_s = '10'} = request.query;
    const [size, slide] = [Number(size_s), Number(slide_s)];
    if (experiment === undefined || !(Number.isInteger(size) && size > 0) || !(Number.isInteger(slide) && slide > 0)) {
      return problem(reply, {status: 400, title: 'The query is wrong', detail: 'give experiment=NAME and, in seconds, size_s and slide_s as whole numbers'});
    }
    const rows = await warehouse.query(
      'SELECT * FROM v_windows_all(size_s={size:UInt32}, slide_s={slide:UInt32}) WHERE stream = {stream:String} AND experiment = {experiment:String} ORDER BY window_start DESC, phase, variant, metric LIMIT 1000',
      {parameters: {size, slide, experiment, stream: request.query.stream ?? (await stream())}},
    );
    return {windows: rows};
  });
  app.get<{Querystring: {experiment?: string}}>('/', async (request, reply) => {
    const html = await report('html', request.query.experiment ?? null);
    if (html === null) return reply.type('text/html').send(EMPTY_PAGE);
    return reply.type('text/html; charset=utf-8').send(html);
  });
  app.get<{Querystring: {experiment?: string}}>('/v1/report', async (request, reply) => {
    const json = await report('json', request.query.experiment ?? null);
    return json === null ? problem(reply, {status: 404, title: 'No verdict yet', detail: 'verdicts appear once an experiment has data'}) : reply.type('application/json').send(json);
  });
}

const EMPTY_PAGE = '<!doctype html><html lang="en"><meta charset="utf-8"><title>Assay</title><body><h1>No verdict yet</h1><p>Verdicts appear here once an experiment has data.</p></body></html>';

type Problem = {readonly status: number; readonly title: string; readonly detail: string};

/** RFC 9457. */
function problem(reply: FastifyReply, {status, title, detail}: Problem): FastifyReply {
  return reply.status(status).type('application/problem+json').send(JSON.stringify({type: 'about:blank', title, status, detail}));
}

function answerError(error: unknown, at: {reply: FastifyReply; path: string; logger: Logger}): FastifyReply {
  if (error instanceof BusyError) {
    at.reply.header('retry-after', String(error.retryAfterSeconds));
    return problem(at.reply, {status: 429, title: 'The log is busy', detail: error.message});
  }
  if (error instanceof AssayError && error.kind === 'input') return problem(at.reply, {status: 400, title: error.code, detail: error.message});
  const status = (error as {statusCode?: number}).statusCode ?? 500;
  if (status === 413) return problem(at.reply, {status, title: 'The body is too large', detail: `a request may hold ${BODY_BYTES_MAX / 1024 / 1024} MiB; send fewer events at once`});
  if (status < 500) return problem(at.reply, {status, title: 'The request is wrong', detail: messageOf(error)});
  at.logger.error('request failed', {path: at.path, error: messageOf(error)});
  return problem(at.reply, {status: 500, title: 'Internal error', detail: 'the server log has the cause'});
}
