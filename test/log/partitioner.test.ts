import kafkajs from 'kafkajs';
import {expect, test} from 'vitest';
import {murmur2, partitionOf} from '../../src/log/partitioner.ts';

/** From Apache Kafka's UtilsTest.testMurmur2. */
const VECTORS: readonly [string, number][] = [
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ['abc', 479470107],
];

test('murmur2 gives the hashes of Apache Kafka', () => {
  for (const [key, hash] of VECTORS) expect(murmur2(new TextEncoder().encode(key)), key).toBe(hash);
});

test('partitionOf agrees with kafkajs for every length, non-ASCII keys included', () => {
  const kafka = kafkajs.Partitioners.DefaultPartitioner();
  const keys = Array.from({length: 300}, (_, i) => 'user-ü-€-😀-'.repeat(12).slice(0, i % 150) + i);
  for (const partitions of [1, 3, 6, 12, 100]) {
    const partitionMetadata = Array.from({length: partitions}, (_, partitionId) => ({
      partitionId,
      partitionErrorCode: 0,
      leader: 1,
      replicas: [1],
      isr: [1],
    }));
    for (const key of [...keys, '']) {
      // kafkajs treats an empty key as no key.
      if (key === '') continue;
      expect(partitionOf(key, partitions), key).toBe(
        kafka({topic: 't', partitionMetadata, message: {key, value: null}}),
      );
    }
  }
});
