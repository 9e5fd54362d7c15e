import {createHash, randomBytes, timingSafeEqual} from 'node:crypto';
import {existsSync, mkdirSync, readFileSync, realpathSync, renameSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse} from 'node:http';
import {createServer as createNetServer, type Server as NetServer} from 'node:net';
import type {AddressInfo} from 'node:net';
import {dirname, join, resolve} from 'node:path';
import {AssayError, messageOf} from '../core/errors.ts';

/**
 * A data directory has one owner. The owner holds a lock that dies with its
 * process and serves a loopback port, whose number and token stand in
 * `owner.json`; other commands go through that port.
 *
 *     acquire ──► owner: lock held ─► owner.json written ─► commands served ─► close
 *        └─ lock taken ──► read owner.json ──► forward the command
 *
 * The lock is a listening local socket named after the directory's real path. On
 * Linux it lives in the abstract namespace, so the kernel frees it when the
 * process dies in any way; elsewhere it is a file, taken over only when nobody answers.
 */
export type OwnerInfo = {
  readonly pid: number;
  readonly role: string;
  readonly port: number;
  readonly token: string;
};

/** One forwarded command: what to run, where to write, and how it ended. */
export type CommandRunner = (request: {
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  readonly signal: AbortSignal;
}) => Promise<number>;

const OWNER_FILE = 'owner.json';
/** A forwarded command line; generous, yet a stranger cannot fill the memory. */
const COMMAND_BYTES_MAX = 1024 * 1024;
/** An empty frame this often: fetch gives up on a body that is silent for five minutes. */
const HEARTBEAT_MS = 15_000;

export class DataOwner {
  readonly directory: string;
  readonly #lock: NetServer;
  readonly #role: string;
  #server: Server | undefined;
  readonly #running = new Set<Promise<void>>();

  private constructor(directory: string, lock: NetServer, role: string) {
    this.directory = directory;
    this.#lock = lock;
    this.#role = role;
  }

  /**
   * Takes the directory, making it when it is missing.
   * @returns undefined when another process owns it.
   * @throws AssayError ASSAY_DATA_DIR_INVALID when it cannot be a directory of ours.
   */
  static async acquire(directory: string, role: string): Promise<DataOwner | undefined> {
    const real = makeDirectory(directory);
    const lock = await takeLock(real);
    return lock === undefined ? undefined : new DataOwner(real, lock, role);
  }

  /** Starts to serve other commands; they are refused before this. */
  async serve(run: CommandRunner, heartbeatMs = HEARTBEAT_MS): Promise<void> {
    const token = randomBytes(24).toString('hex');
    const server = createHttpServer((request, response) => {
      const work = this.#answer({request, response, token, run, heartbeatMs}).finally(() => this.#running.delete(work));
      this.#running.add(work);
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, '127.0.0.1', resolve);
    });
    this.#server = server;
    const info: OwnerInfo = {pid: process.pid, role: this.#role, port: (server.address() as AddressInfo).port, token};
    const file = join(this.directory, OWNER_FILE);
    writeFileSync(`${file}.new`, `${JSON.stringify(info)}\n`, {mode: 0o600});
    renameSync(`${file}.new`, file);
  }

  /** Waits for commands under way, then frees the directory. */
  async close(): Promise<void> {
    rmSync(join(this.directory, OWNER_FILE), {force: true});
    const server = this.#server;
    if (server !== undefined) {
      const closed = new Promise<void>(resolve => server.close(() => resolve()));
      await Promise.allSettled([...this.#running]);
      server.closeAllConnections();
      await closed;
    }
    await new Promise<void>(resolve => this.#lock.close(() => resolve()));
  }

  async #answer({request, response, token, run, heartbeatMs}: AnswerOptions): Promise<void> {
    let heartbeat: NodeJS.Timeout | undefined;
    try {
      if (!isAuthorised(request, token)) return end(response, 401, 'the token of owner.json is missing or wrong');
      if (request.method !== 'POST' || request.url !== '/command') return end(response, 404, 'only POST /command is here');
      const {argv, cwd} = JSON.parse(await readBody(request)) as {argv: string[]; cwd: string};
      const aborter = new AbortController();
      response.on('close', () => aborter.abort());
      response.writeHead(200, {'content-type': 'application/x-ndjson'});
      const frame = (value: object): void => {
        if (!response.writableEnded) response.write(`${JSON.stringify(value)}\n`);
      };
      response.flushHeaders();
      heartbeat = setInterval(() => frame({}), heartbeatMs);
      const code = await run({argv, cwd, signal: aborter.signal, out: out => frame({out}), err: err => frame({err})});
      response.end(`${JSON.stringify({exit: code})}\n`);
    } catch (error) {
      if (response.headersSent) response.end(`${JSON.stringify({err: `${messageOf(error)}\n`})}\n${JSON.stringify({exit: 1})}\n`);
      else end(response, 400, messageOf(error));
    } finally {
      clearInterval(heartbeat);
    }
  }
}

type AnswerOptions = {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly token: string;
  readonly run: CommandRunner;
  readonly heartbeatMs: number;
};

/** Who owns the directory; undefined when its owner has not said so yet or is gone. */
export function readOwner(directory: string): OwnerInfo | undefined {
  try {
    return JSON.parse(readFileSync(join(directory, OWNER_FILE), 'utf8')) as OwnerInfo;
  } catch {
    return undefined;
  }
}

/** The owner went away before it answered: the caller may take the directory itself. */
export class OwnerGoneError extends Error {
  override readonly name = 'OwnerGoneError';
}

/** Has the owner run a command. @returns its exit code. @throws OwnerGoneError */
export async function forwardCommand(
  owner: OwnerInfo,
  request: {readonly argv: readonly string[]; readonly cwd: string},
  io: {readonly out: (text: string) => void; readonly err: (text: string) => void; readonly signal: AbortSignal},
): Promise<number> {
  let response: Response;
  try {
    response = await fetch(`http://127.0.0.1:${owner.port}/command`, {
      method: 'POST',
      headers: {authorization: `Bearer ${owner.token}`, 'content-type': 'application/json'},
      body: JSON.stringify(request),
      signal: io.signal,
    });
  } catch (error) {
    if (io.signal.aborted) throw stopped();
    throw new OwnerGoneError(messageOf(error));
  }
  if (response.status === 401) throw new OwnerGoneError('another process answers on the owner’s port');
  if (!response.ok || response.body === null) {
    throw new AssayError('ASSAY_DATA_DIR_OWNED', `process ${owner.pid} (${owner.role}) refused the command: ${await response.text()}`);
  }
  return readFrames(response.body, io, owner);
}

async function readFrames(
  body: ReadableStream<Uint8Array>,
  io: {readonly out: (text: string) => void; readonly err: (text: string) => void; readonly signal: AbortSignal},
  owner: OwnerInfo,
): Promise<number> {
  const decoder = new TextDecoder();
  let rest = '';
  try {
    for await (const chunk of body) {
      const lines = (rest + decoder.decode(chunk, {stream: true})).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const frame = JSON.parse(line) as {out?: string; err?: string; exit?: number};
        if (frame.out !== undefined) io.out(frame.out);
        if (frame.err !== undefined) io.err(frame.err);
        if (frame.exit !== undefined) return frame.exit;
      }
    }
  } catch (error) {
    if (io.signal.aborted) throw stopped();
    throw new AssayError('ASSAY_DATA_DIR_OWNED', `process ${owner.pid} (${owner.role}) ended while it ran the command; run it again`, {cause: error});
  }
  throw new AssayError('ASSAY_DATA_DIR_OWNED', `process ${owner.pid} (${owner.role}) ended while it ran the command; run it again`);
}

const stopped = (): AssayError => new AssayError('ASSAY_USAGE', 'stopped before the command was done; run it again');

function makeDirectory(directory: string): string {
  try {
    makePath(resolve(directory));
    if (!statSync(directory).isDirectory()) throw new Error('it is a file');
    return realpathSync(directory);
  } catch (error) {
    throw new AssayError(
      'ASSAY_DATA_DIR_INVALID',
      `the data directory ${directory} cannot be used (${messageOf(error)}); give a directory that can be made and written with --data`,
      {cause: error},
    );
  }
}

/** Level by level: Node's own way never ends where a file system says ENOENT to a new directory in one that is there, as /proc does. */
function makePath(path: string): void {
  if (existsSync(path)) return;
  makePath(dirname(path));
  try {
    mkdirSync(path);
  } catch (error) {
    // Another process may have been first.
    if (!existsSync(path)) throw error;
  }
}

async function takeLock(directory: string): Promise<NetServer | undefined> {
  const name = createHash('sha256').update(directory).digest('hex').slice(0, 32);
  if (process.platform === 'linux') return listen(`\0assay-${name}`);
  const path = join(directory, 'owner.sock');
  const first = await listen(path);
  if (first !== undefined) return first;
  if (await isAnswering(path)) return undefined;
  rmSync(path, {force: true});
  return listen(path);
}

function listen(path: string): Promise<NetServer | undefined> {
  return new Promise((resolve, reject) => {
    const server = createNetServer(socket => socket.destroy());
    server.once('error', (error: NodeJS.ErrnoException) => (error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error)));
    server.listen(path, () => {
      // The lock alone must not keep the process alive.
      server.unref();
      resolve(server);
    });
  });
}

async function isAnswering(path: string): Promise<boolean> {
  const {connect} = await import('node:net');
  return new Promise(resolve => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

function isAuthorised(request: IncomingMessage, token: string): boolean {
  const given = Buffer.from(request.headers.authorization ?? '');
  const wanted = Buffer.from(`Bearer ${token}`);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > COMMAND_BYTES_MAX) throw new Error('the command line is too long');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function end(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, {'content-type': 'text/plain'});
  response.end(text);
}
