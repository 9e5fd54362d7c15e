/** Every bound of delivery with its reason. */
export const NOTIFY_LIMITS = {
  /** Name look-up, TCP and TLS together; a receiver that needs longer is down. */
  connectMs: 10_000,
  /** From the look-up to the last byte of the answer; Standard Webhooks asks for 15–30 s. */
  totalMs: 30_000,
  /** What is read of an answer. Nobody needs more than a status and a code. */
  responseBytesMax: 64 * 1024,
  /** A receiver's own limit is often 1 MiB; larger reports go without their evidence. */
  bodyBytesMax: 512 * 1024,
  urlCharsMax: 2_048,
  /** Addresses of one name; more than this is no receiver of ours. */
  addressesMax: 16,
  /** Between two addresses of one name (happy eyeballs). */
  addressAttemptMs: 2_500,
  /** A Retry-After beyond this is not believed: the last step of the schedule. */
  retryAfterMsMax: 24 * 3_600_000,
  /** After 429, 502 or 504 without Retry-After a channel rests this long. */
  slowDownMs: 30_000,
  /** A channel that only failed for this long is disabled. */
  disableAfterMs: 120 * 3_600_000,
  /** Rows (with their bodies) looked at in one round; about 15 MB of reports. */
  dueRowsMax: 500,
  /** POSTs in flight per channel: enough to drain a backlog, few enough not to be an attack. */
  concurrentPerChannel: 4,
  /** How long a lane sleeps at most before it looks for rows of another process. */
  pollMs: 15_000,
  /** Deliveries a receiver keeps to be looked at. */
  receivedMax: 10_000,
  /** An older or newer timestamp is refused by our receiver, as Standard Webhooks says. */
  signatureToleranceMs: 5 * 60_000,
  errorCharsMax: 300,
} as const;

/**
 * The wait before each attempt, counted from the one before (Standard Webhooks):
 * ten attempts over 75 hours. Each wait but the first is jittered by ± 10 %.
 */
export const RETRY_SCHEDULE_MS: readonly number[] = [
  0,
  5_000,
  5 * 60_000,
  30 * 60_000,
  2 * 3_600_000,
  5 * 3_600_000,
  10 * 3_600_000,
  14 * 3_600_000,
  20 * 3_600_000,
  24 * 3_600_000,
];
export const RETRY_JITTER = 0.1;
