import {AssayError} from '../core/errors.ts';
import type {TopicInfo, TopicSpec} from './event-log.ts';

/** Kafka's rule; it also keeps a name safe as a folder. */
const TOPIC_NAME = /^(?!\.{1,2}$)[a-zA-Z0-9._-]{1,200}$/;
const PARTITIONS_MAX = 1_000;

export function checkTopicSpec(spec: TopicSpec): void {
  if (!TOPIC_NAME.test(spec.topic)) {
    throw new AssayError(
      'ASSAY_CONFIG_INVALID',
      `topic name ${JSON.stringify(spec.topic)} must be 1 to 200 of a-z A-Z 0-9 . _ -`,
    );
  }
  if (!Number.isInteger(spec.partitions) || spec.partitions < 1 || spec.partitions > PARTITIONS_MAX) {
    throw new AssayError(
      'ASSAY_CONFIG_INVALID',
      `topic ${spec.topic}: partitions must be 1 to ${PARTITIONS_MAX}, got ${spec.partitions}`,
    );
  }
}

/** A topic that exists is accepted only as it was asked for; its retention is left alone. */
export function checkSameTopic(existing: TopicInfo, wanted: TopicSpec): void {
  if (existing.partitions === wanted.partitions && existing.clock === wanted.clock) return;
  throw new AssayError(
    'ASSAY_CONFIG_INVALID',
    `topic ${wanted.topic} exists with ${existing.partitions} partitions and clock ${existing.clock}, ` +
      `wanted ${wanted.partitions} and ${wanted.clock}: use those, or another topic`,
  );
}

export const topicMissing = (topic: string): AssayError =>
  new AssayError('ASSAY_LOG_TOPIC_MISSING', `there is no topic ${topic}: create it with "assay topics"`);

export const partitionMissing = (topic: string, partition: number, partitions: number): AssayError =>
  new AssayError(
    'ASSAY_LOG_TOPIC_MISSING',
    `topic ${topic} has partitions 0 to ${partitions - 1}, not ${partition}`,
  );
