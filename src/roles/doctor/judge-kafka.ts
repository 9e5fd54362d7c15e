import type {Config} from '../../config/load.ts';
import {CONTROL_TOPIC, DEAD_LETTERS_TOPIC, EXPERIMENTS_TOPIC, LIVE_TOPIC} from '../../core/streams.ts';
import type {ClusterFacts, TopicFacts} from '../../log/kafka/inspect-cluster.ts';
import {fail, type Finding, isLoopback, ok, orOk, warn} from './finding.ts';

const KEPT_FOR_EVER = '-1';
const WEEK_MS = 7 * 24 * 3_600_000;
const TIMESTAMP_MAX = '9223372036854775807';
/** An event is at most 64 KiB; the brokers' default of 1 MiB holds a batch of them. */
const MESSAGE_BYTES_MIN = 1_000_000;

/** What is wrong with a cluster and our topics on it, by what was seen of them. */
export function judgeKafka({brokers, hasController, topics}: ClusterFacts, config: Config): readonly Finding[] {
  const found: Finding[] = [];
  const where = config.list('kafka.brokers');
  found.push(
    hasController
      ? ok('kafka', `${brokers} brokers answer at ${where.join(', ')}`)
      : fail('kafka', `the cluster at ${where.join(', ')} has no controller`, 'look at the controllers’ logs: most of them are down or cannot elect one'),
  );
  const isOpen = !config.isOn('kafka.tls.enabled') && !where.every(broker => isLoopback(broker.replace(/:\d+$/, '')));
  if (isOpen) found.push(warn('kafka security', 'events go over the network in plain text', 'turn on kafka.tls.enabled and kafka.sasl'));
  if (brokers >= 3 && config.number('kafka.replication') < 3) {
    found.push(warn('kafka.replication', `${brokers} brokers, but topics are made with ${config.number('kafka.replication')} replicas`, 'set kafka.replication to 3'));
  }
  const missing = [LIVE_TOPIC, EXPERIMENTS_TOPIC, DEAD_LETTERS_TOPIC, CONTROL_TOPIC].filter(name => !topics.some(({topic}) => topic === name));
  if (missing.length > 0) found.push(warn('topics', `missing: ${missing.join(', ')}`, 'run `assay topics`, or start any role: it makes them'));
  return [...found, ...topics.flatMap(topic => judgeTopic(topic, config))];
}

function judgeTopic(facts: TopicFacts, config: Config): readonly Finding[] {
  const {topic, partitions, replicas, inSync, settings} = facts;
  const check = `topic ${topic}`;
  const wrong = [...judgeReplicas(facts, check), ...judgeClock(facts, check), ...judgeRetention(facts, check)];
  if (topic === LIVE_TOPIC && partitions !== config.number('live.partitions')) {
    wrong.push(fail(check, `it has ${partitions} partitions, live.partitions says ${config.number('live.partitions')}`, `set live.partitions to ${partitions}: partitions of a stream never change`));
  }
  if (Number(settings['max.message.bytes'] ?? MESSAGE_BYTES_MIN) < MESSAGE_BYTES_MIN) {
    wrong.push(fail(check, `max.message.bytes is ${settings['max.message.bytes']}`, alter(topic, `max.message.bytes=${MESSAGE_BYTES_MIN + 48_588}`)));
  }
  return orOk(wrong, ok(check, `${partitions} partitions, ${inSync} of ${replicas} replicas in sync, ${settings['message.timestamp.type']}`));
}

function judgeReplicas({topic, replicas, inSync, settings}: TopicFacts, check: string): Finding[] {
  const least = Number(settings['min.insync.replicas'] ?? 1);
  if (inSync < least) return [fail(check, `${inSync} replicas in sync, and min.insync.replicas is ${least}: writes are refused`, 'bring the missing brokers back')];
  if (inSync < replicas) return [warn(check, `${inSync} of ${replicas} replicas are in sync`, 'bring the missing broker back, or wait until it caught up')];
  if (replicas >= 3 && least < 2) return [warn(check, 'an acknowledged record may lie on one broker alone', alter(topic, 'min.insync.replicas=2'))];
  return [];
}

/** DESIGN §3: who stamps a record decides what is late. */
function judgeClock({topic, settings}: TopicFacts, check: string): Finding[] {
  const type = settings['message.timestamp.type'];
  const isProduced = topic.startsWith('assay.events.') && topic !== LIVE_TOPIC;
  if (isProduced) {
    if (type !== 'CreateTime') return [fail(check, `message.timestamp.type is ${type}`, alter(topic, 'message.timestamp.type=CreateTime'))];
    const ahead = settings['message.timestamp.after.max.ms'];
    return ahead === undefined || ahead === TIMESTAMP_MAX ? [] : [warn(check, `message.timestamp.after.max.ms is ${ahead}: the broker may refuse a simulation’s clock`, alter(topic, `message.timestamp.after.max.ms=${TIMESTAMP_MAX}`))];
  }
  const isStamped = [LIVE_TOPIC, EXPERIMENTS_TOPIC].includes(topic);
  return isStamped && type !== 'LogAppendTime' ? [fail(check, `message.timestamp.type is ${type}: a producer’s clock would decide what is late`, alter(topic, 'message.timestamp.type=LogAppendTime'))] : [];
}

function judgeRetention({topic, settings}: TopicFacts, check: string): Finding[] {
  const {'retention.ms': ms, 'retention.bytes': bytes, 'cleanup.policy': policy} = settings;
  if (!topic.startsWith('assay.log-epochs') && policy !== undefined && policy !== 'delete') {
    return [fail(check, `cleanup.policy is ${policy}: records that replays need would vanish`, alter(topic, 'cleanup.policy=delete'))];
  }
  const isKept = topic === EXPERIMENTS_TOPIC || (topic.startsWith('assay.events.') && topic !== LIVE_TOPIC);
  if (isKept && ms !== undefined && ms !== KEPT_FOR_EVER) return [fail(check, `retention.ms is ${ms}: old versions date the phases, and an import would be lost`, alter(topic, 'retention.ms=-1'))];
  if (topic !== LIVE_TOPIC) return [];
  const found: Finding[] = [];
  if (ms !== undefined && ms !== KEPT_FOR_EVER && Number(ms) < WEEK_MS) found.push(warn(check, `events are kept for ${Number(ms) / 3_600_000} hours: a longer stop of the workers loses some`, alter(topic, `retention.ms=${WEEK_MS}`)));
  if (bytes !== undefined && bytes !== KEPT_FOR_EVER) found.push(warn(check, `retention.bytes is ${bytes}: a burst may push out events that no worker has read`, alter(topic, 'retention.bytes=-1')));
  return found;
}

const alter = (topic: string, setting: string): string => `kafka-configs.sh --alter --entity-type topics --entity-name ${topic} --add-config ${setting}`;
