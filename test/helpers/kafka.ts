import {afterAll, describe, test} from 'vitest';
import {acquire, type KafkaGate, refuseUnderCi, release} from './kafka-shared.ts';

export {
  type KafkaGate,
  type OwnKafka,
  startOwnKafka,
  startSharedKafka,
  stopSharedKafka,
} from './kafka-shared.ts';

/** For the top of a test file: brokers, or why there are none. Lets go of them after the file's tests. */
export async function kafkaGate(): Promise<KafkaGate> {
  const gate = await acquire();
  if ('skipped' in gate) return refuseUnderCi(gate.skipped);
  afterAll(release);
  return gate;
}

/** Defines tests that need Kafka. */
export async function withKafka(name: string, define: (brokers: readonly string[]) => void): Promise<void> {
  const gate = await kafkaGate();
  if ('brokers' in gate) describe(name, () => define(gate.brokers));
  else test.skip(`${name}: ${gate.skipped}`, () => undefined);
}
