import {type EpochMs, epochMs} from '../../core/units.ts';
import type {PrivacyStore, Tombstone} from '../warehouse.ts';
import type {SqlConnection} from './connection.ts';
import {loadQuery} from './query-file.ts';

export class ClickHousePrivacyStore implements PrivacyStore {
  readonly #connection: SqlConnection;

  constructor(connection: SqlConnection) {
    this.#connection = connection;
  }

  async writeTombstone({stream, unitId, reason}: {readonly stream: string; readonly unitId: string; readonly reason: string}): Promise<Tombstone | null> {
    const forgotten = await this.#newestArrival(stream);
    if (forgotten === null) return null;
    await this.#connection.command(
      `INSERT INTO tombstones SELECT {stream:String}, {unit:String}, fromUnixTimestamp64Milli({forgotten_ms:Int64}, 'UTC'), {reason:String}`,
      {stream, unit: unitId, forgotten_ms: forgotten, reason},
    );
    // Asked after the tombstone: a recompute that began before it had a cut below what has arrived by now.
    const unverifiable = (await this.#newestArrival(stream)) ?? forgotten;
    const params = {stream, unit: unitId, forgotten_ms: forgotten, unverifiable_ms: unverifiable};
    await this.#connection.command(loadQuery('forget-events'), params);
    const [row] = await this.#connection.select<{events: string}>(loadQuery('forget-count'), params);
    return {forgottenTs: forgotten, events: Number(row?.events ?? 0)};
  }

  async eraseUnit({stream, unitId, logKey, forgottenTs}: {readonly stream: string; readonly unitId: string; readonly logKey: string; readonly forgottenTs: EpochMs}): Promise<void> {
    const unverifiable = (await this.#newestArrival(stream)) ?? forgottenTs;
    const params = {stream, unit: unitId, forgotten_ms: forgottenTs, unverifiable_ms: unverifiable, key: logKey};
    // Once more: partitions that were behind may have brought events that the tombstone covers.
    await this.#connection.command(loadQuery('forget-events'), params);
    const copies = await this.#connection.select<{id_hash: string}>(loadQuery('forget-copies'), params);
    for (const name of ['forget-erase-exposures', 'forget-erase-outcomes', 'forget-erase-dead-letters']) {
      await this.#connection.command(loadQuery(name), {...params, copies: copies.map(({id_hash}) => id_hash)});
    }
  }

  async #newestArrival(stream: string): Promise<EpochMs | null> {
    const [row] = await this.#connection.select<{arrival_ms: string}>(loadQuery('arrival-newest'), {stream});
    const newest = Number(row?.arrival_ms ?? 0);
    return newest === 0 ? null : epochMs(newest);
  }
}
