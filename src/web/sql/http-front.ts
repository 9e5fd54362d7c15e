import {randomUUID} from 'node:crypto';
import {mkdir, rm} from 'node:fs/promises';
import {createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse} from 'node:http';
import {createServer as createHttpsServer} from 'node:https';
import type {AddressInfo} from 'node:net';
import {assert} from '../../core/assert.ts';
import {AssayError, messageOf} from '../../core/errors.ts';
import {type SqlAnswer, SqlEngineError} from '../../warehouse/sql-executor.ts';
import {toCompressedBlocks} from './compressed-blocks.ts';
import {encodeBody} from './front-encoding.ts';
import type {FrontFault, FrontPolicy, FrontRequest} from './front-policy.ts';
import {credentialsOf, readFrontRequest} from './front-request.ts';
import {nativeFor} from './native-blocks.ts';

export type FrontOptions = {
  readonly policy: FrontPolicy;
  readonly host?: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly tls?: {readonly cert: string | Uint8Array; readonly key: string | Uint8Array} | null;
  /** Where bodies lie while they are inserted. */
  readonly spoolDirectory: string;
  /** e.g. "26.7.2.1"; in the text of exceptions. */
  readonly engineVersion: string;
  readonly requestMsMax?: number;
  /** Whether a request to this `Host` is answered; a page rebound to this address by DNS names another. */
  readonly allowsHost?: (host: string) => boolean;
};

/** A body must have come by then. Bodies of inserts may be large; statements are not. */
const REQUEST_MS_MAX = 300_000;

export type SqlFront = {readonly url: string; readonly port: number; close(): Promise<void>};

/** An HTTP server that speaks ClickHouse's protocol, so that its ordinary clients connect. What may run is the policy's. */
export async function openSqlFront(options: FrontOptions): Promise<SqlFront> {
  await mkdir(options.spoolDirectory, {recursive: true});
  const {tls, host = '127.0.0.1'} = options;
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    const url = urlOf(request);
    // No exchange without an address: what is thrown here would end the process.
    if (url === null) response.writeHead(400, {'content-type': 'text/plain; charset=UTF-8'}).end('Code: 36. DB::Exception: the request has no address that can be read. (BAD_ARGUMENTS)\n');
    else void new FrontExchange({options, url}, request, response).run();
  };
  const isTls = tls !== undefined && tls !== null;
  const server: Server = isTls ? createHttpsServer({cert: Buffer.from(tls.cert), key: Buffer.from(tls.key)}, listener) : createHttpServer(listener);
  server.requestTimeout = options.requestMsMax ?? REQUEST_MS_MAX;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, host, resolve);
  });
  const {port} = server.address() as AddressInfo;
  return {
    url: `${isTls ? 'https' : 'http'}://${host}:${port}`,
    port,
    close: async () => {
      server.closeAllConnections();
      await new Promise(resolve => server.close(resolve));
      await rm(options.spoolDirectory, {recursive: true, force: true});
    },
  };
}

function urlOf({url = '/'}: IncomingMessage): URL | null {
  const [base, text] = ['http://localhost', url.startsWith('/') ? `/.${url}` : url];
  return URL.canParse(text, base) ? new URL(text, base) : null;
}

class FrontExchange {
  readonly #options: FrontOptions;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #url: URL;

  constructor({options, url}: {readonly options: FrontOptions; readonly url: URL}, request: IncomingMessage, response: ServerResponse) {
    this.#options = options;
    this.#request = request;
    this.#response = response;
    this.#url = url;
  }

  async run(): Promise<void> {
    try {
      const {pathname} = this.#url;
      if (this.#options.allowsHost?.(this.#request.headers.host ?? '') === false) throw new SqlEngineError(516, 'only requests to localhost are answered here without API keys');
      if (pathname === '/ping') this.#send(200, 'Ok.\n');
      else if (pathname !== '/') this.#send(404, `There is no handle ${pathname}\n`);
      else if (this.#url.search === '' && this.#request.method === 'GET') this.#send(200, 'Ok.\n');
      else await this.#answer();
    } catch (error) {
      await this.#sendError(error);
    }
  }

  get #wantsBlocks(): boolean {
    return this.#url.searchParams.get('compress') === '1';
  }

  #inBlocks(body: Uint8Array): Promise<Uint8Array> {
    return toCompressedBlocks(body, this.#url.searchParams.get('network_compression_method') ?? undefined);
  }

  async #answer(): Promise<void> {
    const {policy, spoolDirectory} = this.#options;
    if (!policy.isAllowed(credentialsOf(this.#request, this.#url.searchParams))) {
      this.#request.resume();
      throw new SqlEngineError(516, 'Authentication failed: password is incorrect, or there is no user with such name');
    }
    const request = await readFrontRequest(this.#request, {url: this.#url, spoolDirectory, acceptsData: policy.acceptsData});
    try {
      const fault = policy.nextFault?.(request) ?? null;
      if (fault === null) await this.#sendAnswer(forClient(await policy.execute(request), request));
      else await this.#misbehave(fault, request);
    } finally {
      if (request.dataFile !== null) await rm(request.dataFile, {force: true});
    }
  }

  async #misbehave(fault: FrontFault, request: FrontRequest): Promise<void> {
    switch (fault.kind) {
      case 'refuse':
        this.#request.socket.destroy();
        return;
      case 'hang':
        return;
      case 'lost-answer':
        await this.#options.policy.execute(request);
        this.#request.socket.destroy();
        return;
      case 'status':
        this.#send(fault.status, fault.body);
        return;
      case 'exception':
        throw new SqlEngineError(fault.engineCode, fault.message);
    }
  }

  async #sendAnswer(answer: SqlAnswer): Promise<void> {
    const {body, encoding} = this.#wantsBlocks
      ? {body: await this.#inBlocks(answer.body), encoding: null}
      : await encodeBody(answer.body, String(this.#request.headers['accept-encoding'] ?? ''));
    if (encoding !== null) this.#response.setHeader('Content-Encoding', encoding);
    if (answer.format !== '') this.#response.setHeader('X-ClickHouse-Format', answer.format);
    this.#response.setHeader('Content-Type', contentTypeOf(answer.format));
    const counts = {read_rows: String(answer.rowsRead), read_bytes: String(answer.bytesRead), written_rows: '0', written_bytes: '0', result_rows: '0', result_bytes: '0'};
    this.#response.setHeader('X-ClickHouse-Summary', JSON.stringify({...counts, total_rows_to_read: '0', elapsed_ns: '0'}));
    this.#send(200, body);
  }

  async #sendError(error: unknown): Promise<void> {
    if (this.#response.headersSent) {
      this.#request.socket.destroy();
      return;
    }
    const {engineCode, message} = toException(error);
    this.#response.setHeader('X-ClickHouse-Exception-Code', String(engineCode));
    const text = message.startsWith('Code: ') ? message : `Code: ${engineCode}. DB::Exception: ${message}. (${NAME_BY_CODE[engineCode] ?? 'UNKNOWN_EXCEPTION'})`;
    const said = Buffer.from(`${text} (version ${this.#options.engineVersion} (official build))\n`);
    // Who asked for blocks unpacks whatever the status.
    this.#send(statusOf(engineCode), this.#wantsBlocks ? await this.#inBlocks(said) : said);
  }

  #send(status: number, body: string | Uint8Array): void {
    assert(!this.#response.headersSent, 'one answer per request');
    const bytes = typeof body === 'string' ? Buffer.from(body) : body;
    this.#response.statusCode = status;
    if (!this.#response.hasHeader('Content-Type')) this.#response.setHeader('Content-Type', 'text/plain; charset=UTF-8');
    this.#response.setHeader('X-ClickHouse-Query-Id', this.#url.searchParams.get('query_id') ?? randomUUID());
    this.#response.setHeader('X-ClickHouse-Server-Display-Name', 'assay');
    this.#response.setHeader('X-ClickHouse-Timezone', 'UTC');
    this.#response.setHeader('Content-Length', bytes.length);
    // A body that nobody reads would keep the connection from its next request.
    this.#request.resume();
    this.#response.end(bytes);
  }
}

/** The engine knows no client, so what depends on its version is done here. */
const forClient = (answer: SqlAnswer, {protocolVersion}: FrontRequest): SqlAnswer =>
  answer.format === 'Native' && protocolVersion > 0 ? {...answer, body: nativeFor(protocolVersion, answer.body)} : answer;

function toException(error: unknown): {engineCode: number; message: string} {
  if (error instanceof SqlEngineError) return {engineCode: error.engineCode, message: error.message};
  if (error instanceof AssayError && error.code === 'ASSAY_QUERY_REFUSED') return {engineCode: 497, message: `${error.code}: ${error.message}`};
  if (isOfZlib(error)) return {engineCode: 354, message: `the body is not what its Content-Encoding says: ${messageOf(error)}`};
  return {engineCode: 1002, message: messageOf(error)};
}

/** gunzip and inflate say Z_…, Brotli ERR_…. */
const isOfZlib = (error: unknown): boolean => error instanceof Error && 'code' in error && /^(Z_|ERR__ERROR_FORMAT)/.test(String(error.code));

const NAME_BY_CODE: Readonly<Record<number, string>> = {
  48: 'NOT_IMPLEMENTED',
  62: 'SYNTAX_ERROR',
  32: 'ATTEMPT_TO_READ_AFTER_EOF',
  40: 'CHECKSUM_DOESNT_MATCH',
  89: 'UNKNOWN_COMPRESSION_METHOD',
  115: 'UNKNOWN_SETTING',
  202: 'TOO_MANY_SIMULTANEOUS_QUERIES',
  241: 'MEMORY_LIMIT_EXCEEDED',
  210: 'NETWORK_ERROR',
  252: 'TOO_MANY_PARTS',
  271: 'CANNOT_DECOMPRESS',
  354: 'ZLIB_INFLATE_FAILED',
  432: 'UNKNOWN_CODEC',
  497: 'ACCESS_DENIED',
  516: 'AUTHENTICATION_FAILED',
};

/** As a server does: what the client got wrong is 4xx, everything else 500. */
function statusOf(engineCode: number): number {
  if ([192, 193, 194, 497, 516].includes(engineCode)) return 403;
  if ([60, 46, 47, 50, 56, 81, 115].includes(engineCode)) return 404;
  if ([26, 27, 32, 36, 38, 40, 41, 43, 53, 62, 72, 89, 117, 271, 354, 432].includes(engineCode)) return 400;
  if (engineCode === 48) return 501;
  if (engineCode === 159) return 408;
  return 500;
}

const contentTypeOf = (format: string): string =>
  format.includes('EachRow') ? 'application/x-ndjson; charset=UTF-8'
  : format.startsWith('JSON') ? 'application/json; charset=UTF-8'
  : format.startsWith('CSV') ? 'text/csv; charset=UTF-8'
  : /^(TSV|TabSeparated)/.test(format) ? 'text/tab-separated-values; charset=UTF-8'
  : 'application/octet-stream';
