import {cp, readdir, stat} from 'node:fs/promises';
import {join} from 'node:path';
import {epochMs} from '../../../src/core/units.ts';
import {openEmbeddedEventLog} from '../../../src/log/embedded/embedded-event-log.ts';
import type {EventLog} from '../../../src/log/event-log.ts';
import {bytes, consumerOf, must, readAll, systemClock} from '../../contract/event-log.contract.ts';

export const TOPICS = ['events', 'experiments'] as const;
const PARTITIONS = 3;

/** Small segments, so that a small store has several. */
export const openSample = (directory: string) =>
  openEmbeddedEventLog({directory, clock: systemClock, segmentBytesMax: 16 * 1024});

/** Fills an empty directory with two topics and commits; everything is acknowledged. */
export async function fillSample(directory: string): Promise<void> {
  const log = await openSample(directory);
  for (const topic of TOPICS) {
    await log.createTopic({topic, partitions: PARTITIONS, clock: 'producer', retentionMs: null});
  }
  for (let round = 0; round < 40; round++) await appendRound(log, 'events', round);
  for (let round = 0; round < 5; round++) await appendRound(log, 'experiments', round);
  const consumer = await log.openConsumer(consumerOf('events'));
  await must(consumer, 1_000);
  for (let offset = 1n; offset < 20n; offset++) {
    await consumer.commit([
      {partition: 0, offset},
      {partition: 2, offset},
    ]);
  }
  await log.close();
}

export const appendRound = (log: EventLog, topic: string, round: number) =>
  log.append(
    topic,
    Array.from({length: 24}, (_, i) => ({
      key: `user-${round}-${i}`,
      value: bytes(`value ${round} ${i} `.repeat(1 + (i % 4))),
      timestamp: epochMs(1_700_000_000_000 + round * 1_000 + i),
      ...(i % 5 === 0 && {headers: {round: `${round}`}}),
    })),
  );

export type Content = {
  readonly records: Readonly<Record<string, readonly (readonly string[])[]>>;
  readonly committed: readonly (bigint | null)[];
};

/** Everything a reader can see. */
export async function contentOf(log: EventLog): Promise<Content> {
  const records: Record<string, readonly (readonly string[])[]> = {};
  for (const topic of await log.listTopics()) {
    const perPartition = [];
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const all = await readAll(log, topic, partition);
      perPartition.push(
        all.map(
          r =>
            `${r.offset} ${r.timestamp} ${r.key} ${Buffer.from(r.value).toString()} ${JSON.stringify(r.headers)}`,
        ),
      );
    }
    records[topic] = perPartition;
  }
  const committed = (await log.listTopics()).includes('events')
    ? await log.committed('events', 'contract')
    : [];
  return {records, committed};
}

/** All files with their sizes, relative to the directory. */
export async function filesIn(directory: string): Promise<{path: string; size: number}[]> {
  const entries = await readdir(directory, {recursive: true, withFileTypes: true});
  const files = entries.filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name));
  return Promise.all(
    files.sort().map(async path => ({path: path.slice(directory.length + 1), size: (await stat(path)).size})),
  );
}

export const copyOf = async (from: string, to: string): Promise<string> => {
  await cp(from, to, {recursive: true});
  return to;
};
