import type {EpochMs} from '../core/units.ts';
import type {ReadStore} from '../warehouse/warehouse.ts';

/** What several processes have spent of a budget in one window, by unit, by an attribute, or all together. */
export type SpendAsk = {
  readonly per: 'unit' | 'all' | {readonly attribute: string};
  readonly measure: string;
  readonly windowStart: EpochMs;
  readonly windowEnd: EpochMs;
  readonly keys: readonly string[];
};

export type SpendSums = {
  /** Outcomes that arrived up to here are in the sums; null while the stream has no complete data. */
  readonly cut: EpochMs | null;
  /** Of each ask, by key; a key without spending is left out. */
  readonly sums: readonly Readonly<Record<string, number>>[];
};

export type SpendBoardOptions = {
  readonly warehouse: Pick<ReadStore, 'query'>;
  /** Every outcome that arrived up to it is in the warehouse. */
  readonly newestCut: () => Promise<EpochMs | null>;
  readonly stream: string;
};

/** Budgets with sums at hand; what was asked about longest ago goes first. */
const ACCOUNTS_MAX = 64;
/** Tenants of one budget. Later ones are not summed here: each process still counts its own. */
const KEYS_MAX = 50_000;
const SECONDS_MAX = 10;

const WHERE = `
FROM outcomes FINAL
WHERE stream = {stream:String}
  AND intDiv(reinterpretAsUInt64(reverse(substring(event_id, 1, 6))), 3600000)
    BETWEEN intDiv({from_ms:Int64} - 86400000, 3600000) AND intDiv({to_ms:Int64} + 86400000, 3600000)
  AND event_ts >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC') AND event_ts < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
  AND arrival_ts > fromUnixTimestamp64Milli({since_ms:Int64}, 'UTC') AND arrival_ts <= fromUnixTimestamp64Milli({cut_ms:Int64}, 'UTC')
  AND measures[{measure:String}] > 0`;

// Whole units are sampled: one that is seen was seen whole, and stands for others only in sums over several units.
const OF_UNITS = `SELECT unit_id AS key, sum(measures[{measure:String}]) AS spent ${WHERE} AND unit_id IN (SELECT arrayJoin({keys:Array(String)})) GROUP BY key`;
const OF_ALL = `SELECT '' AS key, sum(measures[{measure:String}] / greatest(sample_rate, 0.000001)) AS spent ${WHERE}`;
const OF_ATTRIBUTE = `
SELECT attributes[{attribute:String}] AS key, sum(measures[{measure:String}] / greatest(sample_rate, 0.000001)) AS spent
${WHERE} AND mapContains(attributes, {attribute:String})
GROUP BY key ORDER BY spent DESC, key LIMIT ${KEYS_MAX}`;

type Account = {cut: number; readonly sums: Map<string, number>; reading: Promise<void>};

/**
 * Sums of what was spent, kept up to date by what arrived since the last question: an outcome counts
 * by the earliest of its copies, so that no stretch of arrivals is counted twice.
 */
export class SpendBoard {
  readonly #options: SpendBoardOptions;
  readonly #accounts = new Map<string, Account>();

  constructor(options: SpendBoardOptions) {
    this.#options = options;
  }

  async sums(asks: readonly SpendAsk[]): Promise<SpendSums> {
    const cut = await this.#options.newestCut();
    if (cut === null) return {cut, sums: asks.map(() => ({}))};
    const sums: Record<string, number>[] = [];
    for (const ask of asks) sums.push(ask.per === 'unit' ? await this.#ofUnits(ask, cut) : await this.#ofAccount(ask, cut));
    return {cut, sums};
  }

  async #ofUnits(ask: SpendAsk, cut: EpochMs): Promise<Record<string, number>> {
    return Object.fromEntries(await this.#read(OF_UNITS, ask, {since_ms: 0, cut_ms: cut, keys: ask.keys}));
  }

  async #ofAccount(ask: SpendAsk, cut: EpochMs): Promise<Record<string, number>> {
    const {per, measure, windowStart, windowEnd, keys} = ask;
    const name = JSON.stringify([per, measure, windowStart, windowEnd]);
    const account = this.#accounts.get(name) ?? {cut: 0, sums: new Map<string, number>(), reading: Promise.resolve()};
    this.#accounts.delete(name);
    this.#accounts.set(name, account);
    if (this.#accounts.size > ACCOUNTS_MAX) this.#accounts.delete(this.#accounts.keys().next().value as string);
    // One reads on at a time; who asks meanwhile waits for it, and finds that it has been read.
    const reading = account.reading.catch(() => undefined).then(() => this.#readOn(account, ask, cut));
    account.reading = reading;
    await reading;
    return Object.fromEntries(keys.flatMap(key => (account.sums.has(key) ? [[key, account.sums.get(key) ?? 0]] : [])));
  }

  async #readOn(account: Account, ask: SpendAsk, cut: EpochMs): Promise<void> {
    if (cut <= account.cut) return;
    const {per} = ask;
    const since = {since_ms: account.cut, cut_ms: cut};
    const rows = typeof per === 'object' ? await this.#read(OF_ATTRIBUTE, ask, {...since, attribute: per.attribute}) : await this.#read(OF_ALL, ask, since);
    for (const [key, spent] of rows) {
      if (account.sums.has(key) || account.sums.size < KEYS_MAX) account.sums.set(key, (account.sums.get(key) ?? 0) + spent);
    }
    account.cut = cut;
  }

  async #read(sql: string, {measure, windowStart, windowEnd}: SpendAsk, more: Readonly<Record<string, unknown>>): Promise<[string, number][]> {
    const {warehouse, stream} = this.#options;
    const rows = await warehouse.query(sql, {stream, parameters: {stream, measure, from_ms: windowStart, to_ms: windowEnd, ...more}, secondsMax: SECONDS_MAX});
    return rows.map(row => [String(row['key']), Number(row['spent'])]);
  }
}
