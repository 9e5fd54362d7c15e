import type {EpochMs} from '../../core/units.ts';
import type {StoreCommit} from '../local/log-store.ts';
import type {TopicLog} from './topic-log.ts';

/** Of the active segment; then one snapshot replaces the history. */
const COMPACT_AT_BYTES = 4 * 1024 * 1024;
const READ_AT_ONCE = {recordsMax: 10_000, bytesMax: 1024 * 1024};

type Committed = {-readonly [P in keyof Stored]: Stored[P]};
type Stored = {
  readonly topic: string;
  readonly group: string;
  readonly logEpoch: number;
  readonly offsets: readonly (readonly [partition: number, offset: string])[];
};

/**
 * The groups' offsets: a log of its own, one JSON record per commit, the last one
 * wins. Commits of an older log epoch of a topic are left behind.
 */
export class CommitLog {
  readonly #log: TopicLog;
  /** By topic, epoch and group: durable. */
  readonly #durable = new Map<string, Map<number, bigint>>();
  /** As above with what is still being written: what a snapshot holds. */
  readonly #asked = new Map<string, Committed>();
  #isCompacting = false;
  #compactAtBytes = COMPACT_AT_BYTES;

  private constructor(log: TopicLog) {
    this.#log = log;
  }

  static async open(log: TopicLog): Promise<CommitLog> {
    const commits = new CommitLog(log);
    try {
      await commits.#load();
    } catch (error) {
      await log.close();
      throw error;
    }
    return commits;
  }

  committed(topic: string, logEpoch: number, group: string): ReadonlyMap<number, bigint> {
    return new Map(this.#durable.get(keyOf({topic, logEpoch, group})));
  }

  /** Every commit of the topic, for the check that none lies beyond its end. */
  groupsOf(topic: string, logEpoch: number): [group: string, offsets: ReadonlyMap<number, bigint>][] {
    return [...this.#asked.values()]
      .filter(stored => stored.topic === topic && stored.logEpoch === logEpoch)
      .map(stored => [stored.group, this.committed(topic, logEpoch, stored.group)]);
  }

  async commit(logEpoch: number, {topic, group, offsets}: StoreCommit, now: EpochMs): Promise<void> {
    const stored: Stored = {
      topic,
      group,
      logEpoch,
      offsets: offsets.map(({partition, offset}) => [partition, `${offset}`]),
    };
    this.#ask(stored);
    await this.#log.append([{partition: 0, records: [recordOf(stored, now)]}]);
    this.#settle(stored);
    if (this.#log.activeBytes >= this.#compactAtBytes) await this.#compact(now);
  }

  /** Commits of older epochs are not carried into the next snapshot. */
  forget(topic: string): void {
    for (const [key, stored] of this.#asked) {
      if (stored.topic !== topic) continue;
      this.#asked.delete(key);
      this.#durable.delete(key);
    }
  }

  close(): Promise<void> {
    return this.#log.close();
  }

  async #load(): Promise<void> {
    const log = this.#log;
    for (let from = log.start(0); from < log.end(0); ) {
      const records = await log.read(0, {from, ...READ_AT_ONCE});
      for (const {value} of records) this.#apply(JSON.parse(Buffer.from(value).toString('utf8')) as Stored);
      from += records.length;
    }
  }

  async #compact(now: EpochMs): Promise<void> {
    if (this.#isCompacting || this.#asked.size === 0) return;
    this.#isCompacting = true;
    try {
      await this.#log.compact([
        {partition: 0, records: [...this.#asked.values()].map(stored => recordOf(stored, now))},
      ]);
      this.#compactAtBytes = Math.max(COMPACT_AT_BYTES, 2 * this.#log.activeBytes);
    } finally {
      this.#isCompacting = false;
    }
  }

  #apply(stored: Stored): void {
    this.#ask(stored);
    this.#settle(stored);
  }

  #ask(stored: Stored): void {
    const key = keyOf(stored);
    const merged = new Map([...(this.#asked.get(key)?.offsets ?? []), ...stored.offsets]);
    this.#asked.set(key, {...stored, offsets: [...merged]});
  }

  #settle(stored: Stored): void {
    const key = keyOf(stored);
    const durable = this.#durable.get(key) ?? new Map<number, bigint>();
    for (const [partition, offset] of stored.offsets) durable.set(partition, BigInt(offset));
    this.#durable.set(key, durable);
  }
}

const keyOf = ({topic, logEpoch, group}: Pick<Stored, 'topic' | 'logEpoch' | 'group'>): string =>
  `${topic}@${logEpoch}\n${group}`;

const recordOf = (stored: Stored, timestamp: EpochMs) => ({
  timestamp,
  key: null,
  value: Buffer.from(JSON.stringify(stored)),
  headers: {},
});
