import {open, rm} from 'node:fs/promises';
import {AssayError, messageOf} from '../../core/errors.ts';
import {NATIVE_INSERT_SETTINGS, type SqlConnection, type SqlParams, type SqlSettings} from '../clickhouse/connection.ts';
import {engineCodeOf, toWarehouseError} from '../clickhouse/engine-error.ts';
import {bindParams, parseRows, quoteName, quoteString, quoteTable, withOutput, withSettings} from '../clickhouse/sql-text.ts';
import {SerialQueue} from '../serial-queue.ts';
import type {ChdbResult, ChdbSession} from './chdb-engine.ts';

type Owner = {
  readonly directory: string;
  spoolPath(): string;
  forget(connection: SqlConnection): void;
};

/** A {@link SqlConnection} to the engine in the process. */
export class ChdbSqlConnection implements SqlConnection {
  readonly #session: ChdbSession;
  readonly #owner: Owner;
  readonly #queue = new SerialQueue();
  #isClosed = false;

  constructor(session: ChdbSession, owner: Owner) {
    this.#session = session;
    this.#owner = owner;
  }

  async select<Row>(sql: string, params?: SqlParams, settings?: SqlSettings): Promise<Row[]> {
    return parseRows<Row>(await this.selectText(sql, params, settings));
  }

  async selectText(sql: string, params?: SqlParams, settings?: SqlSettings): Promise<string> {
    const result = await this.#run(withOutput(bindParams(sql, params), 'JSONEachRow', settings));
    return result.text();
  }

  async saveParquet(sql: string, path: string, settings?: SqlSettings): Promise<number> {
    await this.#run(withSettings(`INSERT INTO FUNCTION file(${quoteString(path)}, 'Parquet') ${sql}`, {...settings, engine_file_truncate_on_insert: 1}));
    const result = await this.#run(`SELECT toFloat64(count()) AS rows FROM file(${quoteString(path)}, 'Parquet') FORMAT JSONEachRow`);
    return parseRows<{rows: number}>(result.text())[0]?.rows ?? 0;
  }

  async command(sql: string, params?: SqlParams, settings?: SqlSettings): Promise<void> {
    await this.#run(withSettings(bindParams(sql, params), settings));
  }

  insertRowBinary(table: string, columns: readonly string[], rows: Uint8Array, rowCount: number): Promise<void> {
    return rowCount === 0 ? Promise.resolve() : this.#insert(targetOf(table, columns), {format: 'RowBinary', pieces: [rows]});
  }

  insertNative(table: string, columns: readonly string[], block: readonly Uint8Array[], rowCount: number): Promise<void> {
    const rows = {format: 'Native', pieces: block, settings: NATIVE_INSERT_SETTINGS};
    return rowCount === 0 ? Promise.resolve() : this.#insert(targetOf(table, columns), rows);
  }

  async #insert(target: string, {format, pieces, settings = {}}: {readonly format: string; readonly pieces: readonly Uint8Array[]; readonly settings?: SqlSettings}): Promise<void> {
    const path = this.#owner.spoolPath();
    try {
      await spool(path, pieces);
      await this.#run(insertFromFile(target, path, format, settings));
    } finally {
      // What is left over is removed when the engine is opened; the insert's own outcome is what counts.
      await rm(path, {force: true}).catch(() => undefined);
    }
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#owner.forget(this);
    // Closing under a running query would abort the engine.
    await this.#queue.idle();
    this.#session.close();
  }

  #run(sql: string): Promise<ChdbResult> {
    return this.#queue.run(async () => {
      try {
        return await this.#session.queryAsync(sql, {format: 'Null'});
      } catch (cause) {
        const message = messageOf(cause);
        throw toWarehouseError(engineCodeOf(message), message, {where: this.#owner.directory, cause});
      }
    });
  }
}

/** A disk that is full or read-only is like an engine that is away: it may be well again soon. */
async function spool(path: string, pieces: readonly Uint8Array[]): Promise<void> {
  try {
    await writeAll(path, pieces);
  } catch (cause) {
    const text = `cannot write ${path}: ${messageOf(cause)}; free space on the device, and see that it is mounted for writing`;
    throw new AssayError('ASSAY_SINK_UNAVAILABLE', text, {cause});
  }
}

/** In one call as a rule: one for each piece would wait for as many turns of a busy loop. */
async function writeAll(path: string, pieces: readonly Uint8Array[]): Promise<void> {
  const file = await open(path, 'w');
  try {
    for (let left = pieces.filter(piece => piece.length > 0); left.length > 0; ) left = behind(left, (await file.writev(left)).bytesWritten);
  } finally {
    await file.close();
  }
}

/** What is left of the pieces after `written` bytes of them. */
function behind(pieces: readonly Uint8Array[], written: number): Uint8Array[] {
  let passed = 0;
  return pieces.flatMap(piece => {
    const rest = piece.subarray(Math.max(0, written - passed));
    passed += piece.length;
    return rest.length > 0 ? [rest] : [];
  });
}

/** The file has the columns of the target, so its structure is the target's. */
export function insertFromFile(target: string, path: string, format: string, settings: SqlSettings = {}): string {
  const all = {...settings, use_structure_from_insertion_table_in_table_functions: 1, max_insert_threads: 1};
  return withSettings(`INSERT INTO ${target} SELECT * FROM file(${quoteString(path)}, ${quoteString(format)})`, all);
}

const targetOf = (table: string, columns: readonly string[]): string => `${quoteTable(table)} (${columns.map(quoteName).join(', ')})`;
