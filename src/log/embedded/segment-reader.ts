import type {LogRecord} from '../event-log.ts';
import {corrupt} from './corrupt.ts';
import {
  type DecodeLimits,
  decodeRecords,
  type FrameHeader,
  type FramePlace,
  hasGoodHeader,
  parseHeader,
} from './frame.ts';
import {type LogFile, type LogFiles, pathIn} from './log-files.ts';
import {type Segment, segmentHeaderBytes, segmentName} from './segment.ts';

/** Read at once; partitions read side by side share it. */
const CHUNK_BYTES = 512 * 1024;
const CHUNKS_MAX = 24;
const FILES_MAX = 16;
/** Readers per partition that continue without a search. */
const CURSORS_MAX = 8;

type Chunk = {readonly segment: Segment; readonly position: number; readonly bytes: Buffer};
type Located = {readonly segment: Segment; readonly position: number};
type Cursor = {readonly offset: number; readonly segment: number; readonly position: number};
type Frame = {readonly bytes: Buffer; readonly at: number; readonly header: FrameHeader};

/** Reads records from durable parts of segments. Never looks beyond `Segment.length`. */
export class SegmentReader {
  readonly #files: LogFiles;
  readonly #directory: string;
  /** In file order; owned by the topic log. */
  readonly #segments: readonly Segment[];
  readonly #open = new Map<number, LogFile>();
  readonly #cursors = new Map<number, Cursor[]>();
  #chunks: Chunk[] = [];

  constructor(files: LogFiles, directory: string, segments: readonly Segment[]) {
    this.#files = files;
    this.#directory = directory;
    this.#segments = segments;
  }

  /** Records from `limits.from` on, which is below the durable end; [] when retention removed it meanwhile. */
  async read(partition: number, limits: DecodeLimits): Promise<LogRecord[]> {
    const located = this.#locate(partition, limits.from);
    if (located === undefined) return [];
    try {
      const records = await this.#readFrom(located, partition, limits);
      if (records.length > 0 || !this.#isRetained(partition, limits.from)) return records;
    } catch (error) {
      if (this.#isRetained(partition, limits.from)) throw error;
      return [];
    }
    const what = `the record at offset ${limits.from} of partition ${partition} is not where it was written`;
    throw corrupt(located.segment.path, located.position, what);
  }

  async #readFrom(from: Located, partition: number, limits: DecodeLimits): Promise<LogRecord[]> {
    const records: LogRecord[] = [];
    let {segment, position} = from;
    let next = limits.from;
    let bytesMax = limits.bytesMax;
    for (;;) {
      const frame = await this.#frameAt(segment, position);
      if (frame === undefined) {
        const following = this.#segmentNumbered(segment.number + 1);
        if (following === undefined) break;
        segment = following;
        position = segmentHeaderBytes(segment.baseOffsets.length);
        continue;
      }
      const {header} = frame;
      if (header.partition === partition && header.baseOffset + header.records > next) {
        const place = {path: segment.path, position};
        checkFrame(frame, place, next);
        const {isDone, bytes} = decodeRecords({...frame, place}, records, {...limits, bytesMax});
        bytesMax -= bytes;
        next = Number(records.at(-1)?.offset ?? -1n) + 1;
        if (!isDone) break;
      }
      position += header.bytes;
      // One more disk read only for a fuller batch is not worth its wait.
      if (records.length >= limits.recordsMax || bytesMax <= 0) break;
      if (records.length > 0 && !this.#isNear(segment, position)) break;
    }
    this.#remember(partition, limits.from, {offset: next, segment: segment.number, position});
    return records;
  }

  /** Forgets segments that were removed. */
  async forget(below: number): Promise<void> {
    this.#chunks = this.#chunks.filter(chunk => chunk.segment.number >= below);
    for (const [number, file] of this.#open) {
      if (number >= below) continue;
      this.#open.delete(number);
      await file.close();
    }
  }

  async close(): Promise<void> {
    const files = [...this.#open.values()];
    this.#open.clear();
    this.#chunks = [];
    for (const file of files) await file.close();
  }

  #locate(partition: number, offset: number): Located | undefined {
    const cursor = this.#cursors.get(partition)?.find(known => known.offset === offset);
    const known = cursor === undefined ? undefined : this.#segmentNumbered(cursor.segment);
    if (cursor !== undefined && known !== undefined) return {segment: known, position: cursor.position};
    let low = 0;
    let high = this.#segments.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#segments[middle]?.baseOffsets[partition] ?? 0) <= offset) low = middle + 1;
      else high = middle;
    }
    const segment = this.#segments[low - 1];
    return segment === undefined ? undefined : {segment, position: segment.seek(partition, offset)};
  }

  /** Numbers are consecutive. */
  #segmentNumbered(number: number): Segment | undefined {
    return this.#segments[number - (this.#segments[0]?.number ?? 0)];
  }

  #isRetained(partition: number, offset: number): boolean {
    return (this.#segments[0]?.baseOffsets[partition] ?? 0) <= offset;
  }

  #remember(partition: number, from: number, cursor: Cursor): void {
    const others = (this.#cursors.get(partition) ?? []).filter(
      known => known.offset !== from && known.offset !== cursor.offset,
    );
    this.#cursors.set(partition, [cursor, ...others.slice(0, CURSORS_MAX - 1)]);
  }

  /** Is the next frame's header in memory? Then going on is cheap. */
  #isNear(segment: Segment, position: number): boolean {
    return position < segment.length && this.#chunkAt(segment, position) !== undefined;
  }

  #chunkAt(segment: Segment, position: number): Chunk | undefined {
    return this.#chunks.find(
      chunk =>
        chunk.segment === segment &&
        chunk.position <= position &&
        position < chunk.position + chunk.bytes.length,
    );
  }

  /** The frame that begins at `position`, in memory as a whole; undefined at the segment's end. */
  async #frameAt(segment: Segment, position: number): Promise<Frame | undefined> {
    if (position >= segment.length) return undefined;
    let chunk = this.#chunkAt(segment, position);
    let at = chunk === undefined ? 0 : position - chunk.position;
    let header = chunk === undefined ? undefined : parseHeader(chunk.bytes, at);
    if (chunk === undefined || header === undefined || at + header.bytes > chunk.bytes.length) {
      chunk = await this.#load(segment, position, CHUNK_BYTES);
      at = 0;
      header = parseHeader(chunk.bytes, at);
      if (header !== undefined && header.bytes > chunk.bytes.length) {
        chunk = await this.#load(segment, position, header.bytes);
      }
    }
    if (
      header === undefined ||
      at + header.bytes > chunk.bytes.length ||
      !hasGoodHeader(chunk.bytes, at, header)
    ) {
      throw corrupt(segment.path, position, 'a frame header fails its checksum');
    }
    return {bytes: chunk.bytes, at, header};
  }

  async #load(segment: Segment, position: number, length: number): Promise<Chunk> {
    const file = await this.#fileOf(segment);
    const bytes = await file.read(position, Math.min(length, segment.length - position));
    const chunk = {segment, position, bytes};
    if (bytes.length <= 2 * CHUNK_BYTES) this.#chunks = [chunk, ...this.#chunks.slice(0, CHUNKS_MAX - 1)];
    return chunk;
  }

  async #fileOf(segment: Segment): Promise<LogFile> {
    const open = this.#open.get(segment.number);
    if (open !== undefined) return open;
    const file = await this.#files.open(pathIn(this.#directory, segmentName(segment.number)), 'existing');
    const raced = this.#open.get(segment.number);
    if (raced !== undefined) {
      await file.close();
      return raced;
    }
    this.#open.set(segment.number, file);
    const [oldest] = this.#open.keys();
    if (this.#open.size > FILES_MAX && oldest !== undefined) {
      const evicted = this.#open.get(oldest);
      this.#open.delete(oldest);
      await evicted?.close();
    }
    return file;
  }
}

/** Looked at again, since it may have been altered after the log was opened. */
function checkFrame({bytes, at, header}: Frame, {path, position}: FramePlace, next: number): void {
  if (!hasGoodHeader(bytes, at, header)) throw corrupt(path, position, 'a frame header fails its checksum');
  if (header.baseOffset > next) {
    throw corrupt(
      path,
      position,
      `offsets ${next} to ${header.baseOffset - 1} of partition ${header.partition} are missing`,
    );
  }
}
