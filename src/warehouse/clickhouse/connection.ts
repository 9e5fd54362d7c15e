/**
 * What the ClickHouse implementation needs of an engine. Two of them exist:
 * `../chdb/` (the engine in the process) and `../server/` (over HTTP).
 */

/** A value of a `{name:Type}` parameter. The type in the SQL decides; 64-bit and wider integers may come as bigint or string. */
export type SqlValue =
  | string
  | number
  | bigint
  | boolean
  | null
  | SqlTuple
  | readonly SqlValue[]
  | ReadonlyMap<string | number | bigint, SqlValue>;

export type SqlTuple = {readonly tuple: readonly SqlValue[]};

/** `(a, b)`; a plain array is `[a, b]`. */
export const sqlTuple = (...values: readonly SqlValue[]): SqlTuple => ({tuple: values});

export type SqlParams = Readonly<Record<string, SqlValue>>;
export type SqlSettings = Readonly<Record<string, string | number | boolean>>;

/**
 * One engine connection; queries on it run one at a time, in the order they were asked.
 *
 * Every call may be repeated after an error of kind `retry`: it then may have been carried out.
 * @throws AssayError `ASSAY_SINK_UNAVAILABLE`, `ASSAY_SINK_REJECTED` or `ASSAY_WAREHOUSE_CORRUPT`.
 */
export interface SqlConnection {
  /**
   * Rows of a SELECT as objects, typed as ClickHouse's JSONEachRow: 64-bit and wider integers
   * as strings, nan and inf as the strings 'nan', 'inf', '-inf', times as the server prints them
   * (select toUnixTimestamp64Milli(x) and convert). `params` are `{name:Type}` parameters.
   * `settings` never outlive the statement.
   */
  select<Row>(sql: string, params?: SqlParams, settings?: SqlSettings): Promise<Row[]>;
  /** What {@link select} parses: JSONEachRow as the engine wrote it. */
  selectText(sql: string, params?: SqlParams, settings?: SqlSettings): Promise<string>;
  /**
   * Writes a SELECT's rows as Parquet to a file of this machine and returns how many the file
   * holds; null when the engine does not say.
   */
  saveParquet(sql: string, path: string, settings?: SqlSettings): Promise<number | null>;
  /** DDL, INSERT … SELECT. */
  command(sql: string, params?: SqlParams, settings?: SqlSettings): Promise<void>;
  /** Binary insert: RowBinary of the named columns. Resolves once the rows are durable. */
  insertRowBinary(table: string, columns: readonly string[], rows: Uint8Array, rowCount: number): Promise<void>;
  /**
   * Inserts one block in the Native format, given in pieces, for tables that collapse copies when they are read and
   * merged: copies within the block are not looked for. The bytes must not change before it resolves.
   */
  insertNative(table: string, columns: readonly string[], block: readonly Uint8Array[], rowCount: number): Promise<void>;
  close(): Promise<void>;
}

/** Collapsing the rows of one insert costs more than writing them, and finds next to nothing. */
export const NATIVE_INSERT_SETTINGS: SqlSettings = {optimize_on_insert: 0};
