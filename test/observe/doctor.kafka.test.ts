import {randomUUID} from 'node:crypto';
import {expect, test} from 'vitest';
import {NO_METRICS, SILENT_LOGGER} from '../../src/core/telemetry.ts';
import {inspectCluster} from '../../src/log/kafka/inspect-cluster.ts';
import {openKafkaEventLog} from '../../src/log/kafka/kafka-event-log.ts';
import {systemClock} from '../contract/event-log.contract.ts';
import {withKafka} from '../helpers/kafka.ts';

await withKafka('what the doctor sees of real brokers', brokers => {
  test('partitions, replicas and settings of our topics alone', async () => {
    const prefix = `doctor-${randomUUID().slice(0, 8)}.`;
    const options = {brokers, clientId: 'doctor', clock: systemClock, logger: SILENT_LOGGER, metrics: NO_METRICS};
    expect(await inspectCluster(options, prefix)).toMatchObject({hasController: true, topics: []});
    const log = await openKafkaEventLog(options);
    try {
      await log.createTopic({topic: `${prefix}live`, partitions: 3, clock: 'log', retentionMs: null});
      await log.createTopic({topic: `${prefix}import`, partitions: 1, clock: 'producer', retentionMs: 60_000});
    } finally {
      await log.close();
    }
    const {topics} = await inspectCluster(options, prefix);
    expect(topics).toMatchObject([
      {topic: `${prefix}import`, partitions: 1, inSync: 1, settings: {'message.timestamp.type': 'CreateTime', 'retention.ms': '60000', 'cleanup.policy': 'delete'}},
      {topic: `${prefix}live`, partitions: 3, settings: {'message.timestamp.type': 'LogAppendTime', 'retention.ms': '-1'}},
    ]);
  });

  test('no broker in reach is one error with the fix', async () => {
    const options = {brokers: ['127.0.0.1:1'], clientId: 'doctor', clock: systemClock, logger: SILENT_LOGGER, metrics: NO_METRICS};
    await expect(inspectCluster(options, 'assay.')).rejects.toMatchObject({code: 'ASSAY_LOG_UNAVAILABLE', message: expect.stringMatching(/check that the broker runs/)});
  });
});
