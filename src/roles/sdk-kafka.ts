import {encodeExposure, encodeOutcome} from '../avro/released.ts';
import {ExperimentRegistry} from '../experiment/registry.ts';
import {openKafkaEventLog} from '../log/kafka/kafka-event-log.ts';
import type {KafkaEventLogOptions} from '../log/kafka/kafka-options.ts';
import type {OpenedLog} from '../sdk/log-transport.ts';

export type SdkKafka = OpenedLog & {openRegistry(): Promise<ExperimentRegistry>};

/** Kafka for the SDK: events into their topic, experiments out of theirs. */
export async function openSdkKafka(options: KafkaEventLogOptions): Promise<SdkKafka> {
  const log = await openKafkaEventLog(options);
  return {
    log,
    encode: event => (event.kind === 'exposure' ? encodeExposure(event) : encodeOutcome(event)),
    openRegistry: () => ExperimentRegistry.open({log, clock: options.clock, logger: options.logger}),
    close: () => log.close(),
  };
}
