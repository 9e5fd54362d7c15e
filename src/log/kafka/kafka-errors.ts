import type {Clock} from '../../core/clock.ts';
import {AssayError, type ErrorCode, messageOf} from '../../core/errors.ts';

/** Kafka's own names of errors → ours. Everything else is ASSAY_LOG_UNAVAILABLE. */
const CODE_BY_TYPE: Readonly<Record<string, ErrorCode>> = {
  UNKNOWN_TOPIC_OR_PARTITION: 'ASSAY_LOG_TOPIC_MISSING',
  ILLEGAL_GENERATION: 'ASSAY_LOG_FENCED',
  UNKNOWN_MEMBER_ID: 'ASSAY_LOG_FENCED',
  REBALANCE_IN_PROGRESS: 'ASSAY_LOG_FENCED',
  FENCED_INSTANCE_ID: 'ASSAY_LOG_FENCED',
  INVALID_PRODUCER_EPOCH: 'ASSAY_LOG_FENCED',
  MESSAGE_TOO_LARGE: 'ASSAY_DECODE_OVERSIZED',
  RECORD_LIST_TOO_LARGE: 'ASSAY_DECODE_OVERSIZED',
  SASL_AUTHENTICATION_FAILED: 'ASSAY_CONFIG_INVALID',
  UNSUPPORTED_SASL_MECHANISM: 'ASSAY_CONFIG_INVALID',
  TOPIC_AUTHORIZATION_FAILED: 'ASSAY_CONFIG_INVALID',
  GROUP_AUTHORIZATION_FAILED: 'ASSAY_CONFIG_INVALID',
  CLUSTER_AUTHORIZATION_FAILED: 'ASSAY_CONFIG_INVALID',
  INVALID_REPLICATION_FACTOR: 'ASSAY_CONFIG_INVALID',
};

const FIX_BY_CODE: Readonly<Partial<Record<ErrorCode, string>>> = {
  ASSAY_CONFIG_INVALID: 'check the user, its rights and the kafka settings',
  ASSAY_LOG_UNAVAILABLE:
    'check that the broker runs, that kafka.brokers is right and that TLS is on at both ends or neither',
};

/** What kafkajs threw, as the port's error. `what` names the act and the place. */
export function toAssayError(what: string, error: unknown): AssayError {
  if (error instanceof AssayError) return error;
  const causes = chainOf(error);
  const type = causes.map(typeOf).find(name => CODE_BY_TYPE[name] !== undefined) ?? '';
  const isAuthentication = causes.some(
    cause => cause instanceof Error && cause.name === 'KafkaJSSASLAuthenticationError',
  );
  const code = isAuthentication ? 'ASSAY_CONFIG_INVALID' : (CODE_BY_TYPE[type] ?? 'ASSAY_LOG_UNAVAILABLE');
  const fix = FIX_BY_CODE[code];
  return new AssayError(code, `${what}: ${messageOf(causes.at(-1))}${fix === undefined ? '' : `; ${fix}`}`, {
    cause: error,
  });
}

/** Kafka's name of the innermost protocol error, such as NOT_LEADER_FOR_PARTITION; '' when there is none. */
export const kafkaTypeOf = (error: unknown): string =>
  chainOf(error)
    .map(typeOf)
    .findLast(type => type !== '') ?? '';

/** kafkajs asks for the newest offsets, then for the oldest, and trips when its picture of the cluster changed in between. */
export const isTorn = (error: unknown): boolean => chainOf(error).some(cause => cause instanceof TypeError);

/** `run`, given up after `ms`: kafkajs nests retries in retries, so only a clock bounds it. */
export async function bounded<T>(
  what: string,
  run: () => Promise<T>,
  {clock, ms}: {readonly clock: Clock; readonly ms: number},
): Promise<T> {
  const stop = new AbortController();
  const late = clock.sleep(ms, stop.signal).then(() => {
    throw new AssayError(
      'ASSAY_LOG_UNAVAILABLE',
      `${what}: no answer within ${ms} ms; ${FIX_BY_CODE.ASSAY_LOG_UNAVAILABLE}`,
    );
  });
  late.catch(() => undefined);
  try {
    return await Promise.race([run(), late]);
  } catch (error) {
    throw toAssayError(what, error);
  } finally {
    stop.abort();
  }
}

function chainOf(error: unknown): unknown[] {
  const chain: unknown[] = [];
  for (let cause = error; cause !== undefined && cause !== null && chain.length < 10; ) {
    chain.push(cause);
    const {cause: inner, originalError} = cause as {cause?: unknown; originalError?: unknown};
    cause = inner ?? originalError;
  }
  return chain;
}

const typeOf = (error: unknown): string =>
  error instanceof Error && 'type' in error && typeof error.type === 'string' ? error.type : '';
