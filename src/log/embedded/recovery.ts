import type {Logger} from '../../core/telemetry.ts';
import {corrupt} from './corrupt.ts';
import {badRecordIn, FRAME_HEADER_BYTES, type FrameHeader, hasGoodHeader, parseHeader} from './frame.ts';
import type {Head} from './head.ts';
import {type LogFile, type LogFiles, pathIn} from './log-files.ts';
import {parseSegmentHeader, Segment, segmentHeaderBytes, segmentName} from './segment.ts';

const WINDOW_BYTES = 1024 * 1024;

/** Where the next frame goes. */
export type Tip = {nextFrame: number; crc: number; readonly ends: number[]};

export type RecoverOptions = {
  readonly directory: string;
  readonly files: LogFiles;
  readonly logger: Logger;
  readonly head: Head;
  readonly partitions: number;
};

export type Recovered = {readonly segments: Segment[]; readonly tip: Tip};

/**
 * Walks every frame from the first segment on, and checks that each follows from
 * the one before: number, offset and chained crc. What lies below the head was
 * acknowledged, so anything wrong there is refused. What lies behind it was not:
 * whole frames are kept, the first torn one and all after it are cut off.
 *
 * Records' own bytes are checked here for the head's segment and later ones, and
 * for all others when they are read.
 */
export async function recover(options: RecoverOptions): Promise<Recovered> {
  const {directory, files, head} = options;
  const numbers = await segmentNumbers(options);
  const tip: Tip = {nextFrame: -1, crc: 0, ends: []};
  const segments: Segment[] = [];
  for (const number of numbers) {
    const path = pathIn(directory, segmentName(number));
    const isLast = number === numbers.at(-1);
    const file = await files.open(path, 'existing');
    try {
      const segment = await recoverSegment(file, {options, number, isLast, tip});
      if (segment !== undefined) segments.push(segment);
      else await files.remove(path);
    } finally {
      await file.close();
    }
  }
  if (head.lastSegment > (numbers.at(-1) ?? -1)) {
    throw corrupt(pathIn(directory, segmentName(head.lastSegment)), 0, 'the segment is missing');
  }
  return {segments, tip};
}

/** The numbers from the head's first segment on, without a hole; older files are what retention left. */
async function segmentNumbers({directory, files, head}: RecoverOptions): Promise<number[]> {
  const numbers = (await files.list(directory))
    .filter(name => /^\d{12}\.segment$/.test(name))
    .map(name => Number.parseInt(name, 10));
  for (const old of numbers.filter(number => number < head.firstSegment)) {
    await files.remove(pathIn(directory, segmentName(old)));
  }
  const kept = numbers.filter(number => number >= head.firstSegment);
  for (let i = 0; i < Math.max(kept.length, 1); i++) {
    const expected = head.firstSegment + i;
    if (kept[i] !== expected)
      throw corrupt(pathIn(directory, segmentName(expected)), 0, 'the segment is missing');
  }
  return kept;
}

type SegmentTask = {
  readonly options: RecoverOptions;
  readonly number: number;
  readonly isLast: boolean;
  readonly tip: Tip;
};

/** undefined: the file was being created when the process died and holds nothing. */
async function recoverSegment(file: LogFile, task: SegmentTask): Promise<Segment | undefined> {
  const {options, number, isLast, tip} = task;
  const {head, partitions, logger} = options;
  const size = await file.size();
  const header = parseSegmentHeader(await file.read(0, segmentHeaderBytes(partitions)), partitions);
  if (header === undefined || header.segment !== number || header.logEpoch !== head.logEpoch) {
    if (number > head.lastSegment && isLast) return undefined;
    throw corrupt(file.path, 0, 'the segment header fails its checksum');
  }
  if (tip.nextFrame === -1) {
    tip.nextFrame = header.firstFrame;
    tip.crc = header.previousCrc;
    tip.ends.push(...header.baseOffsets);
  }
  const isNext =
    header.firstFrame === tip.nextFrame &&
    header.previousCrc === tip.crc &&
    header.baseOffsets.every((offset, partition) => offset === tip.ends[partition]);
  if (!isNext) throw corrupt(file.path, 0, 'the segment does not follow from the one before it');

  const segment = new Segment(file.path, header);
  const problem = await walk(file, size, segment, task);
  if (number === head.lastSegment && segment.length < head.length) {
    throw corrupt(file.path, segment.length, problem ?? `${head.length - segment.length} bytes are missing`);
  }
  if (problem === undefined) return segment;
  if (number < head.lastSegment || !isLast) throw corrupt(file.path, segment.length, problem);
  logger.warn('unacknowledged end of the log cut off', {
    path: file.path,
    position: segment.length,
    bytes: size - segment.length,
    problem,
  });
  await file.truncate(segment.length);
  await file.sync();
  return segment;
}

/** Adds the good frames to the segment; returns what is wrong with the first other one. */
async function walk(
  file: LogFile,
  size: number,
  segment: Segment,
  task: SegmentTask,
): Promise<string | undefined> {
  const {options, number, tip} = task;
  const {head} = options;
  const checksRecords = number >= head.lastSegment;
  let window: Buffer = Buffer.alloc(0);
  let windowAt = segment.length;
  for (;;) {
    if (number === head.lastSegment && segment.length === head.length) checkHead(file.path, head, tip);
    if (segment.length === size) return undefined;
    let at = segment.length - windowAt;
    let header = parseHeader(window, at);
    if (header === undefined || at + header.bytes > window.length) {
      windowAt = segment.length;
      at = 0;
      window = await file.read(
        windowAt,
        Math.min(size - windowAt, Math.max(WINDOW_BYTES, header?.bytes ?? 0)),
      );
      header = parseHeader(window, 0);
      if (header !== undefined && header.bytes > window.length && windowAt + header.bytes <= size) {
        window = await file.read(windowAt, header.bytes);
      }
    }
    const problem = problemOf(window, at, header, tip);
    if (problem !== undefined || header === undefined) return problem;
    if (checksRecords) {
      const bad = badRecordIn(window, at, header);
      if (bad >= 0)
        return `the record at offset ${header.baseOffset + bad} of partition ${header.partition} fails its checksum`;
    }
    if (
      number === head.lastSegment &&
      segment.length < head.length &&
      segment.length + header.bytes > head.length
    ) {
      return 'the acknowledged end lies inside a frame';
    }
    segment.add(header, header.bytes);
    tip.nextFrame++;
    tip.crc = header.crc;
    tip.ends[header.partition] = header.baseOffset + header.records;
  }
}

function problemOf(
  window: Buffer,
  at: number,
  header: FrameHeader | undefined,
  tip: Tip,
): string | undefined {
  if (header === undefined) {
    return window.length - at < FRAME_HEADER_BYTES
      ? 'a frame ends within its header'
      : 'this is no frame header';
  }
  if (at + header.bytes > window.length) return 'a frame reaches beyond the end of the file';
  if (!hasGoodHeader(window, at, header)) return 'a frame header fails its checksum';
  if (header.previousCrc !== tip.crc || header.frameNumber !== tip.nextFrame)
    return 'a frame does not follow from the one before it';
  if (header.baseOffset !== tip.ends[header.partition]) return 'a frame has the wrong offset';
  return undefined;
}

function checkHead(path: string, head: Head, tip: Tip): void {
  if (head.nextFrame === tip.nextFrame && head.crc === tip.crc) return;
  throw corrupt(path, head.length, 'the last acknowledged frame is another one than was written');
}
