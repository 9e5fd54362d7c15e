import type {Clock} from '../../core/clock.ts';
import {AssayError} from '../../core/errors.ts';
import type {Logger} from '../../core/telemetry.ts';
import type {LogRecord} from '../event-log.ts';
import type {PartitionAppend} from '../local/log-store.ts';
import {encodeBody, FRAME_BYTES_MAX, type FrameBody, sealFrame} from './frame.ts';
import {HeadFile} from './head.ts';
import {type LogFile, type LogFiles, pathIn} from './log-files.ts';
import {recover, type Tip} from './recovery.ts';
import {encodeSegmentHeader, type FrameNote, Segment, segmentName} from './segment.ts';
import {SegmentReader} from './segment-reader.ts';

/** Appends that arrive while one is being synced are synced together, up to this. */
const GROUP_BYTES_MAX = 8 * 1024 * 1024;
/** Encoded and waiting; beyond it an append is refused, so that memory stays bounded. */
const QUEUE_BYTES_MAX = 64 * 1024 * 1024;
/** A segment is closed after this share of the retention time, so that whole segments expire. */
const SEGMENTS_PER_RETENTION = 4;

export type TopicLogOptions = {
  readonly directory: string;
  readonly files: LogFiles;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly partitions: number;
  readonly logEpoch: number;
  readonly retentionMs: number | null;
  readonly segmentBytesMax: number;
};

type Waiting = {
  readonly bodies: readonly FrameBody[];
  readonly bytes: number;
  /** Begins a new segment that replaces all older ones. */
  readonly isSnapshot: boolean;
  readonly resolve: (bases: bigint[]) => void;
  readonly reject: (error: unknown) => void;
};

type State = {
  readonly head: HeadFile;
  readonly file: LogFile;
  readonly segments: Segment[];
  readonly tip: Tip;
};

/** One topic's segments: one writer that groups commits, any number of readers. */
export class TopicLog {
  readonly #options: TopicLogOptions;
  readonly #segments: Segment[];
  readonly #tip: Tip;
  readonly #head: HeadFile;
  readonly #reader: SegmentReader;
  #active: LogFile;
  #queue: Waiting[] = [];
  #queueBytes = 0;
  #draining: Promise<void> | undefined;
  #failure: AssayError | undefined;

  private constructor(options: TopicLogOptions, {head, file, segments, tip}: State) {
    this.#options = options;
    this.#head = head;
    this.#active = file;
    this.#segments = segments;
    this.#tip = tip;
    this.#reader = new SegmentReader(options.files, options.directory, segments);
  }

  static async create(options: TopicLogOptions): Promise<TopicLog> {
    const {directory, files, partitions, logEpoch} = options;
    await files.makeDirectory(directory);
    const tip: Tip = {nextFrame: 0, crc: 0, ends: Array.from({length: partitions}, () => 0)};
    const {segment, file} = await createSegment(options, 0, tip);
    const {length, number} = segment;
    const head = await HeadFile.create(files, directory, {
      firstSegment: number,
      lastSegment: number,
      length,
      nextFrame: 0,
      crc: 0,
      logEpoch,
    });
    await files.syncDirectory(directory);
    return new TopicLog(options, {head, file, segments: [segment], tip});
  }

  static async open(options: TopicLogOptions): Promise<TopicLog> {
    const {directory, files, logger, partitions} = options;
    const head = await HeadFile.open(files, directory);
    try {
      const {segments, tip} = await recover({directory, files, logger, partitions, head: head.head});
      const last = segments.at(-1);
      if (last === undefined) throw new Error(`${directory} holds no segment`);
      const file = await files.open(last.path, 'existing');
      // What a killed process wrote and did not sync is kept, so it must be synced now.
      await file.sync();
      const log = new TopicLog(options, {head, file, segments, tip});
      await log.#writeHead();
      await log.#expire();
      return log;
    } catch (error) {
      await head.close();
      throw error;
    }
  }

  start(partition: number): number {
    return this.#segments[0]?.baseOffsets[partition] ?? 0;
  }

  end(partition: number): number {
    return this.#tip.ends[partition] ?? 0;
  }

  get activeBytes(): number {
    return this.#segments.at(-1)?.length ?? 0;
  }

  read(
    partition: number,
    limits: {from: number; recordsMax: number; bytesMax: number},
  ): Promise<LogRecord[]> {
    return this.#reader.read(partition, limits);
  }

  /** Encodes at once and resolves with each part's base offset when all are on the device. */
  append(parts: readonly PartitionAppend[]): Promise<bigint[]> {
    return this.#enqueue(parts, false);
  }

  #enqueue(parts: readonly PartitionAppend[], isSnapshot: boolean): Promise<bigint[]> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const bodies = parts.map(part => encodeBody(part.partition, part.records));
    const bytes = bodies.reduce((sum, body) => sum + body.bytes.length, 0);
    const tooLarge = bodies.find(body => body.bytes.length > FRAME_BYTES_MAX);
    if (tooLarge !== undefined) {
      const message = `an append of ${tooLarge.bytes.length} bytes to one partition exceeds ${FRAME_BYTES_MAX}: send fewer records at once`;
      return Promise.reject(new AssayError('ASSAY_DECODE_OVERSIZED', message));
    }
    if (this.#queueBytes > 0 && this.#queueBytes + bytes > QUEUE_BYTES_MAX) {
      const message = `${this.#queueBytes} bytes wait to be written to ${this.#options.directory}: append less at once or retry`;
      return Promise.reject(new AssayError('ASSAY_LOG_UNAVAILABLE', message));
    }
    this.#queueBytes += bytes;
    return new Promise((resolve, reject) => {
      this.#queue.push({bodies, bytes, isSnapshot, resolve, reject});
      this.#draining ??= this.#drain();
    });
  }

  /** Appends `snapshot` as the first thing of a new segment, then removes all segments before it. */
  async compact(snapshot: readonly PartitionAppend[]): Promise<void> {
    await this.#enqueue(snapshot, true);
  }

  async close(): Promise<void> {
    await this.#draining;
    this.#failure ??= new AssayError('ASSAY_LOG_UNAVAILABLE', 'the log is closed');
    await this.#head.sync().catch(() => undefined);
    await this.#active.close();
    await this.#head.close();
    await this.#reader.close();
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0) {
      const group = this.#takeGroup();
      try {
        if (this.#failure !== undefined) throw this.#failure;
        const isSnapshot = group[0]?.isSnapshot === true;
        if (isSnapshot || this.#isRollDue()) await this.#roll();
        await this.#expire().catch(error => this.#warn('retention failed', error));
        const bases = await this.#commit(group.flatMap(waiting => waiting.bodies));
        if (isSnapshot) await this.#removeBelow(this.#last().number);
        let at = 0;
        for (const {bodies, resolve} of group) {
          resolve(bases.slice(at, at + bodies.length));
          at += bodies.length;
        }
      } catch (error) {
        for (const {reject} of group) reject(error);
      }
    }
    this.#draining = undefined;
  }

  #takeGroup(): Waiting[] {
    let bytes = 0;
    let count = 0;
    for (const waiting of this.#queue) {
      if (count > 0 && (waiting.isSnapshot || bytes + waiting.bytes > GROUP_BYTES_MAX)) break;
      bytes += waiting.bytes;
      count++;
    }
    this.#queueBytes -= bytes;
    return this.#queue.splice(0, count);
  }

  /** One write, one sync, then the head; nothing in memory moves before all three are done. */
  async #commit(bodies: readonly FrameBody[]): Promise<bigint[]> {
    const segment = this.#last();
    const ends = [...this.#tip.ends];
    let {crc, nextFrame} = this.#tip;
    const headers: (FrameNote & {readonly bytes: number})[] = [];
    for (const body of bodies) {
      const place = {baseOffset: ends[body.partition] ?? 0, frameNumber: nextFrame, previousCrc: crc};
      crc = sealFrame(body, place);
      const {partition, records, timestampMax} = body;
      headers.push({...place, partition, records, timestampMax, bytes: body.bytes.length});
      ends[partition] = place.baseOffset + records;
      nextFrame++;
    }
    await this.#write(
      bodies.map(body => body.bytes),
      segment.length,
    );
    const length = segment.length + headers.reduce((sum, header) => sum + header.bytes, 0);
    await this.#writeHead({length, nextFrame, crc});
    for (const header of headers) segment.add(header, header.bytes);
    Object.assign(this.#tip, {crc, nextFrame});
    this.#tip.ends.splice(0, ends.length, ...ends);
    return headers.map(header => BigInt(header.baseOffset));
  }

  /** A failed write is cut off and may be tried again; after a failed sync nothing is known, so the log must be reopened. */
  async #write(buffers: readonly Uint8Array[], position: number): Promise<void> {
    try {
      await this.#active.write(buffers, position);
    } catch (error) {
      await this.#active.truncate(position).catch(again => this.#fail(again));
      throw error;
    }
    try {
      await this.#active.sync();
    } catch (error) {
      throw this.#fail(error);
    }
  }

  async #writeHead(moved: Partial<{length: number; nextFrame: number; crc: number}> = {}): Promise<void> {
    const {nextFrame, crc} = this.#tip;
    const first = this.#segments[0]?.number ?? 0;
    const {number, length} = this.#last();
    const {logEpoch} = this.#options;
    const head = {firstSegment: first, lastSegment: number, length, nextFrame, crc, logEpoch, ...moved};
    try {
      await this.#head.write(head);
    } catch (error) {
      // The frames are durable but not acknowledged; what the head holds is not known.
      throw this.#fail(error);
    }
  }

  #isRollDue(): boolean {
    const {retentionMs, clock, segmentBytesMax} = this.#options;
    const {length, timestampMin} = this.#last();
    if (length >= segmentBytesMax) return true;
    return retentionMs !== null && timestampMin + retentionMs / SEGMENTS_PER_RETENTION < clock.now();
  }

  async #roll(): Promise<void> {
    const number = this.#last().number + 1;
    const {segment, file} = await createSegment(this.#options, number, this.#tip);
    await this.#options.files.syncDirectory(this.#options.directory);
    const old = this.#active;
    this.#active = file;
    this.#segments.push(segment);
    await old.close();
    await this.#writeHead();
  }

  /** Removes whole segments whose newest record is older than the retention time; never the active one. */
  async #expire(): Promise<void> {
    const {retentionMs, clock} = this.#options;
    if (retentionMs === null) return;
    const horizon = clock.now() - retentionMs;
    const kept = this.#segments.findIndex(
      (segment, i) => i === this.#segments.length - 1 || segment.timestampMax >= horizon,
    );
    const keep = this.#segments[kept];
    if (kept > 0 && keep !== undefined) await this.#removeBelow(keep.number);
  }

  /** The head forgets them first, so that a missing file is never taken for retention. */
  async #removeBelow(number: number): Promise<void> {
    const kept = this.#segments.findIndex(segment => segment.number >= number);
    const removed = this.#segments.splice(0, kept);
    await this.#writeHead();
    await this.#head.sync();
    await this.#reader.forget(number);
    for (const segment of removed) await this.#options.files.remove(segment.path);
  }

  #last(): Segment {
    const last = this.#segments.at(-1);
    if (last === undefined) throw new Error('a topic has at least one segment');
    return last;
  }

  #fail(error: unknown): AssayError {
    const cause = error instanceof AssayError ? error.message : String(error);
    this.#failure ??= new AssayError(
      'ASSAY_LOG_UNAVAILABLE',
      `${cause}; the log takes no more until it is opened again`,
      {
        cause: error,
      },
    );
    return this.#failure;
  }

  #warn(message: string, error: unknown): void {
    this.#options.logger.warn(message, {directory: this.#options.directory, error: String(error)});
  }
}

async function createSegment(
  {directory, files, logEpoch}: TopicLogOptions,
  number: number,
  tip: Tip,
): Promise<{segment: Segment; file: LogFile}> {
  const path = pathIn(directory, segmentName(number));
  const header = {
    logEpoch,
    segment: number,
    firstFrame: tip.nextFrame,
    previousCrc: tip.crc,
    baseOffsets: [...tip.ends],
  };
  const file = await files.open(path, 'create');
  try {
    await file.write([encodeSegmentHeader(header)], 0);
    await file.sync();
  } catch (error) {
    await file.close();
    throw error;
  }
  return {segment: new Segment(path, header), file};
}
