import type {GapReporter} from '../gap.ts';
import type {LocalConsumer} from './local-consumer.ts';
import type {LogStore, StoredTopic} from './log-store.ts';

/**
 * Who reads what: partition p of n members in order of joining goes to member
 * p mod n. Every join, leave and recreation takes all partitions away and deals
 * them out again, as Kafka's eager protocol does.
 */
export class ConsumerGroups {
  readonly #store: LogStore;
  readonly #onGap: GapReporter;
  readonly #members = new Map<string, LocalConsumer[]>();

  constructor(store: LogStore, onGap: GapReporter) {
    this.#store = store;
    this.#onGap = onGap;
  }

  join(topic: StoredTopic, group: string, member: LocalConsumer): void {
    const key = keyOf(topic.topic, group);
    this.#members.set(key, [...(this.#members.get(key) ?? []), member]);
    this.rebalance(topic, group);
  }

  leave(topic: StoredTopic, group: string, member: LocalConsumer): void {
    const key = keyOf(topic.topic, group);
    const before = this.#members.get(key) ?? [];
    const rest = before.filter(other => other !== member);
    if (rest.length === before.length) return;
    if (rest.length === 0) this.#members.delete(key);
    else this.#members.set(key, rest);
    this.rebalance(topic, group);
  }

  rebalance(topic: StoredTopic, group: string): void {
    const members = this.#members.get(keyOf(topic.topic, group)) ?? [];
    const committed = this.#store.committed(topic.topic, group);
    members.forEach((member, index) => {
      const partitions = [];
      for (let partition = index; partition < topic.partitions; partition += members.length) {
        partitions.push({
          partition,
          startOffset: this.#startOffset(topic.topic, partition, committed.get(partition)),
        });
      }
      member.reassign({logEpoch: topic.logEpoch, partitions});
    });
  }

  /** Kills every member of the group; their next() rejects with ASSAY_LOG_FENCED. */
  fence(topic: StoredTopic, group: string): void {
    const key = keyOf(topic.topic, group);
    const members = this.#members.get(key) ?? [];
    this.#members.delete(key);
    for (const member of members) member.fence(`the group ${group} removed this member`);
  }

  /** Groups that have members on the topic. */
  groupsOf(topic: string): string[] {
    return [...this.#members.keys()]
      .filter(key => key.startsWith(`${topic}\n`))
      .map(key => key.slice(topic.length + 1));
  }

  wake(topic: string): void {
    for (const [key, members] of this.#members) {
      if (!key.startsWith(`${topic}\n`)) continue;
      for (const member of members) member.wake();
    }
  }

  async close(): Promise<void> {
    for (const members of [...this.#members.values()]) {
      for (const member of members) await member.close();
    }
  }

  #startOffset(topic: string, partition: number, committed: bigint | undefined): bigint {
    const start = this.#store.start(topic, partition);
    if (committed === undefined) return start;
    if (committed >= start) return committed;
    this.#onGap({topic, partition, expected: committed, actual: start});
    return start;
  }
}

/** Topic names hold no line feed. */
const keyOf = (topic: string, group: string): string => `${topic}\n${group}`;
