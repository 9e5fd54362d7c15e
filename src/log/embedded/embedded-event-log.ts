import type {Clock} from '../../core/clock.ts';
import {type Logger, type Metrics, SILENT_LOGGER} from '../../core/telemetry.ts';
import {LocalEventLog} from '../local/local-event-log.ts';
import {EmbeddedStore} from './embedded-store.ts';
import {type LogFiles, NODE_FILES} from './log-files.ts';

/**
 * # The embedded log
 *
 * A durable partitioned log in a directory, for one process on one machine.
 * Why files of our own and not lmdb: `docs/adr/0002-embedded-log.md`.
 *
 * ## On disk (format 1, little-endian)
 *
 *     <directory>/topics.json                     topics, with a crc (registry.ts)
 *     <directory>/topics/<topic>@<epoch>/head     last acknowledged end (head.ts)
 *     <directory>/topics/<topic>@<epoch>/000000000000.segment …
 *     <directory>/topics/@commits/…               committed offsets; the same format
 *
 * A segment (segment.ts) is a header and then frames. A frame (frame.ts) holds
 * the records that one append sent to one partition; all partitions of a topic
 * share its segments, so that one append costs one write and one fdatasync.
 * Every byte of a segment is covered by a CRC-32: records by their own and by one
 * for all of the frame, header and table by the frame's. A frame names the crc of the one
 * before it, a segment header that of the last frame before it, and the head that
 * of the last acknowledged frame: none can be changed, lost or swapped unseen.
 *
 * ## Constraints
 *
 * - One owner process per directory; the caller holds the lock.
 * - Offsets are dense and below 2^53. A segment is closed at 64 MiB (`segmentBytesMax`)
 *   or a quarter of the retention time; a frame holds at most 64 MiB.
 * - At most 64 MiB of appends wait; beyond that an append is refused with
 *   ASSAY_LOG_UNAVAILABLE. Up to 8 MiB of waiting appends share one sync.
 * - A reader holds chunks of 512 KiB, 24 per topic, and 16 open files per topic.
 *   The index in memory has one entry per partition and 256 KiB of file.
 *
 * ## Append
 *
 *     encode ─► queue ─► write ─► fdatasync ─► head ─► visible to readers, resolved
 *
 * The head is written without a sync of its own: after `kill -9` the page cache
 * has it; after a power failure an older one is found, which only means that
 * frames after it must prove themselves by their chain.
 *
 * ## Recovery, at every open
 *
 * 1. Every frame header is walked from the head's first segment on and must follow
 *    from the one before it. Records' own bytes are checked in the last segment,
 *    and in all others whenever they are read.
 * 2. Anything wrong below the acknowledged end, in a head, in the list of topics or
 *    a commit beyond a partition's end: ASSAY_LOG_CORRUPT, naming file and byte.
 * 3. Behind the acknowledged end whole frames are kept; the first torn one and what
 *    follows is cut off, with a warning.
 *
 * ## When the disk refuses
 *
 * A failed write is cut off again and its append rejects with
 * ASSAY_LOG_UNAVAILABLE; the next one may succeed. After a failed fdatasync the
 * kernel may have dropped what it could not write, so the topic refuses
 * everything until it is opened again and recovery has looked.
 *
 * ## Retention
 *
 * Whole segments whose newest record is older than `retentionMs` go, when a
 * topic is opened or appended to: the head first forgets them, synced, then the
 * files are removed. The active segment stays. Commits are kept in one snapshot
 * that replaces their history at every 4 MiB.
 */
export type EmbeddedEventLogOptions = {
  readonly directory: string;
  readonly clock: Clock;
  readonly logger?: Logger;
  readonly metrics?: Metrics;
  readonly segmentBytesMax?: number;
  /** The file system; a test puts its faults here. */
  readonly files?: LogFiles;
};

const SEGMENT_BYTES_MAX = 64 * 1024 * 1024;

/** Opens the log in a directory, creating it when it is empty. @throws ASSAY_LOG_CORRUPT, ASSAY_LOG_UNAVAILABLE */
export async function openEmbeddedEventLog(options: EmbeddedEventLogOptions): Promise<LocalEventLog> {
  const {
    directory,
    clock,
    logger = SILENT_LOGGER,
    segmentBytesMax = SEGMENT_BYTES_MAX,
    files = NODE_FILES,
  } = options;
  const store = await EmbeddedStore.open({directory, files, clock, logger, segmentBytesMax});
  return new LocalEventLog(store, {clock, logger, ...(options.metrics && {metrics: options.metrics})});
}
