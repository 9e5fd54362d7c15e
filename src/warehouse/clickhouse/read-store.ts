import {AssayError} from '../../core/errors.ts';
import {epochMs} from '../../core/units.ts';
import {WAREHOUSE_LIMITS} from '../limits.ts';
import {Semaphore} from '../serial-queue.ts';
import type {ReadQueryOptions, ReadStore, StoredDeadLetter, WindowRow} from '../warehouse.ts';
import type {SqlConnection, SqlSettings} from './connection.ts';
import {loadQuery} from './query-file.ts';
import {guardStatement} from './sql-guard.ts';
import type {GuardAccess} from './sql-guard-lists.ts';
import {bindParams, parseRowsWithIntegers} from './sql-text.ts';
import {isoOfMs} from './time-text.ts';

/** Opens a connection for one statement of a user: these settings, then read-only for its life. */
export type OpenReader = (settings: SqlSettings) => Promise<SqlConnection>;

export class ClickHouseReadStore implements ReadStore {
  readonly #connection: SqlConnection;
  readonly #openReader: OpenReader;
  readonly #access: GuardAccess;
  readonly #slots = new Semaphore(WAREHOUSE_LIMITS.readsAtOnce);

  constructor(options: {readonly connection: SqlConnection; readonly openReader: OpenReader; readonly access: GuardAccess}) {
    this.#connection = options.connection;
    this.#openReader = options.openReader;
    this.#access = options.access;
  }

  async query(sql: string, options: ReadQueryOptions = {}): Promise<Record<string, unknown>[]> {
    const statement = guardStatement(bindUserParams(sql, options.parameters ?? {}), {access: this.#access, allowsFormat: false});
    const settings = {...PLAIN_INTEGERS, ...statement.settings, ...readLimits(options), ...streamSetting(options.stream)};
    return this.#slots.run(async () => {
      const reader = await this.#openReader(settings);
      try {
        return parseRowsWithIntegers(await reader.selectText(statement.sql));
      } catch (error) {
        throw refusedByEngine(error);
      } finally {
        await reader.close();
      }
    });
  }

  async windows(request: Parameters<ReadStore['windows']>[0]): Promise<WindowRow[]> {
    if (request.sizeMs % 1000 !== 0 || request.slideMs % 1000 !== 0) {
      throw new AssayError('ASSAY_QUERY_REFUSED', 'the size and slide of windows are whole seconds');
    }
    const rows = await this.#connection.select<StoredWindow>(loadQuery('windows-of-experiment'), {
      stream: request.stream,
      experiment: request.experiment,
      size_s: request.sizeMs / 1000,
      slide_s: request.slideMs / 1000,
      from_ms: request.from,
      to_ms: request.to,
      dimension: request.dimension?.name ?? '',
      dimension_value: request.dimension?.value ?? '',
    });
    return rows.map(toWindow);
  }

  async deadLetters({through, skip = 0, ...filter}: Parameters<ReadStore['deadLetters']>[0]): Promise<StoredDeadLetter[]> {
    const rows = await this.#connection.select<DeadLetterRow>(loadQuery('dead-letters'), {...filter, through: through ?? null, skip});
    return rows.map(toDeadLetter);
  }
}

/** For people: a count is a number. What a double cannot hold comes as text. */
const PLAIN_INTEGERS: SqlSettings = {output_format_json_quote_64bit_integers: 0};

/** Views without `_all` read the stream from here; no other statement sees it. */
export const streamSetting = (stream: string | undefined): SqlSettings => (stream === undefined ? {} : {log_comment: `stream=${stream}`});

/** The bounds of a user's statement; they may be lowered, never raised. */
export function readLimits({rowsMax, secondsMax}: Pick<ReadQueryOptions, 'rowsMax' | 'secondsMax'>): SqlSettings {
  return {
    max_execution_time: Math.min(secondsMax ?? WAREHOUSE_LIMITS.readSeconds, WAREHOUSE_LIMITS.readSeconds),
    max_result_rows: Math.min(rowsMax ?? WAREHOUSE_LIMITS.readRows, WAREHOUSE_LIMITS.readRows),
    result_overflow_mode: 'throw',
    max_memory_usage: WAREHOUSE_LIMITS.readMemoryBytes,
  };
}

function bindUserParams(sql: string, parameters: NonNullable<ReadQueryOptions['parameters']>): string {
  try {
    return bindParams(sql, parameters);
  } catch (cause) {
    throw new AssayError('ASSAY_QUERY_REFUSED', cause instanceof Error ? cause.message.replace('assertion failed: ', '') : 'wrong parameters', {cause});
  }
}

/** A user's mistake must not stop the process, as a rejected statement of our own does. */
function refusedByEngine(error: unknown): unknown {
  if (!(error instanceof AssayError)) return error;
  const isOverLimit = /TIMEOUT_EXCEEDED|MEMORY_LIMIT_EXCEEDED|TOO_MANY_ROWS_OR_BYTES/.test(error.message);
  if (error.code !== 'ASSAY_SINK_REJECTED' && !isOverLimit) return error;
  const advice = isOverLimit ? '; ask for less, or for fewer rows' : '';
  return new AssayError('ASSAY_QUERY_REFUSED', `${error.message}${advice}`, {cause: error});
}

type StoredWindow = Omit<WindowRow, 'window_start' | 'window_end' | 'n' | 'revision'> & {
  readonly window_start: string;
  readonly window_end: string;
  readonly n: string;
  readonly revision: string | number;
};

const toWindow = (row: StoredWindow): WindowRow => ({
  ...row,
  window_start: epochMs(Number(row.window_start)),
  window_end: epochMs(Number(row.window_end)),
  n: Number(row.n),
  revision: Number(row.revision),
});

type DeadLetterRow = Omit<StoredDeadLetter, 'value' | 'arrival_ts'> & {readonly value_base64: string; readonly arrival_ms: string};

const toDeadLetter = ({value_base64, arrival_ms, ...row}: DeadLetterRow): StoredDeadLetter => ({
  ...row,
  value: new Uint8Array(Buffer.from(value_base64, 'base64')),
  arrival_ts: isoOfMs(arrival_ms),
});
