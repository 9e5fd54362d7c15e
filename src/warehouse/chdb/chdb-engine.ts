import {mkdir, rm, stat} from 'node:fs/promises';
import {join, resolve} from 'node:path';
import {AssayError, messageOf} from '../../core/errors.ts';
import type {SqlConnection, SqlSettings} from '../clickhouse/connection.ts';
import {settingsText} from '../clickhouse/sql-text.ts';
import {WAREHOUSE_LIMITS} from '../limits.ts';
import {ChdbSqlConnection} from './chdb-connection.ts';
import {assertNothingLost, openFailure} from './chdb-damage.ts';

/** The part of chDB's session that we use. */
export type ChdbSession = {
  queryAsync(sql: string, options: {format: string}): Promise<ChdbResult>;
  close(): void;
};
export type ChdbResult = {
  readonly rowsRead: number;
  readonly bytesRead: number;
  bytes(): Uint8Array;
  text(): string;
};
type ChdbModule = {
  Session: new (path: string, options?: {connectionArgs: readonly string[]}) => ChdbSession;
};

export type ChdbEngineOptions = {
  /** Created when missing. One process owns it at a time, and a process opens one. */
  readonly directory: string;
  /** Memory of all queries together. */
  readonly memoryBytes?: number;
  readonly threads?: number;
  /** A configuration of the engine's own, e.g. of the cluster that it belongs to. */
  readonly configFile?: string;
};

/**
 * The ClickHouse engine in this process on one directory. Hands out connections,
 * each of which runs one query at a time on a thread of libuv's pool.
 *
 * chDB's own connection for `@clickhouse/client` is not used: settings given to it
 * stay on the connection, binary bodies are damaged, and its parameters put all
 * queries of the process in one queue (docs/adr/0004).
 */
export class ChdbEngine {
  readonly directory: string;
  readonly #module: ChdbModule;
  readonly #base: SqlSettings;
  readonly #open = new Set<{close(): Promise<void>}>();
  /** Carries the engine's own options; the engine stops when its last session closes. */
  readonly #keeper: ChdbSession;
  #spooled = 0;

  constructor(module: ChdbModule, options: ChdbEngineOptions) {
    const {memoryBytes = WAREHOUSE_LIMITS.engineMemoryBytes, threads = WAREHOUSE_LIMITS.queryThreads} = options;
    this.directory = options.directory;
    this.#module = module;
    this.#base = {
      output_format_json_quote_64bit_integers: 1,
      output_format_json_quote_denormals: 1,
      max_partitions_per_insert_block: 0,
      // FINAL must see every copy of a row before a filter on its payload does.
      optimize_move_to_prewhere_if_final: 0,
      max_memory_usage: Math.min(WAREHOUSE_LIMITS.queryMemoryBytes, memoryBytes),
      max_threads: threads,
      // It would count 1 GiB a thread, and with the memory it is given here never start a second one; its control of
      // concurrency, which shares slots among statements, gave out fewer as well. The number of threads is the bound here.
      max_threads_min_free_memory_per_thread: 0,
      use_concurrency_control: 0,
      max_insert_threads: 1,
    };
    this.#keeper = new module.Session(options.directory, {
      connectionArgs: [
        ...(options.configFile === undefined ? [] : [`--config-file=${options.configFile}`]),
        `--max_server_memory_usage=${memoryBytes}`,
        `--background_pool_size=${WAREHOUSE_LIMITS.backgroundThreads}`,
        `--mark_cache_size=${WAREHOUSE_LIMITS.markCacheBytes}`,
        `--index_mark_cache_size=${WAREHOUSE_LIMITS.indexCacheBytes}`,
        `--primary_index_cache_size=${WAREHOUSE_LIMITS.indexCacheBytes}`,
      ],
    });
  }

  /** @param settings hold for the connection's life, besides the engine's own */
  async openConnection(settings: SqlSettings = {}): Promise<SqlConnection> {
    const session = await this.openSession({...this.#base, ...settings});
    const connection = new ChdbSqlConnection(session, this);
    this.#open.add(connection);
    return connection;
  }

  /** A bare session with settings; the caller closes it. */
  async openSession(settings: SqlSettings): Promise<ChdbSession> {
    const session = new this.#module.Session(this.directory);
    try {
      // readonly goes last: it forbids every later SET.
      const {readonly, ...others} = settings;
      const clause = settingsText(others);
      if (clause !== '') await session.queryAsync(`SET ${clause}`, {format: 'Null'});
      if (readonly !== undefined) await session.queryAsync(`SET readonly = ${readonly}`, {format: 'Null'});
      return session;
    } catch (error) {
      session.close();
      throw error;
    }
  }

  get baseSettings(): SqlSettings {
    return this.#base;
  }

  forget(connection: {close(): Promise<void>}): void {
    this.#open.delete(connection);
  }

  /** A path for one insert's rows; `file()` reads them from there. */
  spoolPath(): string {
    this.#spooled += 1;
    return join(spoolDirectory(this.directory), `${this.#spooled}.rows`);
  }

  async close(): Promise<void> {
    for (const connection of [...this.#open]) await connection.close();
    this.#keeper.close();
    await rm(spoolDirectory(this.directory), {recursive: true, force: true});
  }
}

const spoolDirectory = (directory: string): string => `${directory}.spool`;

/**
 * @throws AssayError `ASSAY_DATA_DIR_INVALID` not a directory · `ASSAY_DATA_DIR_OWNED` another process
 * has it · `ASSAY_WAREHOUSE_CORRUPT` damaged · `ASSAY_CONFIG_INVALID` no engine for this platform
 */
export async function openChdbEngine(options: ChdbEngineOptions): Promise<ChdbEngine> {
  const directory = resolve(options.directory);
  const found = await stat(directory).catch(() => null);
  if (found !== null && !found.isDirectory()) {
    throw new AssayError('ASSAY_DATA_DIR_INVALID', `${directory} is a file; the warehouse needs a directory there`);
  }
  const module = await loadChdb();
  await mkdir(directory, {recursive: true}).catch((cause: unknown) => {
    throw new AssayError('ASSAY_DATA_DIR_INVALID', `cannot create ${directory}: ${messageOf(cause)}`, {cause});
  });
  let engine: ChdbEngine;
  try {
    engine = new ChdbEngine(module, {...options, directory});
  } catch (error) {
    throw await openFailure(directory, error);
  }
  try {
    await rm(spoolDirectory(directory), {recursive: true, force: true});
    await mkdir(spoolDirectory(directory), {recursive: true});
    await assertNothingLost(engine);
    return engine;
  } catch (error) {
    await engine.close();
    throw error;
  }
}

/** Why there is no embedded engine here; null when there is one. */
export async function chdbMissing(): Promise<string | null> {
  try {
    await loadChdb();
    return null;
  } catch (error) {
    return messageOf(error);
  }
}

async function loadChdb(): Promise<ChdbModule> {
  try {
    const loaded: {default: unknown} = await import('chdb');
    return loaded.default as ChdbModule;
  } catch (cause) {
    throw new AssayError(
      'ASSAY_CONFIG_INVALID',
      `the embedded warehouse has no engine for ${process.platform}-${process.arch} (${messageOf(cause)}); use a ClickHouse server`,
      {cause},
    );
  }
}
