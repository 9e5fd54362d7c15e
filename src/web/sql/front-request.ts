import {randomUUID} from 'node:crypto';
import {createWriteStream} from 'node:fs';
import type {IncomingMessage} from 'node:http';
import {join} from 'node:path';
import {type Readable, Transform} from 'node:stream';
import {pipeline} from 'node:stream/promises';
import {WAREHOUSE_LIMITS} from '../../warehouse/limits.ts';
import {SqlEngineError} from '../../warehouse/sql-executor.ts';
import {compressedBlockDecoder} from './compressed-blocks.ts';
import {decoderFor} from './front-encoding.ts';
import type {FrontCredentials, FrontRequest} from './front-policy.ts';

/** Names of the protocol; every other one in the URL is a setting. */
const PROTOCOL_NAMES: ReadonlySet<string> = new Set([
  'query', 'user', 'password', 'default_format', 'database', 'query_id', 'session_id', 'session_timeout', 'session_check', 'wait_end_of_query', 'buffer_size',
  'compress', 'decompress', 'network_compression_method', 'network_zstd_compression_level', 'enable_http_compression', 'http_zlib_compression_level', 'send_progress_in_http_headers', 'http_headers_progress_interval_ms',
  'http_response_buffer_size', 'http_response_headers', 'add_http_cors_header', 'client_protocol_version', 'quota_key', 'role', 'stacktrace', 'close_session',
  'http_make_head_request', 'cancel_http_readonly_queries_on_client_close', 'log_queries',
]);

const {frontSqlBytes: SQL_BYTES_MAX, frontBodyBytes: BODY_BYTES_MAX} = WAREHOUSE_LIMITS;

/** Reads a request of ClickHouse's HTTP protocol. @throws SqlEngineError */
export async function readFrontRequest(
  request: IncomingMessage,
  {url, spoolDirectory, acceptsData}: {readonly url: URL; readonly spoolDirectory: string; readonly acceptsData: boolean},
): Promise<FrontRequest> {
  const {searchParams} = url;
  const body = decodedBody(request, {isInBlocks: searchParams.get('decompress') === '1', bytesMax: acceptsData ? BODY_BYTES_MAX : SQL_BYTES_MAX});
  const fromUrl = searchParams.get('query') ?? '';
  const dataFile = fromUrl !== '' && acceptsData ? await spool(body, spoolDirectory) : null;
  const text = dataFile === null ? await readText(body) : '';
  return {
    sql: fromUrl === '' ? text : `${fromUrl}${text === '' ? '' : `\n${text}`}`,
    params: namesWithPrefix(searchParams, 'param_'),
    settings: settingsOf(searchParams),
    defaultFormat: searchParams.get('default_format') ?? header(request, 'x-clickhouse-format') ?? 'TabSeparated',
    protocolVersion: versionOf(searchParams.get('client_protocol_version') ?? ''),
    dataFile,
    credentials: credentialsOf(request, searchParams),
  };
}

/** What the transport packed comes off first. Whatever fails on the way, the client leaving too, fails the body. */
function decodedBody(request: IncomingMessage, {isInBlocks, bytesMax}: {readonly isInBlocks: boolean; readonly bytesMax: number}): Readable {
  const transport = decoderFor(request.headers['content-encoding'] ?? '', bytesMax);
  const body = isInBlocks ? compressedBlockDecoder() : transport;
  request.once('close', () => {
    if (!request.complete) body.destroy(new SqlEngineError(210, 'the client went away'));
  });
  request.pipe(transport);
  if (transport !== body) {
    transport.once('error', error => body.destroy(error));
    transport.pipe(body);
  }
  return body;
}

const versionOf = (text: string): number => (/^\d{1,9}$/.test(text) ? Number(text) : 0);

export function credentialsOf(request: IncomingMessage, searchParams: URLSearchParams): FrontCredentials {
  const basic = /^Basic (.+)$/i.exec(request.headers.authorization ?? '')?.[1];
  if (basic !== undefined) {
    const [user = '', ...rest] = Buffer.from(basic, 'base64').toString('utf8').split(':');
    return {user, password: rest.join(':')};
  }
  return {
    user: header(request, 'x-clickhouse-user') ?? searchParams.get('user') ?? 'default',
    password: header(request, 'x-clickhouse-key') ?? searchParams.get('password') ?? '',
  };
}

function namesWithPrefix(searchParams: URLSearchParams, prefix: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [name, value] of searchParams) if (name.startsWith(prefix)) found[name.slice(prefix.length)] = value;
  return found;
}

function settingsOf(searchParams: URLSearchParams): Record<string, string> {
  const settings: Record<string, string> = {};
  for (const [name, value] of searchParams) {
    if (PROTOCOL_NAMES.has(name) || name.startsWith('param_')) continue;
    if (!/^[a-z][a-z0-9_]*$/i.test(name)) throw new SqlEngineError(115, `Unknown setting '${name}'`);
    settings[name] = value;
  }
  return settings;
}

function header(request: IncomingMessage, name: string): string | null {
  const value = request.headers[name];
  return typeof value === 'string' && value !== '' ? value : null;
}

async function readText(body: Readable): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > SQL_BYTES_MAX) throw new SqlEngineError(62, `the statement is longer than ${SQL_BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** Rows go to a file as they come, whatever bytes they are. @returns null when there are none */
async function spool(body: Readable, directory: string): Promise<string | null> {
  const path = join(directory, `${randomUUID()}.body`);
  let bytes = 0;
  const counter = new Transform({
    transform(chunk: Uint8Array, _encoding, done) {
      bytes += chunk.length;
      done(bytes > BODY_BYTES_MAX ? new SqlEngineError(241, `the body is longer than ${BODY_BYTES_MAX} bytes`) : null, chunk);
    },
  });
  await pipeline(body, counter, createWriteStream(path));
  return bytes === 0 ? null : path;
}
