import {AssayError} from '../../core/errors.ts';
import type {EpochMs} from '../../core/units.ts';
import {LocalEventLog, type LocalEventLogOptions} from '../local/local-event-log.ts';
import type {LogStore, PartitionAppend, StoreCommit} from '../local/log-store.ts';
import {MemoryStore} from './memory-store.ts';

/** What goes wrong next; each counter runs down to 0. */
export type MemoryLogFaults = {
  /** Appends that fail with ASSAY_LOG_UNAVAILABLE and store nothing. */
  failAppends: number;
  /** Appends that store everything and fail all the same: the answer was lost. */
  loseAppendAnswers: number;
  /** Commits that fail with ASSAY_LOG_UNAVAILABLE. */
  failCommits: number;
  /** Commits that succeed and are forgotten. */
  loseCommits: number;
};

/**
 * The log in memory, for simulation and tests: no timers but those of the
 * injected clock, no randomness, and everything that can happen to a Kafka
 * consumer can be made to happen.
 *
 * From the base class: `rebalance(topic, group)`, `fence(topic, group)`,
 * `recreateTopic(spec)`.
 */
export class MemoryEventLog extends LocalEventLog {
  readonly faults: MemoryLogFaults;
  readonly #store: MemoryStore;

  constructor(options: LocalEventLogOptions) {
    const faults = {failAppends: 0, loseAppendAnswers: 0, failCommits: 0, loseCommits: 0};
    const store = new MemoryStore();
    super(faultyStore(store, faults), options);
    this.#store = store;
    this.faults = faults;
  }

  /** Moves a group's offset, also backwards, behind its members' backs: after the next rebalance records come again. */
  async setCommitted(at: {topic: string; group: string; partition: number; offset: bigint}): Promise<void> {
    const {topic, group, partition, offset} = at;
    await this.#store.commit({topic, group, offsets: [{partition, offset}]});
  }

  /** Appends `records` offsets that arrive as one `unreadable` range. */
  appendUnreadable(at: {
    topic: string;
    partition: number;
    records: number;
    timestamp: EpochMs;
    reason: string;
  }): void {
    this.#store.addUnreadable(at);
    this.wakeReaders(at.topic);
  }

  /** Removes everything below `offset`, as retention does. */
  trim(topic: string, partition: number, offset: bigint): void {
    this.#store.trim(topic, partition, offset);
  }
}

function faultyStore(store: MemoryStore, faults: MemoryLogFaults): LogStore {
  const takes = (name: keyof MemoryLogFaults): boolean => faults[name] > 0 && faults[name]-- > 0;
  return {
    topics: () => store.topics(),
    topic: name => store.topic(name),
    createTopic: topic => store.createTopic(topic),
    append: async (topic: string, parts: readonly PartitionAppend[]) => {
      if (takes('failAppends')) throw unavailable('append');
      const bases = await store.append(topic, parts);
      if (takes('loseAppendAnswers')) throw unavailable('the answer to an append');
      return bases;
    },
    read: options => store.read(options),
    start: (topic, partition) => store.start(topic, partition),
    end: (topic, partition) => store.end(topic, partition),
    commit: async (commit: StoreCommit) => {
      if (takes('failCommits')) throw unavailable('commit');
      if (!takes('loseCommits')) await store.commit(commit);
    },
    committed: (topic, group) => store.committed(topic, group),
    close: () => store.close(),
  };
}

const unavailable = (what: string): AssayError =>
  new AssayError('ASSAY_LOG_UNAVAILABLE', `the simulation failed ${what}`);
