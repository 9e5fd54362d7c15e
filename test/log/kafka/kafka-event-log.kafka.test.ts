import {NO_METRICS, SILENT_LOGGER} from '../../../src/core/telemetry.ts';
import type {EventLog} from '../../../src/log/event-log.ts';
import {openKafkaEventLog} from '../../../src/log/kafka/kafka-event-log.ts';
import {describeEventLogContract, systemClock} from '../../contract/event-log.contract.ts';
import {withKafka} from '../../helpers/kafka.ts';

await withKafka('Kafka', brokers => {
  const open = (): Promise<EventLog> =>
    openKafkaEventLog({
      brokers,
      clientId: 'contract',
      sessionTimeoutMs: 3_000,
      fetchWaitMs: 50,
      clock: systemClock,
      logger: SILENT_LOGGER,
      metrics: NO_METRICS,
    });

  describeEventLogContract('Kafka', open, {
    patienceMs: 15_000,
    silenceMs: 500,
    reopen: async log => {
      await log.close();
      return open();
    },
  });
});
