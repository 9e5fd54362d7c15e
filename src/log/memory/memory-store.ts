import type {EpochMs} from '../../core/units.ts';
import type {LogRecord} from '../event-log.ts';
import type {
  LogStore,
  PartitionAppend,
  StoreCommit,
  StoredChunk,
  StoredTopic,
  StoreRead,
} from '../local/log-store.ts';

type Unreadable = Extract<StoredChunk, {type: 'unreadable'}>;
type Partition = {
  start: bigint;
  end: bigint;
  /** Dense; an offset inside an unreadable range holds that range. */
  entries: (LogRecord | Unreadable)[];
};
type Topic = {readonly spec: StoredTopic; readonly partitions: Partition[]};

/** Arrays. Everything resolves in microtasks, so a simulation is repeatable. */
export class MemoryStore implements LogStore {
  readonly #topics = new Map<string, Topic>();
  readonly #committed = new Map<string, Map<number, bigint>>();

  topics(): readonly StoredTopic[] {
    return [...this.#topics.values()].map(topic => topic.spec);
  }

  topic(name: string): StoredTopic | undefined {
    return this.#topics.get(name)?.spec;
  }

  createTopic(spec: StoredTopic): Promise<void> {
    const partitions = Array.from({length: spec.partitions}, () => ({start: 0n, end: 0n, entries: []}));
    this.#topics.set(spec.topic, {spec, partitions});
    for (const key of this.#committed.keys()) {
      if (key.startsWith(`${spec.topic}\n`)) this.#committed.delete(key);
    }
    return Promise.resolve();
  }

  append(topic: string, parts: readonly PartitionAppend[]): Promise<bigint[]> {
    const bases = parts.map(({partition, records}) => {
      const target = this.#partition(topic, partition);
      const base = target.end;
      for (const record of records) {
        target.entries.push({
          ...record,
          value: Uint8Array.from(record.value),
          headers: {...record.headers},
          partition,
          offset: target.end++,
        });
      }
      return base;
    });
    return Promise.resolve(bases);
  }

  read({topic, partition, from, recordsMax, bytesMax}: StoreRead): Promise<StoredChunk | undefined> {
    const {start, entries} = this.#partition(topic, partition);
    const first = entries[Number(from - start)];
    if (first === undefined) return Promise.resolve(undefined);
    if ('type' in first) return Promise.resolve({...first, firstOffset: from});
    const records: LogRecord[] = [];
    let bytes = 0;
    for (let index = Number(from - start); records.length < recordsMax; index++) {
      const entry = entries[index];
      if (entry === undefined || 'type' in entry) break;
      bytes += entry.value.length;
      if (records.length > 0 && bytes > bytesMax) break;
      records.push(entry);
    }
    return Promise.resolve({type: 'records', records});
  }

  start(topic: string, partition: number): bigint {
    return this.#partition(topic, partition).start;
  }

  end(topic: string, partition: number): bigint {
    return this.#partition(topic, partition).end;
  }

  commit({topic, group, offsets}: StoreCommit): Promise<void> {
    const key = `${topic}\n${group}`;
    const committed = this.#committed.get(key) ?? new Map<number, bigint>();
    for (const {partition, offset} of offsets) committed.set(partition, offset);
    this.#committed.set(key, committed);
    return Promise.resolve();
  }

  committed(topic: string, group: string): ReadonlyMap<number, bigint> {
    return new Map(this.#committed.get(`${topic}\n${group}`));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** Records that lie in the log and cannot be read. */
  addUnreadable(at: {
    topic: string;
    partition: number;
    records: number;
    timestamp: EpochMs;
    reason: string;
  }): void {
    const target = this.#partition(at.topic, at.partition);
    const range: Unreadable = {
      type: 'unreadable',
      firstOffset: target.end,
      lastOffset: target.end + BigInt(at.records) - 1n,
      timestamp: at.timestamp,
      reason: at.reason,
    };
    for (let i = 0; i < at.records; i++) target.entries.push(range);
    target.end += BigInt(at.records);
  }

  /** What retention does: removes everything below `offset`. */
  trim(topic: string, partition: number, offset: bigint): void {
    const target = this.#partition(topic, partition);
    target.entries.splice(0, Number(offset - target.start));
    target.start = offset;
  }

  #partition(topic: string, partition: number): Partition {
    const found = this.#topics.get(topic)?.partitions[partition];
    if (found === undefined) throw new Error(`no partition ${partition} in ${topic}`);
    return found;
  }
}
