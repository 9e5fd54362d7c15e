import kafkajs, {type Kafka, type KafkaConfig, type LogEntry} from 'kafkajs';
import type {Logger} from '../../core/telemetry.ts';
import {registerCodecs} from './codecs.ts';
import {replaceFetchDecoder} from './fetched-batches.ts';
import {KAFKA_LIMITS, type KafkaEventLogOptions} from './kafka-options.ts';

/**
 * A kafkajs client. Each consumer needs one of its own: kafkajs keeps committed
 * offsets per group *and client*, so two members of a group sharing a client
 * overwrite each other's.
 */
export function makeKafka(options: KafkaEventLogOptions): Kafka {
  registerCodecs();
  replaceFetchDecoder();
  const {brokers, clientId, sasl, tls, logger} = options;
  const config: KafkaConfig = {
    brokers: [...brokers],
    clientId,
    connectionTimeout: options.connectTimeoutMs ?? KAFKA_LIMITS.connectTimeoutMs,
    authenticationTimeout: KAFKA_LIMITS.openTimeoutMs,
    requestTimeout: options.requestTimeoutMs ?? KAFKA_LIMITS.requestTimeoutMs,
    logLevel: kafkajs.logLevel.INFO,
    logCreator: () => entry => passOn(logger, entry),
    retry: {initialRetryTime: 200, maxRetryTime: 3_000, retries: 4},
    ...(sasl && {sasl: sasl as KafkaConfig['sasl'] & object}),
    ...(tls && {ssl: {...tls}}),
  };
  return new kafkajs.Kafka(config);
}

/** kafkajs reports ordinary life of a group as errors. */
const ORDINARY =
  /rebalanc|not aware of this member|coordinator|re-joining|member id|Closed connection|NOT_LEADER|does not host|leadership|write after end/i;

/** Each failed attempt to connect; whoever asked is told once, when kafkajs gives up. */
const ATTEMPTS: readonly string[] = ['Connection', 'BrokerPool'];

/** One level down, and to debug what every rebalance prints; what matters reaches the caller as an error. */
function passOn(logger: Logger, {level, namespace, log}: LogEntry): void {
  const {message, timestamp: _, logger: __, stack: ___, ...fields} = log;
  const text = `kafkajs: ${message}`;
  const isOrdinary = ATTEMPTS.includes(namespace) || ORDINARY.test(`${message} ${String(fields['error'] ?? '')}`);
  if (level === kafkajs.logLevel.ERROR && !isOrdinary) logger.warn(text, {namespace, ...fields});
  else if (level === kafkajs.logLevel.WARN && !isOrdinary) logger.info(text, {namespace, ...fields});
  else logger.debug(text, {namespace, ...fields});
}
