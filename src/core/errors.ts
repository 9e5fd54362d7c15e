/**
 * What the caller must do about an error. Every error the pipeline can meet is
 * one of these, and each loop has exactly one reaction to each.
 *
 * - `retry`   the world may recover: back off, then try the same work again.
 * - `discard` this record never will succeed: dead-letter it and go on.
 * - `fatal`   continuing would lose or corrupt data: stop the process.
 * - `input`   a person asked for something that cannot be done: say so, exit 2.
 */
export type ErrorKind = 'retry' | 'discard' | 'fatal' | 'input';

/** One row per error; the code is stable and may be used as a metric label. */
const KIND_BY_CODE = {
  ASSAY_CONFIG_INVALID: 'input',
  ASSAY_USAGE: 'input',
  ASSAY_NOT_FOUND: 'input',
  ASSAY_INPUT_UNREADABLE: 'input',
  ASSAY_STREAM_AMBIGUOUS: 'input',
  ASSAY_DATA_DIR_INVALID: 'input',
  ASSAY_DATA_DIR_OWNED: 'input',
  ASSAY_EXPERIMENT_INVALID: 'input',
  ASSAY_EXPERIMENT_CONFLICT: 'input',
  ASSAY_QUERY_REFUSED: 'input',
  ASSAY_SCHEMA_INCOMPATIBLE: 'input',
  ASSAY_DECODE_MALFORMED: 'discard',
  ASSAY_DECODE_UNKNOWN_SCHEMA: 'discard',
  ASSAY_DECODE_OVERSIZED: 'discard',
  ASSAY_LOG_UNAVAILABLE: 'retry',
  ASSAY_LOG_FENCED: 'retry',
  ASSAY_LOG_TOPIC_MISSING: 'input',
  ASSAY_LOG_CORRUPT: 'fatal',
  ASSAY_LOG_GAP: 'fatal',
  ASSAY_SINK_UNAVAILABLE: 'retry',
  ASSAY_SINK_REJECTED: 'fatal',
  ASSAY_WAREHOUSE_CORRUPT: 'fatal',
  ASSAY_MIGRATION_FAILED: 'fatal',
  ASSAY_DELIVERY_FAILED: 'retry',
  ASSAY_ADDRESS_REFUSED: 'input',
} as const satisfies Record<`ASSAY_${string}`, ErrorKind>;

export type ErrorCode = keyof typeof KIND_BY_CODE;

export class AssayError extends Error {
  override readonly name = 'AssayError';
  readonly code: ErrorCode;
  readonly kind: ErrorKind;

  constructor(code: ErrorCode, message: string, options?: {cause: unknown}) {
    super(message, options);
    this.code = code;
    this.kind = KIND_BY_CODE[code];
  }
}

/** The text of anything thrown, on one line. */
export function messageOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replaceAll(/\s*\n\s*/g, ' ');
}
