import {AssayError} from '../../core/errors.ts';
import {readLimits, streamSetting} from '../../warehouse/clickhouse/read-store.ts';
import {guardStatement} from '../../warehouse/clickhouse/sql-guard.ts';
import {ALLOWED_SETTINGS, type GuardAccess, isSettingAllowed} from '../../warehouse/clickhouse/sql-guard-lists.ts';
import type {SqlExecutor} from '../../warehouse/sql-executor.ts';
import {bindTextParams} from './front-params.ts';
import {withShownSettings} from './shown-settings.ts';
import type {FrontCredentials, FrontPolicy} from './front-policy.ts';

export type ReadOnlyOptions = {
  readonly executor: SqlExecutor;
  /** What these credentials may read; null for nothing. */
  readonly accessOf: (credentials: FrontCredentials) => GuardAccess | null;
  /** Told before each statement runs. @throws SqlEngineError when it must not, e.g. too many */
  readonly onStatement?: (credentials: FrontCredentials, sql: string) => void;
  /** What `v_x` without `_all` mean, when the client does not say. */
  readonly stream?: string;
};

/** Clients send these on their own; ours hold anyway. */
const IGNORED: ReadonlySet<string> = new Set([
  'readonly', 'max_memory_usage', 'result_overflow_mode', 'async_insert', 'date_time_input_format', 'max_block_size', 'max_threads', 'send_timeout', 'receive_timeout',
  'connect_timeout', 'http_connection_timeout', 'http_send_timeout', 'http_receive_timeout', 'max_insert_block_size', 'log_comment', 'enable_analyzer', 'allow_experimental_analyzer', 'read_overflow_mode', 'timeout_overflow_mode', 'max_query_size', 'use_query_cache', 'optimize_read_in_order',
  'insert_deduplicate', 'wait_for_async_insert', 'insert_quorum', 'insert_quorum_parallel', 'select_sequential_consistency', 'cast_string_to_dynamic_use_inference', 'priority',
]);

/** Shown as changeable, as far as this endpoint goes. */
const TAKEN = {names: [...ALLOWED_SETTINGS, ...IGNORED, 'max_execution_time', 'max_result_rows'].filter(name => name !== 'readonly'), pattern: '^(output_)?format_', except: '^(output_)?format_(schema|template|regexp|custom)'};

/** Analysts' ordinary clients: one statement that reads, under limits, on the `v_*` views unless their role allows more. */
export class ReadOnlyPolicy implements FrontPolicy {
  readonly acceptsData = false;
  readonly #options: ReadOnlyOptions;

  constructor(options: ReadOnlyOptions) {
    this.#options = options;
  }

  isAllowed(credentials: FrontCredentials): boolean {
    return this.#options.accessOf(credentials) !== null;
  }

  async execute(request: Parameters<FrontPolicy['execute']>[0]): ReturnType<FrontPolicy['execute']> {
    const {stream = this.#options.stream, ...settings} = request.settings;
    const access = this.#options.accessOf(request.credentials) ?? 'views';
    this.#options.onStatement?.(request.credentials, request.sql);
    const statement = guardStatement(bindTextParams(request.sql, request.params), {access, allowsFormat: true});
    const limits = readLimits({
      ...(settings['max_result_rows'] === undefined ? {} : {rowsMax: positive(settings['max_result_rows'])}),
      ...(settings['max_execution_time'] === undefined ? {} : {secondsMax: positive(settings['max_execution_time'])}),
    });
    const all = {...allowedSettings(settings), ...statement.settings, ...limits, ...streamSetting(stream)};
    return this.#options.executor.execute({
      sql: withShownSettings(statement.sql, TAKEN),
      settings: Object.fromEntries(Object.entries(all).map(([name, value]) => [name, String(value)])),
      defaultFormat: statement.format ?? request.defaultFormat,
      dataFile: null,
      isReadOnly: true,
    });
  }
}

/** 0 means no limit to the engine, so it is not taken over. */
function positive(text: string): number {
  const value = Number(text);
  return Number.isFinite(value) && value > 0 ? value : Number.POSITIVE_INFINITY;
}

function allowedSettings(settings: Readonly<Record<string, string>>): Record<string, string> {
  const allowed: Record<string, string> = {};
  for (const [name, value] of Object.entries(settings)) {
    if (isSettingAllowed(name)) allowed[name] = value;
    else if (!IGNORED.has(name) && name !== 'max_result_rows' && name !== 'max_execution_time') {
      throw new AssayError('ASSAY_QUERY_REFUSED', `the setting ${name} is not allowed`);
    }
  }
  return allowed;
}
