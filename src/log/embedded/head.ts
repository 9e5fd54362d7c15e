import {corrupt} from './corrupt.ts';
import {crc32} from './crc32.ts';
import {type LogFile, type LogFiles, pathIn} from './log-files.ts';

/**
 * What was acknowledged last, in a file of its own, so that a shortened segment
 * is told from a torn one. Two slots, 512 bytes apart, are written in turn; of
 * those with a good crc the later generation holds. Little-endian:
 *
 *      0 u32 magic   4 u32 crc of bytes 8…56   8 f64 generation
 *     16 f64 first segment   24 f64 last segment   32 f64 bytes of the last segment
 *     40 f64 next frame number   48 u32 crc of the last frame   52 u32 log epoch
 */
export type Head = {
  readonly firstSegment: number;
  readonly lastSegment: number;
  readonly length: number;
  readonly nextFrame: number;
  readonly crc: number;
  readonly logEpoch: number;
};

const MAGIC = 0x31445948;
const SLOT_BYTES = 56;
const SLOT_EVERY_BYTES = 512;

export class HeadFile {
  readonly #file: LogFile;
  #generation: number;
  #head: Head;

  private constructor(file: LogFile, head: Head, generation: number) {
    this.#file = file;
    this.#head = head;
    this.#generation = generation;
  }

  static async create(files: LogFiles, directory: string, head: Head): Promise<HeadFile> {
    const made = new HeadFile(await files.open(pathIn(directory, 'head'), 'create'), head, 0);
    await made.write(head);
    await made.write(head);
    await made.sync();
    return made;
  }

  static async open(files: LogFiles, directory: string): Promise<HeadFile> {
    const path = pathIn(directory, 'head');
    const bytes = await files.readWhole(path);
    if (bytes === undefined) throw corrupt(path, 0, 'the file is missing');
    const slots = [parseSlot(bytes, 0), parseSlot(bytes, SLOT_EVERY_BYTES)].filter(
      slot => slot !== undefined,
    );
    const [newest] = slots.sort((a, b) => b.generation - a.generation);
    if (newest === undefined) throw corrupt(path, 0, 'neither slot has a good checksum');
    return new HeadFile(await files.open(path, 'existing'), newest.head, newest.generation);
  }

  get head(): Head {
    return this.#head;
  }

  /**
   * Not synced: after a power failure an older head is found, and the frames
   * behind it, which were synced, prove themselves by their chain.
   */
  async write(head: Head): Promise<void> {
    const generation = this.#generation + 1;
    await this.#file.write([encodeSlot(head, generation)], (generation % 2) * SLOT_EVERY_BYTES);
    this.#generation = generation;
    this.#head = head;
  }

  async sync(): Promise<void> {
    await this.#file.sync();
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

function encodeSlot(head: Head, generation: number): Buffer {
  const bytes = Buffer.alloc(SLOT_BYTES);
  bytes.writeUInt32LE(MAGIC, 0);
  bytes.writeDoubleLE(generation, 8);
  bytes.writeDoubleLE(head.firstSegment, 16);
  bytes.writeDoubleLE(head.lastSegment, 24);
  bytes.writeDoubleLE(head.length, 32);
  bytes.writeDoubleLE(head.nextFrame, 40);
  bytes.writeUInt32LE(head.crc, 48);
  bytes.writeUInt32LE(head.logEpoch, 52);
  bytes.writeUInt32LE(crc32(bytes.subarray(8)), 4);
  return bytes;
}

function parseSlot(file: Buffer, at: number): {readonly head: Head; readonly generation: number} | undefined {
  const bytes = file.subarray(at, at + SLOT_BYTES);
  if (bytes.length < SLOT_BYTES || bytes.readUInt32LE(0) !== MAGIC) return undefined;
  if (crc32(bytes.subarray(8)) !== bytes.readUInt32LE(4)) return undefined;
  return {
    generation: bytes.readDoubleLE(8),
    head: {
      firstSegment: bytes.readDoubleLE(16),
      lastSegment: bytes.readDoubleLE(24),
      length: bytes.readDoubleLE(32),
      nextFrame: bytes.readDoubleLE(40),
      crc: bytes.readUInt32LE(48),
      logEpoch: bytes.readUInt32LE(52),
    },
  };
}
