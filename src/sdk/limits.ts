/** Every bound of the SDK with its reason; an option may set each. */
export const SDK_LIMITS = {
  /** Events in memory that are not sent yet; about 10 MB at 500 bytes each. */
  queueEventsMax: 20_000,
  /** From this share of the queue on, events go to the spool, if there is one. */
  spillShare: 0.5,
  batchEventsMax: 500,
  /** How long an event may wait for its batch to fill. */
  batchAgeMsMax: 5_000,
  /** Tokens a second: events this process may send. A loop gone wild meets this before it meets the log. */
  eventsPerSecondMax: 20_000,
  /** Tokens saved up in quiet times. */
  burstEventsMax: 40_000,
  retryBackoffMsMin: 100,
  retryBackoffMsMax: 3_000,
  /** Share by which a backoff is longer or shorter at random, so that a fleet does not return at once. */
  retryJitterShare: 0.15,
  /** After this a request counts as lost and is sent again under the same event ids. */
  requestMsMax: 5_000,
  /** Undelivered events on disk. */
  spoolBytesMax: 256 * 1024 * 1024,
  /** Remembered exposures, in two generations of this many. */
  exposuresRememberedMax: 100_000,
  /** Units and tenants whose spending is remembered, per budget. */
  spendersRememberedMax: 100_000,
  /** How often the platform is asked what all processes have spent: of spenders far from a limit, near one, and how soon of new ones. */
  spendAskMs: 10_000,
  spendAskNearMs: 1_000,
  spendAskNewMs: 200,
  /** From spending to the outcome's arrival in the log: a batch's age and its delivery. */
  spendOnTheWayMs: 10_000,
  /** What close() may take to deliver what is queued. */
  closeMsMax: 5_000,
  /** How long the server may hold back an unchanged configuration. */
  configWaitMs: 25_000,
  /** Chunks of a stream are not kept; ids and names longer than this are cut. */
  modelCharsMax: 128,
} as const;

export type SdkLimits = {readonly [name in keyof typeof SDK_LIMITS]: number};
