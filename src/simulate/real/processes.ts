import {type ChildProcess, execFile, fork} from 'node:child_process';
import {once} from 'node:events';
import {readFileSync} from 'node:fs';
import {createInterface} from 'node:readline';
import {setTimeout as sleep} from 'node:timers/promises';
import {fileURLToPath} from 'node:url';
import {promisify} from 'node:util';

const run = promisify(execFile);
const REPOSITORY = new URL('../../../', import.meta.url);
const LINES_KEPT = 500;
const LINES_SHOWN = 6;
const RESTART_AFTER_MS = 1_000;

export const pathInRepository = (path: string): string => fileURLToPath(new URL(path, REPOSITORY));

/** A process of ours, ended and stopped by its own pid. */
export class Proc {
  readonly name: string;
  readonly child: ChildProcess;
  readonly lines: string[] = [];
  readonly exited: Promise<number | null>;
  /** How often a worker of the harness said that it moved an offset. */
  commits = 0;
  #isOver = false;

  private constructor(name: string, child: ChildProcess) {
    this.name = name;
    this.child = child;
    this.exited = once(child, 'exit').then(([code]) => {
      this.#isOver = true;
      return code as number | null;
    });
    child.on('message', message => {
      if (message === 'commit') this.commits++;
    });
    for (const stream of [child.stdout, child.stderr]) {
      if (stream === null) continue;
      createInterface({input: stream}).on('line', line => {
        this.lines.push(line);
        if (this.lines.length > LINES_KEPT) this.lines.shift();
      });
    }
  }

  /** A node process that runs a file of dist/ or bin/. */
  static start(name: string, file: string, args: readonly string[]): Proc {
    return new Proc(name, fork(pathInRepository(file), [...args], {stdio: ['ignore', 'pipe', 'pipe', 'ipc']}));
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** The last lines it wrote, for whoever wonders why it does not get on. */
  get lastLines(): string {
    return this.lines.slice(-LINES_SHOWN).join(' | ');
  }

  get isRunning(): boolean {
    return !this.#isOver;
  }

  async kill(): Promise<void> {
    this.#signal('SIGKILL');
    await this.exited;
  }

  /** Like a machine that hangs: nothing runs, sockets stay open. */
  freeze(): void {
    this.#signal('SIGSTOP');
  }

  thaw(): void {
    this.#signal('SIGCONT');
  }

  /** @returns the exit code; null when it had to be killed after all */
  async stop(limitMs = 20_000): Promise<number | null> {
    this.#signal('SIGTERM');
    const timer = setTimeout(() => this.#signal('SIGKILL'), limitMs);
    const code = await this.exited;
    clearTimeout(timer);
    return code;
  }

  /** Resident memory in MiB; 0 when the process is gone. */
  rssMiB(): number {
    try {
      const line = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'));
      return Number(line?.[1] ?? 0) / 1024;
    } catch {
      return 0;
    }
  }

  #signal(signal: NodeJS.Signals): void {
    if (!this.#isOver) this.child.kill(signal);
  }
}

/** A worker under an orchestrator: one that gives up by itself is started again. */
export class Kept {
  /** How often that was. */
  restarts = 0;
  readonly #start: () => Proc;
  #proc: Proc;
  #isWanted = true;

  constructor(start: () => Proc) {
    this.#start = start;
    this.#proc = this.#begin();
  }

  async stop(): Promise<void> {
    this.#isWanted = false;
    await this.#proc.stop();
  }

  #begin(): Proc {
    const proc = this.#start();
    void proc.exited.then(() => this.#startAgain());
    return proc;
  }

  async #startAgain(): Promise<void> {
    if (this.#isWanted) await sleep(RESTART_AFTER_MS);
    if (!this.#isWanted) return;
    this.restarts++;
    this.#proc = this.#begin();
  }
}

/** Real brokers by `scripts/kafka/broker.sh`. */
export class Brokers {
  readonly port: number;
  readonly count: 1 | 3;

  private constructor(port: number, count: 1 | 3) {
    this.port = port;
    this.count = count;
  }

  /** Tries ports upwards until a cluster can have one. */
  static async start(count: 1 | 3, firstPort: number): Promise<Brokers> {
    for (let port = firstPort; ; port += 10) {
      try {
        await brokerScript('start', count, port);
        return new Brokers(port, count);
      } catch (error) {
        if (port >= firstPort + 500 || !/there is a cluster|Address already in use|ended while starting/.test(String((error as {stderr?: string}).stderr))) throw error;
      }
    }
  }

  get list(): string[] {
    return Array.from({length: this.count}, (_, index) => `127.0.0.1:${this.port + index}`);
  }

  kill(broker = 1): Promise<void> {
    return brokerScript('kill', broker, this.port);
  }

  restart(broker = 1): Promise<void> {
    return brokerScript('restart', broker, this.port);
  }

  stop(): Promise<void> {
    return brokerScript('stop', this.port);
  }
}

async function brokerScript(...args: (string | number)[]): Promise<void> {
  await run(pathInRepository('scripts/kafka/broker.sh'), args.map(String), {timeout: 180_000});
}

/** Why real brokers cannot be had here; null when they can. */
export async function brokersMissing(): Promise<string | null> {
  for (const tool of ['java', 'mvn']) {
    const found = await run(tool, ['-version'], {timeout: 20_000}).catch(() => undefined);
    if (found === undefined) return `${tool} is missing`;
  }
  return null;
}

/** Polls until `check` is true. @throws Error naming what was waited for, and how it stood in the end */
export async function until(what: string | (() => string), limitMs: number, check: () => boolean | Promise<boolean>, {pollMs = 100} = {}): Promise<void> {
  // The time of checks counts too: one that starts a process takes seconds.
  const startedAt = performance.now();
  for (let waitedMs = 0; waitedMs < limitMs; waitedMs = performance.now() - startedAt) {
    if (await check()) return;
    await sleep(pollMs);
  }
  throw new Error(`waited ${limitMs / 1000} s in vain: ${typeof what === 'string' ? what : what()}`);
}
