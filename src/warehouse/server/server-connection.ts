import {type ClickHouseClient, ClickHouseError, createClient} from '@clickhouse/client';
import {createWriteStream} from 'node:fs';
import {Readable} from 'node:stream';
import {pipeline} from 'node:stream/promises';
import {AssayError, messageOf} from '../../core/errors.ts';
import {NATIVE_INSERT_SETTINGS, type SqlConnection, type SqlParams, type SqlSettings} from '../clickhouse/connection.ts';
import {toWarehouseError} from '../clickhouse/engine-error.ts';
import {bindParams, parseRows, quoteName, quoteTable, settingsText, withOutput, withSettings} from '../clickhouse/sql-text.ts';
import {WAREHOUSE_LIMITS} from '../limits.ts';
import {SerialQueue} from '../serial-queue.ts';

export type ServerOptions = {
  /** e.g. `https://clickhouse.example:8443`. */
  readonly url: string;
  readonly user?: string;
  readonly password?: string;
  readonly database?: string;
  /** Of several shards; '' or none for one. */
  readonly cluster?: string;
  /** PEM of the authority that signed the server's certificate, when it is not a public one. */
  readonly caCert?: Uint8Array | null;
  readonly requestTimeoutMs?: number;
  /** gzip on bodies in both directions: worth it over a network, not on one machine. */
  readonly isCompressed?: boolean;
};

/** Sent with every request; nothing is kept on the server between two of them. */
const BASE_SETTINGS: SqlSettings = {
  output_format_json_quote_64bit_integers: 1,
  output_format_json_quote_denormals: 1,
  // An answer means that the rows are there.
  async_insert: 0,
  wait_end_of_query: 1,
  max_partitions_per_insert_block: 0,
  // FINAL must see every copy of a row before a filter on its payload does.
  optimize_move_to_prewhere_if_final: 0,
};

/** A {@link SqlConnection} to a ClickHouse server over HTTP. */
export class ServerSqlConnection implements SqlConnection {
  readonly #client: ClickHouseClient;
  readonly #where: string;
  readonly #queue = new SerialQueue();

  constructor(options: ServerOptions, settings: SqlSettings = {}) {
    const requestTimeoutMs = options.requestTimeoutMs ?? WAREHOUSE_LIMITS.serverRequestMs;
    const {database, caCert} = options;
    this.#where = hostOf(options.url);
    this.#client = createClient({
      url: options.url,
      username: options.user ?? 'default',
      password: options.password ?? '',
      ...(database === undefined ? {} : {database}),
      ...(caCert === undefined || caCert === null ? {} : {tls: {ca_cert: Buffer.from(caCert)}}),
      request_timeout: requestTimeoutMs,
      compression: {request: options.isCompressed ?? false, response: options.isCompressed ?? false},
      max_open_connections: 1,
      application: 'assay',
      // What fails is thrown, with the host; the client's own lines on stderr would only repeat it.
      log: {LoggerClass: SilentClientLogger},
      clickhouse_settings: urlSettings({...BASE_SETTINGS, max_execution_time: Math.ceil(requestTimeoutMs / 1000), ...settings}),
    });
  }

  async select<Row>(sql: string, params?: SqlParams, settings?: SqlSettings): Promise<Row[]> {
    return parseRows<Row>(await this.selectText(sql, params, settings));
  }

  selectText(sql: string, params?: SqlParams, settings?: SqlSettings): Promise<string> {
    return this.#run(async () => {
      const {stream} = await this.#client.exec({query: withOutput(bindParams(sql, params), 'JSONEachRow', settings)});
      return textOf(stream);
    });
  }

  saveParquet(sql: string, path: string, settings?: SqlSettings): Promise<number | null> {
    return this.#run(async () => {
      const {stream, summary} = await this.#client.exec({query: withOutput(sql, 'Parquet', settings)});
      await pipeline(stream, createWriteStream(path));
      return summary?.result_rows === undefined ? null : Number(summary.result_rows);
    });
  }

  command(sql: string, params?: SqlParams, settings?: SqlSettings): Promise<void> {
    return this.#run(async () => {
      await this.#client.command({query: withSettings(bindParams(sql, params), settings)});
    });
  }

  insertRowBinary(table: string, columns: readonly string[], rows: Uint8Array, rowCount: number): Promise<void> {
    if (rowCount === 0) return Promise.resolve();
    // The caller reuses its buffer, and the statement may wait its turn.
    return this.#insert(`${targetOf(table, columns)} FORMAT RowBinary`, [Buffer.from(rows)]);
  }

  insertNative(table: string, columns: readonly string[], block: readonly Uint8Array[], rowCount: number): Promise<void> {
    if (rowCount === 0) return Promise.resolve();
    return this.#insert(`${targetOf(table, columns)} SETTINGS ${settingsText(NATIVE_INSERT_SETTINGS)} FORMAT Native`, block);
  }

  #insert(query: string, pieces: readonly Uint8Array[]): Promise<void> {
    return this.#run(async () => {
      const {stream} = await this.#client.exec({query, values: Readable.from(pieces, {objectMode: false})});
      await textOf(stream);
    });
  }

  async close(): Promise<void> {
    await this.#queue.idle();
    await this.#client.close();
  }

  #run<Result>(task: () => Promise<Result>): Promise<Result> {
    return this.#queue.run(async () => {
      try {
        return await task();
      } catch (cause) {
        throw this.#toAssayError(cause);
      }
    });
  }

  #toAssayError(cause: unknown): AssayError {
    if (cause instanceof AssayError) return cause;
    if (cause instanceof ClickHouseError) {
      const {code, type, message} = cause;
      return toWarehouseError(Number(code), `${message}${type === undefined ? '' : ` (${type})`}`, {where: this.#where, cause});
    }
    const text = messageOf(cause) || String((cause as NodeJS.ErrnoException).code ?? cause);
    return new AssayError('ASSAY_SINK_UNAVAILABLE', `cannot reach ClickHouse at ${this.#where}: ${text} (${fixFor(text)})`, {cause});
  }
}

const targetOf = (table: string, columns: readonly string[]): string => `INSERT INTO ${quoteTable(table)} (${columns.map(quoteName).join(', ')})`;

const urlSettings = (settings: SqlSettings): Record<string, string> =>
  Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, String(typeof value === 'boolean' ? Number(value) : value)]));

function fixFor(text: string): string {
  if (/ENOTFOUND|EAI_AGAIN/.test(text)) return 'check the host name';
  if (/certificate|self.signed|CERT_|SSL|TLS/i.test(text)) return 'give the certificate authority, or check the certificate';
  if (/timeout/i.test(text)) return 'the server is slow or a firewall drops packets';
  return 'check that the server runs and that the URL and port are its HTTP interface';
}

/** Host and port only: a URL can hold a password. */
function hostOf(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : null;
  if (parsed?.protocol !== 'http:' && parsed?.protocol !== 'https:') {
    throw new AssayError('ASSAY_CONFIG_INVALID', 'the ClickHouse URL must be that of its HTTP interface, e.g. http://clickhouse:8123');
  }
  return parsed.host;
}

async function textOf(stream: AsyncIterable<Uint8Array | string>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk as Uint8Array));
  return Buffer.concat(chunks).toString('utf8');
}

class SilentClientLogger {
  trace(): void {}
  debug(): void {}
  info(): void {}
  warn(): void {}
  error(): void {}
}
