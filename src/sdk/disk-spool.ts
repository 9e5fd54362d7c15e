import {mkdirSync, readdirSync, renameSync, statSync, writeFileSync} from 'node:fs';
import {readFile, rename, rm, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import type {QueuedEvent} from './transport.ts';
import {fromWire, toWire} from './wire-event.ts';

/** A file of the spool: its events, and how many of its lines could not be read. */
export type SpooledBatch = {readonly file: string; readonly events: QueuedEvent[]; readonly damaged: number};

export type DiskSpoolOptions = {
  readonly directory: string;
  readonly bytesMax: number;
  /** Part of the file names; differs between processes that share a directory. */
  readonly owner: string;
};

/**
 * Undelivered events as files of a folder, oldest first, bounded in bytes. A file
 * appears whole (written under another name, then renamed) and is removed once its
 * events are durable elsewhere; what a process that died left behind, the next one
 * with the same folder delivers. Processes may share a folder: an event delivered
 * twice counts once.
 */
export class DiskSpool {
  readonly #options: DiskSpoolOptions;
  readonly #files: {readonly name: string; readonly bytes: number}[];
  #bytes: number;
  #sequence = 0;

  /** @throws Error when the folder cannot be made or read. */
  constructor(options: DiskSpoolOptions) {
    this.#options = options;
    mkdirSync(options.directory, {recursive: true});
    const names = readdirSync(options.directory).filter(name => name.endsWith(SUFFIX)).sort();
    this.#files = names.map(name => ({name, bytes: statSync(this.#path(name)).size}));
    this.#bytes = this.#files.reduce((sum, {bytes}) => sum + bytes, 0);
  }

  get bytes(): number {
    return this.#bytes;
  }

  get isEmpty(): boolean {
    return this.#files.length === 0;
  }

  /** False when the spool is full; nothing is written then. Rejects when the disk refuses. */
  async write(events: readonly QueuedEvent[], now: number): Promise<boolean> {
    const text = linesOf(events);
    const name = this.#admit(text, now);
    if (name === undefined) return false;
    await writeFile(this.#path(`${name}.part`), text);
    await rename(this.#path(`${name}.part`), this.#path(name));
    this.#add(name, text);
    return true;
  }

  /** The same at once, for a process that is about to end. */
  writeNow(events: readonly QueuedEvent[], now: number): boolean {
    const text = linesOf(events);
    const name = this.#admit(text, now);
    if (name === undefined) return false;
    writeFileSync(this.#path(`${name}.part`), text);
    renameSync(this.#path(`${name}.part`), this.#path(name));
    this.#add(name, text);
    return true;
  }

  /** The oldest file; undefined when there is none. */
  async read(): Promise<SpooledBatch | undefined> {
    for (let oldest = this.#files[0]; oldest !== undefined; oldest = this.#files[0]) {
      const text = await readFile(this.#path(oldest.name), 'utf8').catch(() => undefined);
      if (text !== undefined) return {file: oldest.name, ...eventsOf(text)};
      // Another process that shares the folder delivered it.
      this.#forget(oldest.name);
    }
    return undefined;
  }

  async remove(file: string): Promise<void> {
    // Forgotten also when the disk refuses: the next process delivers it again, which counts once.
    this.#forget(file);
    await rm(this.#path(file), {force: true});
  }

  /** A name that sorts by time; undefined when the text does not fit any more. */
  #admit(text: string, now: number): string | undefined {
    if (this.#bytes + text.length > this.#options.bytesMax) return undefined;
    this.#sequence += 1;
    return `${String(now).padStart(14, '0')}-${String(this.#sequence).padStart(8, '0')}-${this.#options.owner}${SUFFIX}`;
  }

  #add(name: string, text: string): void {
    const bytes = Buffer.byteLength(text);
    this.#files.push({name, bytes});
    this.#bytes += bytes;
  }

  #forget(name: string): void {
    const index = this.#files.findIndex(file => file.name === name);
    const [file] = index < 0 ? [] : this.#files.splice(index, 1);
    this.#bytes -= file?.bytes ?? 0;
  }

  #path(name: string): string {
    return join(this.#options.directory, name);
  }
}

const SUFFIX = '.ndjson';

const linesOf = (events: readonly QueuedEvent[]): string =>
  events.map(({event, headers}) => `${JSON.stringify({event: toWire(event), headers})}\n`).join('');

function eventsOf(text: string): {events: QueuedEvent[]; damaged: number} {
  const events: QueuedEvent[] = [];
  let damaged = 0;
  for (const line of text.split('\n')) {
    if (line === '') continue;
    try {
      const {event, headers} = JSON.parse(line) as {event: Record<string, unknown>; headers: Record<string, string>};
      events.push({event: fromWire(event), headers});
    } catch {
      damaged += 1;
    }
  }
  return {events, damaged};
}
