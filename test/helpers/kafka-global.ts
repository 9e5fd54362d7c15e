/** vitest's `globalSetup`: one Kafka for the whole run, started only when a test asks for it. */
import {startSharedKafka, stopSharedKafka} from './kafka-shared.ts';

export async function setup(): Promise<() => Promise<void>> {
  await startSharedKafka();
  return stopSharedKafka;
}
