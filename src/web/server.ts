import {isIP} from 'node:net';
import type {AddressInfo} from 'node:net';
import type {Readable} from 'node:stream';
import cors from '@fastify/cors';
import {type FastifyInstance, type FastifyReply, type FastifyRequest, fastify} from 'fastify';
import {AssayError, messageOf} from '../core/errors.ts';
import {placeOf, type Tracing} from '../core/tracing.ts';
import {epochMs} from '../core/units.ts';
import {runWithTrace} from '../observe/trace-context.ts';
import type {KeyRing} from './access/key-file.ts';
import {Gatekeeper} from './access/gatekeeper.ts';
import {Sessions} from './access/session.ts';
import {loadAssets} from './assets.ts';
import type {Backend} from './backend.ts';
import {decodedBody} from './body-encoding.ts';
import {LiveFeed} from './live-feed.ts';
import {answersHead, Methods} from './methods.ts';
import {ProblemError, problemOf, rawProblem, sendProblem} from './problem.ts';
import {type Answer, type Caller, parseInput, type Route} from './route.ts';
import {accessRoutes} from './routes/access.ts';
import {alertRoutes} from './routes/alerts.ts';
import {comparisonRoutes} from './routes/comparison.ts';
import {eventRoutes} from './routes/events.ts';
import {experimentRoutes} from './routes/experiments.ts';
import {liveRoutes} from './routes/live.ts';
import {operationRoutes} from './routes/operations.ts';
import {pageRoutes} from './routes/pages.ts';
import {pipelineRoutes} from './routes/pipeline.ts';
import {reportRoutes} from './routes/reports.ts';
import {resultRoutes} from './routes/results.ts';
import {servingRoutes} from './routes/serving.ts';
import {spendRoutes} from './routes/spend.ts';
import {SECURITY_HEADERS} from './security-headers.ts';

export type ServerOptions = Omit<Backend, 'live'> & {
  readonly host: string;
  readonly port: number;
  readonly keys: KeyRing;
  /** Random bytes as text. */
  readonly random: (bytes: number) => string;
  readonly corsOrigins: readonly string[];
  readonly requestsPerSecond: number;
  /** By then headers and body must have come. */
  readonly requestMsMax?: number;
  /** Gets a span of each request that carries a sampled `traceparent`. */
  readonly tracing?: Tracing;
  /** Shown in the API's description. */
  readonly version: string;
};

export type WebServer = {readonly url: string; readonly routes: readonly Route[]; close(): Promise<void>};

/** A request may hold this much; the SDK sends 500 events of at most 64 KiB, far less in practice. */
const BODY_BYTES_MAX = 4 * 1024 * 1024;
/** Headers and body must have come by then; a caller that sends a byte a second holds a connection no longer. */
const REQUEST_MS_MAX = 30_000;
const SLOW_REQUESTS_CHECKED_EVERY_MS = 2_000;
const CONNECTIONS_MAX = 2_000;
/** A definition has five levels. */
const NESTING_MAX = 50;
const KEEP_ALIVE_MS = 30_000;

export const isLoopback = (host: string): boolean => host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));

/**
 * The HTTP server: API and dashboard. Without API keys it answers on loopback alone and
 * refuses to do otherwise.
 */
export async function openServer(options: ServerOptions): Promise<WebServer> {
  const {host, keys, clock, requestMsMax = REQUEST_MS_MAX} = options;
  const isExposed = !isLoopback(host);
  if (isExposed && !keys.isLocked) {
    throw new AssayError('ASSAY_CONFIG_INVALID', `server.host ${host} is not loopback, and without API keys the server binds to loopback only; make a key with \`assay keys add --role admin --name NAME\`, or use 127.0.0.1`);
  }
  const sessions = new Sessions(keys, options.random);
  const gatekeeper = new Gatekeeper({keys, sessions, clock, corsOrigins: options.corsOrigins, requestsPerSecond: options.requestsPerSecond, isExposed});
  const live = new LiveFeed(options);
  const routes = makeRoutes({...options, live}, {gatekeeper, sessions});
  const app = fastify({
    logger: false,
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: requestMsMax,
    keepAliveTimeout: KEEP_ALIVE_MS,
    http: {connectionsCheckingInterval: Math.min(SLOW_REQUESTS_CHECKED_EVERY_MS, requestMsMax), headersTimeout: requestMsMax, maxHeaderSize: 16 * 1024},
    routerOptions: {maxParamLength: 500},
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    clientErrorHandler: (error, socket) => {
      if (socket.writable) socket.end(rawProblem(error));
      else socket.destroy();
    },
    // An address that cannot be decoded reaches no route and no hook.
    frameworkErrors: (error, request, reply) => {
      void sendProblem(reply.headers(SECURITY_HEADERS), problemOf(error, {path: pathOf(request), logger: options.logger, bodyBytesMax: BODY_BYTES_MAX}));
    },
  });
  app.server.maxConnections = CONNECTIONS_MAX;
  await prepare(app, {options, methods: new Methods(routes)});
  for (const route of routes) addRoute(app, route, {options, gatekeeper});
  try {
    await app.listen({host, port: options.port});
  } catch (error) {
    await app.close();
    throw new AssayError('ASSAY_CONFIG_INVALID', `the HTTP server cannot listen on ${host}:${options.port} (${messageOf(error)}); choose another with --port`, {cause: error});
  }
  const port = (app.addresses()[0] as AddressInfo | undefined)?.port ?? options.port;
  return {
    url: `http://${isExposed ? (isIP(host) === 6 ? `[${host}]` : host) : '127.0.0.1'}:${port}`,
    routes,
    close: async () => {
      live.close();
      await app.close();
    },
  };
}

/** The whole table; a route that is not in it does not exist. */
function makeRoutes(backend: ServerOptions & Backend, {gatekeeper, sessions}: {readonly gatekeeper: Gatekeeper; readonly sessions: Sessions}): readonly Route[] {
  const routes: Route[] = [];
  routes.push(
    ...eventRoutes(backend),
    ...servingRoutes(backend),
    ...spendRoutes(backend),
    ...experimentRoutes(backend),
    ...resultRoutes(backend),
    ...comparisonRoutes(backend),
    ...reportRoutes(backend),
    ...liveRoutes(backend),
    ...alertRoutes(backend),
    ...pipelineRoutes(backend),
    ...accessRoutes(backend, {gatekeeper, sessions, isSecure: backend.publicUrl.startsWith('https:')}),
    ...operationRoutes(backend, {routes: () => routes, version: backend.version}),
    ...pageRoutes(loadAssets()),
  );
  return routes;
}

async function prepare(app: FastifyInstance, {options: {logger, corsOrigins}, methods}: {readonly options: ServerOptions; readonly methods: Methods}): Promise<void> {
  app.addHook('onRequest', (request, _reply, done) => runWithTrace(request.headers['traceparent'], done));
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(SECURITY_HEADERS);
    // Node takes the first of two; a proxy before it may have judged the other.
    const hosts = request.raw.rawHeaders.filter((name, index) => index % 2 === 0 && name.toLowerCase() === 'host').length;
    if (hosts > 1) throw new ProblemError({status: 400, title: 'The request is wrong', detail: 'it names more than one Host'});
  });
  await app.register(cors, {
    origin: corsOrigins.length === 0 ? false : [...corsOrigins],
    methods: ['GET', 'POST', 'PUT', 'DELETE'],
    allowedHeaders: ['authorization', 'content-type', 'x-api-key', 'if-match', 'if-none-match', 'traceparent', 'tracestate'],
    exposedHeaders: ['etag', 'retry-after', 'location'],
    maxAge: 600,
    strictPreflight: false,
  });
  // Beacons come as text/plain, NDJSON under its own name; all are read as text first.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', {parseAs: 'string'}, (_request, body, done) => done(null, body));
  app.addHook('preParsing', async (request, _reply, payload) => decodedBody({encoding: request.headers['content-encoding'], payload: payload as Readable, bytesMax: BODY_BYTES_MAX}));
  app.setErrorHandler((error, request, reply) => sendProblem(reply, problemOf(error, {path: pathOf(request), logger, bodyBytesMax: BODY_BYTES_MAX})));
  app.setNotFoundHandler((request, reply) => {
    const path = pathOf(request);
    const allowed = methods.at(path);
    const headers = {allow: allowed.join(', ')};
    if (allowed.length === 0) return sendProblem(reply, {status: 404, title: 'Not found', detail: `there is nothing at ${request.method} ${path}`});
    if (request.method === 'OPTIONS') return reply.status(204).headers(headers).send();
    return sendProblem(reply, {status: 405, title: 'Not this method', detail: `${path} takes ${headers.allow}, not ${request.method}`, headers});
  });
}

/** Without the query: it may hold a key. */
const pathOf = (request: FastifyRequest): string => (request.url.split('?')[0] ?? '').slice(0, 200);

type Admitted = FastifyRequest & {caller?: Caller; auditNote?: string};
type Wiring = {readonly options: ServerOptions; readonly gatekeeper: Gatekeeper};

function addRoute(app: FastifyInstance, route: Route, {options, gatekeeper}: Wiring): void {
  app.route({
    method: answersHead(route) ? ['GET', 'HEAD'] : route.method,
    url: route.path,
    onRequest: async request => {
      // Before the body is read: who may not send gets no buffer.
      (request as Admitted).caller = gatekeeper.admit(request, route.permission);
    },
    onResponse: async (request, reply) => {
      traceRequest(options, {route, request, reply});
      if (route.isAudited === true || reply.statusCode === 401 || reply.statusCode === 403) writeAudit(options, {route, request, reply});
    },
    handler: async (request, reply) => {
      const call = {
        caller: callerOf(request),
        params: request.params as Readonly<Record<string, string>>,
        query: route.query === undefined ? {} : parseInput(route.query, {...(request.query as object)}, 'query'),
        body: bodyOf(route, request.body),
        headers: request.headers,
        raw: reply.raw,
        note: (detail: string) => {
          (request as Admitted).auditNote = detail;
        },
      };
      return sendAnswer(reply, await route.handle(call));
    },
  });
}

function callerOf(request: Admitted): Caller {
  if (request.caller === undefined) throw new Error('assertion failed: a request was admitted');
  return request.caller;
}

function bodyOf(route: Route, body: unknown): unknown {
  const text = typeof body === 'string' ? body : '';
  if (route.body === undefined || route.body === 'text') return text;
  if (isNestedBeyond(text, NESTING_MAX)) throw new ProblemError({status: 400, title: 'The body is wrong', detail: `the body is nested deeper than ${NESTING_MAX} levels`});
  try {
    return parseInput(route.body, JSON.parse(text), 'body');
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new ProblemError({status: 400, title: 'The body is wrong', detail: text.trim() === '' ? 'the body is empty; send JSON' : `the body is not JSON (${messageOf(error)})`});
  }
}

/** Of JSON, before it is parsed: what checks a value walks it by recursion. */
function isNestedBeyond(text: string, levels: number): boolean {
  let depth = 0;
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{}]/gs)) {
    if (token === '[' || token === '{') depth += 1;
    else if (token === ']' || token === '}') depth -= 1;
    if (depth > levels) return true;
  }
  return false;
}

function sendAnswer(reply: FastifyReply, {status = 200, headers = {}, type = 'application/json; charset=utf-8', body, isTaken}: Answer): FastifyReply {
  if (isTaken === true) return reply.hijack();
  reply.status(status).headers(headers);
  if (body === null) return reply.send();
  reply.type(type);
  return reply.send(typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body));
}

function traceRequest({tracing, clock, random}: ServerOptions, {route, request, reply}: {readonly route: Route; readonly request: FastifyRequest; readonly reply: FastifyReply}): void {
  const {traceparent} = request.headers;
  const parent = tracing === undefined || typeof traceparent !== 'string' ? null : placeOf(traceparent);
  if (parent === null) return;
  const endedAt = clock.now();
  tracing?.record({
    traceId: parent.traceId,
    spanId: Buffer.from(random(8), 'base64url').toString('hex'),
    parentSpanId: parent.spanId,
    name: `${route.method} ${route.path}`,
    kind: 'server',
    startedAt: epochMs(Math.floor(endedAt - reply.elapsedTime)),
    endedAt,
    attributes: {'http.request.method': route.method, 'http.route': route.path, 'http.response.status_code': reply.statusCode},
    ...(reply.statusCode >= 500 ? {error: `answered ${reply.statusCode}`} : {}),
  });
}

function writeAudit({audit, clock}: ServerOptions, {route, request, reply}: {readonly route: Route; readonly request: Admitted; readonly reply: FastifyReply}): void {
  const {caller, auditNote = ''} = request;
  audit.write({
    at: new Date(clock.now()).toISOString(),
    actor: caller?.name ?? '',
    key_id: caller?.keyId ?? null,
    role: caller === undefined || caller.name === '' ? null : caller.role,
    action: `${route.method} ${route.path}`,
    target: Object.values(request.params as Readonly<Record<string, string>>).join('/'),
    status: reply.statusCode,
    address: request.ip,
    detail: auditNote,
  });
}
