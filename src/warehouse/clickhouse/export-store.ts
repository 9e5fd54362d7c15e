import {rename, rm} from 'node:fs/promises';
import {AssayError} from '../../core/errors.ts';
import {WAREHOUSE_LIMITS} from '../limits.ts';
import type {ExportRequest, ExportStore, ExportTarget} from '../warehouse.ts';
import type {SqlConnection, SqlSettings} from './connection.ts';
import {type OpenReader, streamSetting} from './read-store.ts';
import {guardStatement} from './sql-guard.ts';
import type {GuardAccess} from './sql-guard-lists.ts';
import {parseRows, quoteString} from './sql-text.ts';

/** The format's own compression; readers of the last ten years know it. */
const PARQUET: SqlSettings = {output_format_parquet_compression_method: 'zstd', output_format_parquet_string_as_string: 1};

export class ClickHouseExportStore implements ExportStore {
  readonly #openExporter: OpenReader;
  readonly #access: GuardAccess;

  constructor(options: {readonly openExporter: OpenReader; readonly access: GuardAccess}) {
    this.#openExporter = options.openExporter;
    this.#access = options.access;
  }

  async exportRows({sql, target, stream}: ExportRequest): Promise<{readonly rows: number | null}> {
    const statement = guardStatement(sql, {access: this.#access, allowsFormat: false});
    const settings = {...statement.settings, ...PARQUET, ...streamSetting(stream), max_memory_usage: WAREHOUSE_LIMITS.queryMemoryBytes};
    const connection = await this.#openExporter(settings);
    try {
      return {rows: await (target.kind === 'file' ? toFile(connection, statement.sql, target.path) : toObject(connection, statement.sql, target))};
    } catch (error) {
      throw hideKeys(error, target);
    } finally {
      await connection.close();
    }
  }
}

/** Beside its place first: a reader never meets half a file. */
async function toFile(connection: SqlConnection, sql: string, path: string): Promise<number | null> {
  const partial = `${path}.partial`;
  try {
    const rows = await connection.saveParquet(sql, partial);
    await rename(partial, path);
    return rows;
  } finally {
    await rm(partial, {force: true});
  }
}

async function toObject(connection: SqlConnection, sql: string, {url, accessKey, secretKey}: Extract<ExportTarget, {kind: 's3'}>): Promise<number> {
  const keys = accessKey === '' ? ['NOSIGN'] : [quoteString(accessKey), quoteString(secretKey)];
  const object = `s3(${[quoteString(url), ...keys, "'Parquet'"].join(', ')})`;
  await connection.command(`INSERT INTO FUNCTION ${object} ${sql}`, undefined, {s3_truncate_on_insert: 1});
  const [counted] = parseRows<{rows: number}>(await connection.selectText(`SELECT toFloat64(count()) AS rows FROM ${object}`));
  return counted?.rows ?? 0;
}

/** An engine's error may repeat the statement, and with it the keys. */
function hideKeys(error: unknown, target: ExportTarget): unknown {
  if (!(error instanceof AssayError)) return error;
  const code = error.code === 'ASSAY_SINK_REJECTED' ? 'ASSAY_QUERY_REFUSED' : error.code;
  if (target.kind === 'file') return new AssayError(code, error.message, {cause: error});
  const message = [target.secretKey, target.accessKey].reduce((text, key) => (key === '' ? text : text.replaceAll(key, '***')), error.message);
  return new AssayError(code, message);
}
