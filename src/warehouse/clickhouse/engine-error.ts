import {AssayError, type ErrorCode} from '../../core/errors.ts';

/** What the engine's exception codes ask of the caller; an unknown code means wrong rows or a wrong query. */

/** Overload, missing peers, restarts: the same statement can succeed later. */
const RETRY_CODES: ReadonlySet<number> = new Set([
  159, // TIMEOUT_EXCEEDED
  160, // TOO_SLOW
  198, // DNS_ERROR
  202, // TOO_MANY_SIMULTANEOUS_QUERIES
  203, // NO_FREE_CONNECTION
  209, // SOCKET_TIMEOUT
  210, // NETWORK_ERROR
  225, // NO_ZOOKEEPER
  236, // ABORTED
  241, // MEMORY_LIMIT_EXCEEDED
  242, // TABLE_IS_READ_ONLY
  243, // NOT_ENOUGH_SPACE
  252, // TOO_MANY_PARTS
  254, // NO_ACTIVE_REPLICAS
  279, // ALL_CONNECTION_TRIES_FAILED
  285, // TOO_FEW_LIVE_REPLICAS
  286, // UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE
  319, // UNKNOWN_STATUS_OF_INSERT
  373, // SESSION_IS_LOCKED
  394, // QUERY_WAS_CANCELLED
  425, // SYSTEM_ERROR
  439, // CANNOT_SCHEDULE_TASK
  516, // AUTHENTICATION_FAILED is fixed in the configuration of either side while we wait
  574, // DATABASE_REPLICATION_FAILED
  735, // QUERY_WAS_CANCELLED_BY_CLIENT
  745, // SERVER_OVERLOADED
  999, // KEEPER_EXCEPTION
]);

/** The engine cannot read its own files. */
const CORRUPT_CODES: ReadonlySet<number> = new Set([
  40, // CHECKSUM_DOESNT_MATCH
  226, // NO_FILE_IN_DATA_PART
  227, // UNEXPECTED_FILE_IN_DATA_PART
  228, // BAD_SIZE_OF_FILE_IN_DATA_PART
  246, // CORRUPTED_DATA
  271, // CANNOT_DECOMPRESS
  740, // POTENTIALLY_BROKEN_DATA_PART
]);

/** These mean damage when they speak of the engine's files, and bad input otherwise. */
const MAYBE_CORRUPT_CODES: ReadonlySet<number> = new Set([
  32, // ATTEMPT_TO_READ_AFTER_EOF
  33, // CANNOT_READ_ALL_DATA
  74, // CANNOT_READ_FROM_FILE_DESCRIPTOR
  76, // CANNOT_OPEN_FILE
  79, // INCORRECT_FILE_NAME
  107, // FILE_DOESNT_EXIST
  117, // INCORRECT_DATA
  231, // TOO_MANY_UNEXPECTED_DATA_PARTS
  1001, // STD_EXCEPTION
]);

const OWN_FILES = /\/store\/|\bpart\b|\.mrk|\.cmrk|data\.bin|primary\.cidx/;

/** A disk that is full or mounted read-only, under whatever code (CANNOT_OPEN_FILE, STD_EXCEPTION, …) the engine met it. */
const DISK_TROUBLE = /No space left on device|Disk quota exceeded|Read-only file system/i;
const DISK_FIX = 'free space on the device, and see that it is mounted for writing';

const FIX_BY_CODE: Readonly<Record<number, string>> = {
  81: 'create the database first: CREATE DATABASE name',
  241: 'give the engine more memory, or send smaller batches',
  243: 'free disk space',
  252: 'inserts come faster than merges; they go on by themselves once parts are merged',
  456: 'give the parameter; windows are v_windows(size_s = 60, slide_s = 10), in seconds',
  516: 'check the user and password',
};

/** The number in front of `DB::Exception`; 0 when there is none. */
export function engineCodeOf(message: string): number {
  return Number(/\bCode: (\d+)/.exec(message)?.[1] ?? 0);
}

/** @param where names the engine for a person: a host, or a directory */
export function toWarehouseError(engineCode: number, message: string, {where, cause}: {where: string; cause: unknown}): AssayError {
  const text = tidyMessage(message);
  const code = assayCode(engineCode, text);
  if (code === 'ASSAY_WAREHOUSE_CORRUPT') {
    return new AssayError(code, `the warehouse in ${where} is damaged: ${text}. Restore the directory from a copy, or import again into a new one`, {cause});
  }
  const fix = DISK_TROUBLE.test(text) ? DISK_FIX : FIX_BY_CODE[engineCode];
  return new AssayError(code, `the engine at ${where} says: ${text}${fix === undefined ? '' : ` (${fix})`}`, {cause});
}

function assayCode(engineCode: number, text: string): ErrorCode {
  if (RETRY_CODES.has(engineCode) || DISK_TROUBLE.test(text)) return 'ASSAY_SINK_UNAVAILABLE';
  if (CORRUPT_CODES.has(engineCode)) return 'ASSAY_WAREHOUSE_CORRUPT';
  if (MAYBE_CORRUPT_CODES.has(engineCode) && OWN_FILES.test(text) && !text.includes('file/uri')) return 'ASSAY_WAREHOUSE_CORRUPT';
  return 'ASSAY_SINK_REJECTED';
}

/** On one line, without stack traces, and short enough for a log. */
function tidyMessage(message: string): string {
  // What follows names the columns of the plan, often a page of them.
  const text = message.split(/\. ?Stack trace|: while executing '?FUNCTION/)[0] ?? message;
  const line = text.replaceAll(/\s+/g, ' ').trim();
  return line.length > MESSAGE_CHARS_MAX ? `${line.slice(0, MESSAGE_CHARS_MAX)}…` : line;
}

const MESSAGE_CHARS_MAX = 1_200;
