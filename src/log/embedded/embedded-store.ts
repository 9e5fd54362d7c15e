import type {Clock} from '../../core/clock.ts';
import type {Logger} from '../../core/telemetry.ts';
import type {
  LogStore,
  PartitionAppend,
  StoreCommit,
  StoredChunk,
  StoredTopic,
  StoreRead,
} from '../local/log-store.ts';
import {CommitLog} from './commit-log.ts';
import {corrupt} from './corrupt.ts';
import {type LogFiles, pathIn} from './log-files.ts';
import {COMMITS_FOLDER, folderOf, Registry} from './registry.ts';
import {TopicLog} from './topic-log.ts';

export type EmbeddedStoreOptions = {
  readonly directory: string;
  readonly files: LogFiles;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly segmentBytesMax: number;
};

/** Topics on disk; the format is specified in `embedded-event-log.ts`. */
export class EmbeddedStore implements LogStore {
  readonly #options: EmbeddedStoreOptions;
  readonly #registry: Registry;
  readonly #commits: CommitLog;
  readonly #logs: Map<string, TopicLog>;

  private constructor(
    options: EmbeddedStoreOptions,
    parts: {registry: Registry; commits: CommitLog; logs: Map<string, TopicLog>},
  ) {
    this.#options = options;
    this.#registry = parts.registry;
    this.#commits = parts.commits;
    this.#logs = parts.logs;
  }

  static async open(options: EmbeddedStoreOptions): Promise<EmbeddedStore> {
    const {directory, files} = options;
    await files.makeDirectory(pathIn(directory, 'topics'));
    const registry = await Registry.open(files, directory);
    const logs = new Map<string, TopicLog>();
    const opened: {close(): Promise<void>}[] = [];
    try {
      const commits = await openCommits(options, registry.topics.length === 0);
      opened.push(commits);
      for (const topic of registry.topics) {
        const log = await TopicLog.open(topicOptions(options, topic));
        opened.push(log);
        logs.set(topic.topic, log);
        checkCommits(options, topic, {log, commits});
      }
      await removeLeftovers(options, registry.topics);
      return new EmbeddedStore(options, {registry, commits, logs});
    } catch (error) {
      for (const log of opened) await log.close();
      throw error;
    }
  }

  topics(): readonly StoredTopic[] {
    return this.#registry.topics;
  }

  topic(name: string): StoredTopic | undefined {
    return this.#registry.topics.find(topic => topic.topic === name);
  }

  async createTopic(topic: StoredTopic): Promise<void> {
    const options = topicOptions(this.#options, topic);
    await this.#options.files.remove(options.directory);
    const log = await TopicLog.create(options);
    const old = this.#logs.get(topic.topic);
    const oldEpoch = this.topic(topic.topic)?.logEpoch;
    await this.#registry.put(topic);
    this.#logs.set(topic.topic, log);
    this.#commits.forget(topic.topic);
    await old?.close();
    if (oldEpoch === undefined) return;
    await this.#options.files.remove(
      pathIn(this.#options.directory, 'topics', folderOf(topic.topic, oldEpoch)),
    );
  }

  append(topic: string, parts: readonly PartitionAppend[]): Promise<bigint[]> {
    return this.#log(topic).append(parts);
  }

  async read({topic, partition, from, recordsMax, bytesMax}: StoreRead): Promise<StoredChunk | undefined> {
    const records = await this.#log(topic).read(partition, {from: Number(from), recordsMax, bytesMax});
    return records.length === 0 ? undefined : {type: 'records', records};
  }

  start(topic: string, partition: number): bigint {
    return BigInt(this.#log(topic).start(partition));
  }

  end(topic: string, partition: number): bigint {
    return BigInt(this.#log(topic).end(partition));
  }

  async commit(commit: StoreCommit): Promise<void> {
    await this.#commits.commit(this.topic(commit.topic)?.logEpoch ?? 0, commit, this.#options.clock.now());
  }

  committed(topic: string, group: string): ReadonlyMap<number, bigint> {
    return this.#commits.committed(topic, this.topic(topic)?.logEpoch ?? 0, group);
  }

  async close(): Promise<void> {
    for (const log of this.#logs.values()) await log.close();
    await this.#commits.close();
  }

  #log(topic: string): TopicLog {
    const log = this.#logs.get(topic);
    if (log === undefined) throw new Error(`no topic ${topic}`);
    return log;
  }
}

function topicOptions(options: EmbeddedStoreOptions, topic: StoredTopic) {
  const {partitions, logEpoch, retentionMs} = topic;
  const directory = pathIn(options.directory, 'topics', folderOf(topic.topic, logEpoch));
  return {...options, directory, partitions, logEpoch, retentionMs};
}

/** Made before the first topic, so only a store without topics may lack it. */
async function openCommits(options: EmbeddedStoreOptions, mayCreate: boolean): Promise<CommitLog> {
  const {files, directory} = options;
  const folder = pathIn(directory, 'topics', COMMITS_FOLDER);
  const shape = {...options, directory: folder, partitions: 1, logEpoch: 1, retentionMs: null};
  if (!mayCreate) return CommitLog.open(await TopicLog.open(shape));
  // Without topics there is nothing to commit to.
  await files.remove(folder);
  return CommitLog.open(await TopicLog.create(shape));
}

function checkCommits(
  options: EmbeddedStoreOptions,
  topic: StoredTopic,
  {log, commits}: {log: TopicLog; commits: CommitLog},
): void {
  for (const [group, offsets] of commits.groupsOf(topic.topic, topic.logEpoch)) {
    for (const [partition, offset] of offsets) {
      const end = log.end(partition);
      if (offset <= BigInt(end)) continue;
      const {directory} = topicOptions(options, topic);
      throw corrupt(
        directory,
        0,
        `group ${group} committed offset ${offset} of partition ${partition}, which ends at ${end}`,
      );
    }
  }
}

/** Folders of topics that were being created or recreated when the process died. */
async function removeLeftovers(
  {files, directory}: EmbeddedStoreOptions,
  topics: readonly StoredTopic[],
): Promise<void> {
  const known = new Set(topics.map(topic => folderOf(topic.topic, topic.logEpoch)));
  for (const name of await files.list(pathIn(directory, 'topics'))) {
    if (!known.has(name) && name !== COMMITS_FOLDER) await files.remove(pathIn(directory, 'topics', name));
  }
}
