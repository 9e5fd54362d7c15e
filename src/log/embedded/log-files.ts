import {constants, type PathLike} from 'node:fs';
import {type FileHandle, mkdir, open, readdir, readFile, rename, rm} from 'node:fs/promises';
import {dirname, join} from 'node:path';
import {AssayError, messageOf} from '../../core/errors.ts';

/** One file, addressed by position. Every failure is an ASSAY_LOG_UNAVAILABLE that names path and cause. */
export interface LogFile {
  readonly path: string;
  /** Writes all of it. What a failed write leaves behind is undefined. */
  write(buffers: readonly Uint8Array[], position: number): Promise<void>;
  /** Fewer bytes than asked for at the end of the file. */
  read(position: number, length: number): Promise<Buffer>;
  size(): Promise<number>;
  truncate(size: number): Promise<void>;
  /** Content and size are on the device. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** The file system as the embedded log sees it; a test puts its faults here. */
export interface LogFiles {
  open(path: string, mode: 'create' | 'existing'): Promise<LogFile>;
  /** undefined: no such file. */
  readWhole(path: string): Promise<Buffer | undefined>;
  /** Puts the file there, whole and synced, or leaves the old one. */
  replace(path: string, bytes: Uint8Array): Promise<void>;
  makeDirectory(path: string): Promise<void>;
  /** Names in the directory, sorted; [] when there is none. */
  list(path: string): Promise<string[]>;
  remove(path: string): Promise<void>;
  /** Names created or removed in it are on the device. */
  syncDirectory(path: string): Promise<void>;
}

export const NODE_FILES: LogFiles = {
  open: (path, mode) =>
    guarded('open', path, async () => new NodeFile(path, await open(path, flagsOf(mode)))),
  readWhole: path => guarded('read', path, () => readFile(path).catch(undefinedWhenMissing)),
  replace: (path, bytes) =>
    guarded('write', path, async () => {
      const temporary = `${path}.new`;
      const file = await open(temporary, 'w');
      try {
        await file.writeFile(bytes);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, path);
      await syncDirectory(dirname(path));
    }),
  makeDirectory: path =>
    guarded('create', path, async () => {
      await mkdir(path, {recursive: true});
      await syncDirectory(dirname(path));
    }),
  list: path =>
    guarded('list', path, async () => ((await readdir(path).catch(undefinedWhenMissing)) ?? []).sort()),
  remove: path => guarded('remove', path, () => rm(path, {recursive: true, force: true})),
  syncDirectory: path => guarded('sync', path, () => syncDirectory(path)),
};

export const pathIn = (directory: string, ...names: string[]): string => join(directory, ...names);

const flagsOf = (mode: 'create' | 'existing'): number =>
  mode === 'create' ? constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC : constants.O_RDWR;

class NodeFile implements LogFile {
  readonly path: string;
  readonly #handle: FileHandle;

  constructor(path: string, handle: FileHandle) {
    this.path = path;
    this.#handle = handle;
  }

  write(buffers: readonly Uint8Array[], position: number): Promise<void> {
    return guarded('write', this.path, async () => {
      const whole = buffers.length === 1 && buffers[0] !== undefined ? buffers[0] : Buffer.concat(buffers);
      let done = 0;
      while (done < whole.length) {
        const {bytesWritten} = await this.#handle.write(whole, done, whole.length - done, position + done);
        if (bytesWritten === 0) throw new Error('the device takes no more bytes');
        done += bytesWritten;
      }
    });
  }

  read(position: number, length: number): Promise<Buffer> {
    return guarded('read', this.path, async () => {
      const buffer = Buffer.allocUnsafeSlow(length);
      let done = 0;
      while (done < length) {
        const {bytesRead} = await this.#handle.read(buffer, done, length - done, position + done);
        if (bytesRead === 0) break;
        done += bytesRead;
      }
      return buffer.subarray(0, done);
    });
  }

  size(): Promise<number> {
    return guarded('read', this.path, async () => (await this.#handle.stat()).size);
  }

  truncate(size: number): Promise<void> {
    return guarded('truncate', this.path, () => this.#handle.truncate(size));
  }

  sync(): Promise<void> {
    return guarded('sync', this.path, () => this.#handle.datasync());
  }

  close(): Promise<void> {
    return guarded('close', this.path, () => this.#handle.close());
  }
}

async function syncDirectory(path: PathLike): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

const FIXES: Readonly<Record<string, string>> = {
  ENOSPC: 'free space on the device',
  EDQUOT: 'raise the quota or free space',
  EROFS: 'mount the file system for writing',
  EACCES: 'give this user access to the data directory',
  EPERM: 'give this user access to the data directory',
  EMFILE: 'raise the limit of open files (ulimit -n)',
  EFBIG: 'raise the limit of file sizes (ulimit -f)',
  EIO: 'check the device',
};

async function guarded<T>(act: string, path: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    const fix = FIXES[codeOf(error)];
    throw new AssayError(
      'ASSAY_LOG_UNAVAILABLE',
      `cannot ${act} ${path}: ${messageOf(error)}${fix === undefined ? '' : `; ${fix}`}`,
      {cause: error},
    );
  }
}

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';

function undefinedWhenMissing(error: unknown): undefined {
  if (codeOf(error) !== 'ENOENT') throw error;
  return undefined;
}
