/** Bounds of the warehouse with their reasons. */
export const WAREHOUSE_LIMITS = {
  /** All queries of the embedded engine together. It shares the machine with the pipeline. */
  engineMemoryBytes: 2 * 1024 ** 3,
  /** One query of ours. Closing and analysis group by unit; beyond this they must be split. */
  queryMemoryBytes: 1024 ** 3,
  /** Two cores are what Assay is tried on; more threads only add memory. */
  queryThreads: 2,
  backgroundThreads: 2,
  markCacheBytes: 64 * 1024 ** 2,
  indexCacheBytes: 128 * 1024 ** 2,
  /** A statement of a user: it must neither starve the pipeline nor fill the process with rows. */
  readMemoryBytes: 512 * 1024 ** 2,
  readSeconds: 30,
  readRows: 100_000,
  /** Users' statements at once; each holds a thread of libuv's pool (UV_THREADPOOL_SIZE, 4 by default). */
  readsAtOnce: 2,
  /** Statements of one HTTP front at once. */
  frontStatementsAtOnce: 3,
  /** Rows of one INSERT; larger ones only add memory. */
  insertRows: 100_000,
  /** Keys of one IN list: 5 000 units of up to 512 characters stay below 3 MiB of SQL. */
  lookupUnits: 5_000,
  /** Outcomes read at once when a new owner rebuilds its open slices. */
  openOutcomesRows: 10_000,
  /** Ids of forgotten events a worker knows, about 40 bytes each; copies of older ones show as a mismatch of the audit. */
  forgottenIds: 500_000,
  /** A statement on a server. Closing a backlog can take a while. */
  serverRequestMs: 120_000,
  /** A migration that stops renewing its lease for this long is taken to be dead. */
  migrationLeaseMs: 60_000,
  migrationPollMs: 200,
  /** How long a process waits for another one's migrations. */
  migrationWaitMs: 10 * 60_000,
  /** Body of one request to the HTTP front. */
  frontBodyBytes: 256 * 1024 ** 2,
  frontSqlBytes: 8 * 1024 ** 2,
} as const;
