import {closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {dirname} from 'node:path';
import {z} from 'zod';
import type {Clock} from '../../core/clock.ts';
import {AssayError, messageOf} from '../../core/errors.ts';
import {type Logger, SILENT_LOGGER} from '../../core/telemetry.ts';
import type {EpochMs} from '../../core/units.ts';
import {type ApiKey, findKey} from './api-keys.ts';
import {ROLES} from './roles.ts';

const FILE = z.strictObject({
  version: z.literal(1),
  keys: z.array(
    z.strictObject({
      id: z.string().regex(/^[a-z0-9]{8}$/),
      name: z.string().min(1),
      role: z.enum(ROLES),
      requestsPerSecond: z.number().positive().nullable(),
      createdAt: z.iso.datetime(),
      revokedAt: z.iso.datetime().nullable(),
      secrets: z.array(z.strictObject({hash: z.string().regex(/^[0-9a-f]{64}$/), createdAt: z.iso.datetime(), expiresAt: z.iso.datetime().nullable()})),
    }),
  ),
});

/** A process that died while it wrote leaves its lock; an edit takes milliseconds. */
const LOCK_STALE_MS = 10_000;
const LOCK_TRIES_MAX = 50;

/** @throws AssayError ASSAY_CONFIG_INVALID when there is a file that is not one of ours. */
export function readKeyFile(file: string): ApiKey[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw broken(file, messageOf(error), error);
  }
  try {
    const parsed = FILE.safeParse(JSON.parse(text));
    if (parsed.success) return parsed.data.keys;
    const [issue] = parsed.error.issues;
    throw new Error(`${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'malformed'}`);
  } catch (error) {
    throw broken(file, messageOf(error), error);
  }
}

const broken = (file: string, why: string, cause: unknown): AssayError =>
  new AssayError('ASSAY_CONFIG_INVALID', `the file of API keys ${file} cannot be read (${why}); repair it from a backup, or delete it and make new keys with \`assay keys add\``, {cause});

/** Changes the file under a lock: whole or not at all, readable by its owner alone. */
export async function editKeyFile<T>(file: string, edit: (keys: ApiKey[]) => {readonly keys: readonly ApiKey[]; readonly result: T}, clock: Clock): Promise<T> {
  mkdirSync(dirname(file), {recursive: true});
  const lock = `${file}.lock`;
  await takeLock(lock, clock);
  try {
    const {keys, result} = edit(readKeyFile(file));
    const text = `${JSON.stringify(FILE.parse({version: 1, keys}), null, 2)}\n`;
    writeFileSync(`${file}.new`, text, {mode: 0o600});
    renameSync(`${file}.new`, file);
    return result;
  } finally {
    rmSync(lock, {force: true});
  }
}

async function takeLock(lock: string, clock: Clock): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      closeSync(openSync(lock, 'wx', 0o600));
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw broken(lock, messageOf(error), error);
      if (existsSync(lock) && clock.now() - statSync(lock).mtimeMs > LOCK_STALE_MS) rmSync(lock, {force: true});
      else if (tries >= LOCK_TRIES_MAX) throw new AssayError('ASSAY_CONFIG_INVALID', `${lock} is held by another process; try again`);
      else await clock.sleep(50);
    }
  }
}

/** How stale a server's view of its keys may be: a revoked key is refused after this. */
const RELOAD_EVERY_MS = 500;

/**
 * The keys of a running server, read again when their file changes. A file that
 * cannot be read any more changes nothing: the last good keys stay in force.
 */
export class KeyRing {
  readonly #file: string;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #keys: ReadonlyMap<string, ApiKey>;
  #stamp: string;
  #checkedAt: number;
  #wasEverLocked: boolean;

  /** @throws AssayError ASSAY_CONFIG_INVALID */
  constructor(options: {readonly file: string; readonly clock: Clock; readonly logger?: Logger}) {
    this.#file = options.file;
    this.#clock = options.clock;
    this.#logger = options.logger ?? SILENT_LOGGER;
    this.#stamp = stampOf(this.#file);
    this.#keys = byId(readKeyFile(this.#file));
    this.#checkedAt = this.#clock.now();
    this.#wasEverLocked = this.#keys.size > 0;
  }

  /** Whether requests need a key. Once there was one they do, revoked or not, until the server starts anew. */
  get isLocked(): boolean {
    this.#reload();
    return this.#wasEverLocked;
  }

  find(text: string): ApiKey | undefined {
    this.#reload();
    return findKey(text, this.#keys, this.#clock.now());
  }

  byId(id: string): ApiKey | undefined {
    this.#reload();
    return this.#keys.get(id);
  }

  now(): EpochMs {
    return this.#clock.now();
  }

  #reload(): void {
    const now = this.#clock.now();
    if (now - this.#checkedAt < RELOAD_EVERY_MS) return;
    this.#checkedAt = now;
    const stamp = stampOf(this.#file);
    if (stamp === this.#stamp) return;
    try {
      this.#keys = byId(readKeyFile(this.#file));
      this.#stamp = stamp;
      this.#wasEverLocked ||= this.#keys.size > 0;
      this.#logger.info('API keys read', {keys: this.#keys.size});
    } catch (error) {
      this.#logger.error('API keys unreadable', {error: messageOf(error)});
    }
  }
}

const byId = (keys: readonly ApiKey[]): ReadonlyMap<string, ApiKey> => new Map(keys.map(key => [key.id, key]));

function stampOf(file: string): string {
  const stats = statSync(file, {throwIfNoEntry: false});
  return stats === undefined ? '' : `${stats.mtimeMs}:${stats.size}:${stats.ino}`;
}
