import type {StoredTopic} from '../local/log-store.ts';
import {corrupt} from './corrupt.ts';
import {crc32} from './crc32.ts';
import {type LogFiles, pathIn} from './log-files.ts';

/**
 * Which topics there are: one JSON line and its crc32 in hex, replaced as a whole.
 * A topic exists from the moment it stands here; its folder is made before.
 */
export class Registry {
  readonly #files: LogFiles;
  readonly #path: string;
  #topics: readonly StoredTopic[];

  private constructor(files: LogFiles, path: string, topics: readonly StoredTopic[]) {
    this.#files = files;
    this.#path = path;
    this.#topics = topics;
  }

  static async open(files: LogFiles, directory: string): Promise<Registry> {
    const path = pathIn(directory, 'topics.json');
    const bytes = await files.readWhole(path);
    if (bytes !== undefined) return new Registry(files, path, parse(path, bytes));
    const leftovers = await files.list(pathIn(directory, 'topics'));
    if (leftovers.some(name => name !== COMMITS_FOLDER)) {
      throw corrupt(path, 0, 'the file is missing although there are topics');
    }
    // From here on the file is always there, so that its loss is seen.
    const registry = new Registry(files, path, []);
    await registry.#write([]);
    return registry;
  }

  get topics(): readonly StoredTopic[] {
    return this.#topics;
  }

  async put(topic: StoredTopic): Promise<void> {
    const {topic: name, partitions, clock, retentionMs, logEpoch} = topic;
    const plain: StoredTopic = {topic: name, partitions, clock, retentionMs, logEpoch};
    const topics = [...this.#topics.filter(other => other.topic !== name), plain];
    await this.#write(topics);
  }

  async #write(topics: readonly StoredTopic[]): Promise<void> {
    const line = JSON.stringify({format: 1, topics});
    await this.#files.replace(this.#path, Buffer.from(`${line}\n${crcText(line)}\n`));
    this.#topics = topics;
  }
}

/** `@` is in no topic name. */
export const folderOf = (topic: string, logEpoch: number): string => `${topic}@${logEpoch}`;
export const COMMITS_FOLDER = '@commits';

const crcText = (line: string): string => crc32(Buffer.from(line)).toString(16).padStart(8, '0');

function parse(path: string, bytes: Buffer): readonly StoredTopic[] {
  const text = bytes.toString('latin1') === bytes.toString('utf8') ? bytes.toString('utf8') : '';
  const [line = '', crc = ''] = text.split('\n');
  if (text !== `${line}\n${crc}\n` || crc !== crcText(line))
    throw corrupt(path, 0, 'the list of topics fails its checksum');
  const {format, topics} = JSON.parse(line) as {format: number; topics: readonly StoredTopic[]};
  if (format !== 1) throw corrupt(path, 0, `format ${format} is of a later version of Assay`);
  return topics;
}
