import type {Clock} from '../../core/clock.ts';
import {AssayError} from '../../core/errors.ts';
import {durationMs, epochMs} from '../../core/units.ts';
import {WAREHOUSE_LIMITS} from '../limits.ts';
import type {SqlConnection} from './connection.ts';

/**
 * A lock for processes that share nothing but a ClickHouse server. A server has no
 * compare-and-set, so this is Lamport's bakery: say that you choose a number, take
 * one above all you see, then wait for whoever is still choosing or has a lower one.
 * It needs only that an insert is seen once it was acknowledged. Each row counts for
 * a lease on the server's clock, so that a process which died does not block for ever.
 */
export async function withMigrationLock<Result>(
  connection: SqlConnection,
  options: {readonly clock: Clock; readonly holder: string},
  task: () => Promise<Result>,
): Promise<Result> {
  await connection.command(LOCK_TABLE);
  const lock = new MigrationLock(connection, options);
  await lock.acquire();
  const renewal = new AbortController();
  const renewing = lock.keep(renewal.signal);
  try {
    return await task();
  } finally {
    renewal.abort();
    await renewing;
    await lock.release();
  }
}

export const LOCK_TABLE = `
  CREATE TABLE IF NOT EXISTS migration_lock (
    holder String,
    step LowCardinality(String) COMMENT 'choosing | waiting | released',
    number UInt64,
    at DateTime64(3, 'UTC') DEFAULT now64(3)
  ) ENGINE = MergeTree ORDER BY at
  TTL toDateTime(at) + INTERVAL 1 DAY`;

/** The last word of each holder whose lease runs. */
const LIVE_HOLDERS = `
  SELECT holder, argMax(step, (at, number, step = 'released')) AS last_step, argMax(number, (at, number, step = 'released')) AS last_number
  FROM migration_lock WHERE at > now64(3) - toIntervalMillisecond({lease:UInt64})
  GROUP BY holder HAVING last_step != 'released' ORDER BY last_number, holder`;

type LiveHolder = {readonly holder: string; readonly last_step: string; readonly last_number: string};

class MigrationLock {
  readonly #connection: SqlConnection;
  readonly #clock: Clock;
  readonly #holder: string;
  #number = 0n;

  constructor(connection: SqlConnection, {clock, holder}: {readonly clock: Clock; readonly holder: string}) {
    this.#connection = connection;
    this.#clock = clock;
    this.#holder = holder;
  }

  async acquire(): Promise<void> {
    await this.#write('choosing', 0n);
    const seen = await this.#live();
    this.#number = seen.reduce((highest, {last_number: taken}) => (BigInt(taken) > highest ? BigInt(taken) : highest), 0n) + 1n;
    await this.#write('waiting', this.#number);
    const deadline = epochMs(this.#clock.now() + WAREHOUSE_LIMITS.migrationWaitMs);
    let renewAt = this.#nextRenewal();
    for (;;) {
      const before = (await this.#live()).find(other => this.#goesFirst(other));
      if (before === undefined) return;
      if (this.#clock.now() > deadline) {
        await this.release();
        throw new AssayError('ASSAY_SINK_UNAVAILABLE', `${before.holder} has held the migration lock for too long`);
      }
      await this.#clock.sleep(WAREHOUSE_LIMITS.migrationPollMs);
      if (this.#clock.now() >= renewAt) {
        await this.#write('waiting', this.#number);
        renewAt = this.#nextRenewal();
      }
    }
  }

  /** Renews the lease until told to stop. */
  async keep(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#clock.sleep(WAREHOUSE_LIMITS.migrationLeaseMs / 3, signal);
      if (!signal.aborted) await this.#write('waiting', this.#number).catch(() => undefined);
    }
  }

  release(): Promise<void> {
    return this.#write('released', this.#number);
  }

  #goesFirst(other: LiveHolder): boolean {
    if (other.holder === this.#holder) return false;
    if (other.last_step === 'choosing') return true;
    const number = BigInt(other.last_number);
    return number < this.#number || (number === this.#number && other.holder < this.#holder);
  }

  #nextRenewal() {
    return epochMs(this.#clock.now() + durationMs(WAREHOUSE_LIMITS.migrationLeaseMs / 3));
  }

  #live(): Promise<LiveHolder[]> {
    return this.#connection.select<LiveHolder>(LIVE_HOLDERS, {lease: WAREHOUSE_LIMITS.migrationLeaseMs});
  }

  #write(step: 'choosing' | 'waiting' | 'released', number: bigint): Promise<void> {
    return this.#connection.command(
      'INSERT INTO migration_lock (holder, step, number) SELECT {holder:String}, {step:String}, {number:UInt64}',
      {holder: this.#holder, step, number},
    );
  }
}
