import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import type {Config} from '../config/load.ts';
import type {Clock} from '../core/clock.ts';
import {AssayError, messageOf} from '../core/errors.ts';
import type {Rng} from '../core/rng.ts';
import type {Logger, Metrics} from '../core/telemetry.ts';
import {openEmbeddedEventLog} from '../log/embedded/embedded-event-log.ts';
import type {EventLog} from '../log/event-log.ts';
import {type KafkaEventLogOptions, openKafkaEventLog} from '../log/kafka/kafka-event-log.ts';

export type Ports = {readonly clock: Clock; readonly rng: Rng; readonly logger: Logger; readonly metrics: Metrics};

/** The log that the configuration names. */
export function openLog(config: Config, {clock, rng, logger, metrics}: Ports): Promise<EventLog> {
  if (config.text('log.kind') === 'embedded') {
    return openEmbeddedEventLog({directory: join(config.text('data'), 'log'), clock, logger, metrics});
  }
  return openKafkaEventLog(kafkaOptions(config, {clock, rng, logger, metrics}));
}

/** How the configuration says the brokers are reached. */
export function kafkaOptions(config: Config, ports: Ports): KafkaEventLogOptions {
  const mechanism = config.text('kafka.sasl.mechanism');
  return {
    brokers: config.list('kafka.brokers'),
    clientId: config.text('kafka.client_id'),
    replication: config.number('kafka.replication'),
    sessionTimeoutMs: config.number('kafka.session_timeout_ms'),
    ...(mechanism === 'none'
      ? {}
      : {sasl: {mechanism: mechanism as 'plain' | 'scram-sha-256' | 'scram-sha-512', username: config.text('kafka.sasl.username'), password: config.text('kafka.sasl.password')}}),
    ...(config.isOn('kafka.tls.enabled')
      ? {tls: {...pem(config, 'kafka.tls.ca_file', 'ca'), ...pem(config, 'kafka.tls.cert_file', 'cert'), ...pem(config, 'kafka.tls.key_file', 'key')}}
      : {}),
    ...ports,
  };
}

/** The file an option names, under a name; nothing when the option is empty. */
export function pem<Name extends string>(config: Config, key: string, name: Name): {[key in Name]?: string} {
  const file = config.text(key);
  if (file === '') return {};
  try {
    return {[name]: readFileSync(file, 'utf8')} as {[key in Name]?: string};
  } catch (error) {
    throw new AssayError('ASSAY_CONFIG_INVALID', `${key} ${file} cannot be read (${messageOf(error)}); give an existing PEM file`, {cause: error});
  }
}
