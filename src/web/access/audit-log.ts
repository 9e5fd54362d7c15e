import {appendFileSync, existsSync, mkdirSync, readFileSync, renameSync, statSync} from 'node:fs';
import {dirname} from 'node:path';
import {messageOf} from '../../core/errors.ts';
import {type Logger, SILENT_LOGGER} from '../../core/telemetry.ts';

/** Who did what, and how it went. Never a secret, never a body. */
export type AuditEntry = {
  /** ISO 8601. */
  readonly at: string;
  /** Name of the key; `local` without keys, '' when nobody was recognised. */
  readonly actor: string;
  readonly key_id: string | null;
  readonly role: string | null;
  /** `POST /v1/experiments/:experiment/pause`, `SQL`, `keys add`, … */
  readonly action: string;
  readonly target: string;
  /** HTTP status; null for the command line. */
  readonly status: number | null;
  readonly address: string;
  readonly detail: string;
};

/** Two files of this size are kept; an entry has about 300 bytes. */
const FILE_BYTES_MAX = 16 * 1024 * 1024;
const TEXT_CHARS_MAX = 2_000;

/** One JSON object a line, appended; a full file becomes `<file>.1`. */
export class AuditLog {
  readonly #file: string;
  readonly #logger: Logger;

  constructor(file: string, logger: Logger = SILENT_LOGGER) {
    this.#file = file;
    this.#logger = logger;
  }

  write(entry: AuditEntry): void {
    const short = {...entry, target: cut(entry.target), detail: cut(entry.detail)};
    this.#logger.info('access recorded', short);
    try {
      mkdirSync(dirname(this.#file), {recursive: true});
      if ((statSync(this.#file, {throwIfNoEntry: false})?.size ?? 0) > FILE_BYTES_MAX) renameSync(this.#file, `${this.#file}.1`);
      appendFileSync(this.#file, `${JSON.stringify(short)}\n`, {mode: 0o600});
    } catch (error) {
      // A full disk must not stop the work; the entry is in the process's log.
      this.#logger.error('audit entry not written', {error: messageOf(error)});
    }
  }

  /** The newest entries first; of no later than `through`, beyond the first `skip` of them. */
  read(limit: number, {through, skip = 0}: {readonly through?: string; readonly skip?: number} = {}): AuditEntry[] {
    const lines = [`${this.#file}.1`, this.#file].flatMap(file => (existsSync(file) ? readFileSync(file, 'utf8').split('\n') : []));
    const entries: AuditEntry[] = [];
    for (let index = lines.length - 1; index >= 0 && entries.length < skip + limit; index -= 1) {
      const entry = parseLine(lines[index] ?? '');
      if (entry !== null && (through === undefined || entry.at <= through)) entries.push(entry);
    }
    return entries.slice(skip);
  }
}

/** A line torn by a crash is passed over. */
function parseLine(line: string): AuditEntry | null {
  if (line === '') return null;
  try {
    return JSON.parse(line) as AuditEntry;
  } catch {
    return null;
  }
}

const cut = (text: string): string => (text.length > TEXT_CHARS_MAX ? `${text.slice(0, TEXT_CHARS_MAX)}…` : text);
