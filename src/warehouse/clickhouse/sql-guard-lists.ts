/** What a user's statement may name. Tables, table functions and settings by allow-list; scalar functions by deny-list. */

export type GuardAccess = 'views' | 'tables';

const TABLES: ReadonlySet<string> = new Set([
  'exposures',
  'outcomes',
  'arrivals',
  'dead_letters',
  'tombstones',
  'forgotten_events',
  'provisional_slices',
  'slices',
  'closings',
  'streams',
  'experiment_versions',
  'verdicts',
  'deliveries',
  'alerts',
  'schema_migrations',
]);

/** What clients ask to draw their trees of tables; nothing that shows other people's queries or files. */
const SYSTEM_TABLES: ReadonlySet<string> = new Set([
  'one',
  'numbers',
  'numbers_mt',
  'zeros',
  'tables',
  'columns',
  'databases',
  'functions',
  'table_functions',
  'data_type_families',
  'formats',
  'keywords',
  'settings',
  'time_zones',
  'build_options',
]);
const OWNER_SYSTEM_TABLES: ReadonlySet<string> = new Set(['parts', 'parts_columns', 'merges', 'metrics', 'events', 'detached_parts']);
const INFORMATION_TABLES: ReadonlySet<string> = new Set(['tables', 'columns', 'schemata', 'views']);

/** A name in our own database is a table only if it is one of ours, so a common table expression must not reuse it. */
export const isAssayTable = (name: string): boolean => TABLES.has(name) || isView(name);

const isView = (name: string): boolean => /^v_[a-z0-9_]+$/.test(name);

export function isTableAllowed(database: string | null, name: string, {access, own}: {access: GuardAccess; own: string}): boolean {
  if (database === 'system') return SYSTEM_TABLES.has(name) || (access === 'tables' && OWNER_SYSTEM_TABLES.has(name));
  if (database === 'information_schema' || database === 'INFORMATION_SCHEMA') return INFORMATION_TABLES.has(name.toLowerCase());
  if (database !== null && database !== own) return false;
  return isView(name) || (access === 'tables' && TABLES.has(name));
}

/** They make rows out of nothing but their arguments. */
const TABLE_FUNCTIONS: ReadonlySet<string> = new Set([
  'numbers',
  'numbers_mt',
  'zeros',
  'zeros_mt',
  'generateseries',
  'generate_series',
  'generaterandom',
  'values',
  'null',
  'primes',
]);

/** Views take parameters the same way. */
export const isTableFunctionAllowed = (name: string): boolean => TABLE_FUNCTIONS.has(name.toLowerCase()) || isView(name);

/**
 * Functions that read a file, a table, another host or the server's own state, or
 * only burn time. Matched at the start of the lower-cased name.
 */
const DENIED_FUNCTION =
  /^(file|url|s3|gcs|oss|cosn|hdfs|azure|remote|cluster|mysql|postgres|mongo|redis|sqlite|odbc|jdbc|iceberg|paimon|delta|hudi|ytsaurus|arrow|kafka|nats|rabbit|prometheus|timeseries(data|metrics|samples|selector|tags)|executable|python|input|eval$|evalml|merge$|mergetree|dictionary|dictget|dicthas|dictis|loop$|view|fuzzquery|joinget|hascolumnintable|catboost|sleep|getmacro|getserversetting|getosk|filesystem|showcertificate|addressto|demangle|trap|buildid|serveruuid|tcpport|hostname|fqdn|fullhostname|shard|displayname|zookeeper|getclienthttpheader|currentuser$|user$|currentprofiles|currentroles|enabledprofiles|enabledroles|defaultprofiles|defaultroles|initialquery|querystring|ai[a-z]|llm|embed|naivebayes|flamegraph|logtrace|structureto|mergetree|lowcardinalityindices|blockserializedsize|throwif$)/;

/** `version` and the like are what clients ask first. */
const ALLOWED_ANYWAY: ReadonlySet<string> = new Set(['urlhierarchy', 'urlpathhierarchy', 'ai', 'displayname']);

export function isFunctionDenied(name: string): boolean {
  const lower = name.toLowerCase();
  return DENIED_FUNCTION.test(lower) && !ALLOWED_ANYWAY.has(lower);
}

export const ALLOWED_SETTINGS: ReadonlySet<string> = new Set([
  'join_use_nulls',
  'group_by_use_nulls',
  'extremes',
  'session_timezone',
  'transform_null_in',
  'aggregate_functions_null_for_empty',
  'prefer_column_name_to_alias',
  'enable_named_columns_in_function_tuple',
  'join_algorithm',
  'date_time_output_format',
  'bool_true_representation',
  'bool_false_representation',
  'max_rows_to_read',
  'max_bytes_to_read',
  'max_result_bytes',
]);

/** Settings that only change how the answer is computed or printed. */
export const isSettingAllowed = (name: string): boolean => ALLOWED_SETTINGS.has(name) || /^(output_)?format_(?!schema|template|regexp|custom)[a-z0-9_]+$/.test(name);

/** Formats that write to the connection and read no file of their own. */
const FORMATS =
  /^(JSON[A-Za-z]*|CSV[A-Za-z]*|TSV[A-Za-z]*|TabSeparated[A-Za-z]*|Pretty[A-Za-z]*|RowBinary[A-Za-z]*|Native|Parquet|Arrow|ArrowStream|Values|Vertical|XML|Markdown|Null|LineAsString|RawBLOB|Avro|ORC|MsgPack|BSONEachRow|ODBCDriver2)$/;

export const isFormatAllowed = (format: string): boolean => FORMATS.test(format);
