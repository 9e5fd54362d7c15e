import {messageOf} from '../../core/errors.ts';
import {engineCodeOf} from '../clickhouse/engine-error.ts';
import {type SqlToken, tokenizeSql} from '../clickhouse/sql-tokens.ts';
import {WAREHOUSE_LIMITS} from '../limits.ts';
import {Semaphore} from '../serial-queue.ts';
import {type SqlAnswer, SqlEngineError, type SqlExecutor, type SqlStatement} from '../sql-executor.ts';
import {insertFromFile} from './chdb-connection.ts';
import type {ChdbEngine} from './chdb-engine.ts';

/** Runs each statement on a session of its own (opening one takes about a millisecond), a few at once. */
export class ChdbExecutor implements SqlExecutor {
  readonly #engine: ChdbEngine;
  readonly #slots = new Semaphore(WAREHOUSE_LIMITS.frontStatementsAtOnce);

  constructor(engine: ChdbEngine) {
    this.#engine = engine;
  }

  execute(statement: SqlStatement): Promise<SqlAnswer> {
    return this.#slots.run(async () => {
      try {
        return await this.#execute(statement);
      } catch (cause) {
        const message = messageOf(cause);
        throw new SqlEngineError(engineCodeOf(message), message, {cause});
      }
    });
  }

  async #execute(statement: SqlStatement): Promise<SqlAnswer> {
    const {sql, defaultFormat, dataFile} = statement;
    const readonly = statement.isReadOnly ? {readonly: 1} : {};
    const session = await this.#engine.openSession({...SERVER_DEFAULTS, ...statement.settings, ...readonly});
    try {
      const text = dataFile === null ? sql : insertOf(sql, dataFile);
      const result = await session.queryAsync(text, {format: defaultFormat});
      return {
        body: result.bytes(),
        format: dataFile === null ? (formatOf(sql) ?? defaultFormat) : '',
        rowsRead: result.rowsRead,
        bytesRead: result.bytesRead,
      };
    } finally {
      session.close();
    }
  }
}

/** A server bounds its queries too; a statement may ask for less. */
const SERVER_DEFAULTS = {
  max_memory_usage: WAREHOUSE_LIMITS.queryMemoryBytes,
  max_threads: WAREHOUSE_LIMITS.queryThreads,
  output_format_json_quote_64bit_integers: 0,
};

/** `INSERT INTO t (a, b) [SETTINGS …] FORMAT x` with its rows in a file. */
function insertOf(sql: string, dataFile: string): string {
  const tokens = tokenizeSql(sql);
  const at = tokens.findLastIndex(({upper, kind}) => kind === 'word' && upper === 'FORMAT');
  const format = tokens[at + 1];
  const isInsert = tokens[0]?.upper === 'INSERT' && tokens[1]?.upper === 'INTO';
  if (!isInsert || at < 0 || format === undefined) throw new Error('Code: 62. DB::Exception: rows were sent without INSERT INTO … FORMAT. (SYNTAX_ERROR)');
  const settings = tokens.findIndex(({upper, kind}) => kind === 'word' && upper === 'SETTINGS');
  const start = tokens[1]?.upper === 'INTO' ? (tokens[1]?.end ?? 0) : 0;
  const end = tokens[settings > 0 && settings < at ? settings : at]?.start ?? sql.length;
  return insertFromFile(sql.slice(start, end).trim().replace(/^TABLE\s+/i, ''), dataFile, format.text);
}

/** The statement's own FORMAT. */
function formatOf(sql: string): string | null {
  if (!/format/i.test(sql)) return null;
  const tokens = tokenizeSql(sql);
  const isFormat = ({upper, kind}: SqlToken): boolean => kind === 'word' && upper === 'FORMAT';
  const next = tokens[tokens.findLastIndex(isFormat) + 1];
  return tokens.some(isFormat) && next?.kind === 'word' ? next.text : null;
}
