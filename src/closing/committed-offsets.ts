import {AssayError} from '../core/errors.ts';
import {type Stream, workerGroup} from '../core/streams.ts';
import type {EventLog} from '../log/event-log.ts';
import type {CommittedOffset} from '../warehouse/warehouse.ts';

/** What the stream's workers have committed, for every partition; 0 where nothing is. */
export async function committedOffsets(
  log: Pick<EventLog, 'committed' | 'describeTopic'>,
  {name, topic}: Stream,
): Promise<CommittedOffset[]> {
  const info = await log.describeTopic(topic);
  if (info === undefined) throw new AssayError('ASSAY_LOG_TOPIC_MISSING', `there is no topic ${topic} of stream ${name}`);
  const offsets = await log.committed(topic, workerGroup(name));
  return offsets.map((offset, partition) => ({logEpoch: info.logEpoch, partition, offset: offset ?? 0n}));
}
