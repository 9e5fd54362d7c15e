/** Runs the built command line as its users do: `node bin/assay.cjs …` in a process of its own. */
import {type ChildProcess, spawn} from 'node:child_process';
import {existsSync, mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join, resolve} from 'node:path';
import {afterAll} from 'vitest';
import {chdbMissing} from '../../src/warehouse/chdb/chdb-engine.ts';

export const ROOT = resolve(import.meta.dirname, '../..');
const BIN = join(ROOT, 'bin/assay.cjs');

/** Why the command line cannot be run here; null when it can. A machine that claims to be CI must be able to. */
export async function cliSkipReason(): Promise<string | null> {
  const reason = existsSync(join(ROOT, 'dist/bundle/main.js')) ? await chdbMissing() : 'dist/ is not built: npm run build';
  if (reason !== null && process.env['CI'] === 'true') throw new Error(`CI needs the command line: ${reason}`);
  return reason;
}

export type Finished = {readonly code: number | null; readonly signal: NodeJS.Signals | null; readonly stdout: string; readonly stderr: string};
export type Given = {readonly cwd?: string; readonly env?: Readonly<Record<string, string>>; readonly input?: string};

/** A command under way. Its process is killed after the file's tests if it still lives. */
export type Running = {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly finished: Promise<Finished>;
  /** Everything said so far, both outputs. */
  said(): string;
  /** Resolves with the first match in what was said; rejects when the process ends without it. */
  waitFor(pattern: RegExp, timeoutMs?: number): Promise<RegExpExecArray>;
  /** SIGTERM, then the end. */
  stop(signal?: NodeJS.Signals): Promise<Finished>;
};

const alive = new Set<ChildProcess>();
const directories: string[] = [];
afterAll(async () => {
  for (const child of alive) {
    child.kill('SIGKILL');
    await new Promise(done => (child.exitCode === null && child.signalCode === null ? child.once('exit', done) : done(undefined)));
  }
  for (const directory of directories) rmSync(directory, {recursive: true, force: true, maxRetries: 3});
});

/** A new directory, removed after the file's tests. */
export function temporaryDirectory(name: string): string {
  const directory = mkdtempSync(join(tmpdir(), `assay-${name}-`));
  directories.push(directory);
  return directory;
}

/** The settings of the machine that runs the tests must not decide what they find. */
function environment(extra: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !/^(ASSAY_|VITEST|NODE_OPTIONS$|NODE_ENV$)/.test(name));
  return {...Object.fromEntries(own), ...extra};
}

export const startAssay = (args: readonly string[], given: Given = {}): Running => startProcess(process.execPath, [BIN, ...args], given);

export function startProcess(command: string, args: readonly string[], {cwd, env, input}: Given = {}): Running {
  const child = spawn(command, args, {cwd: cwd ?? ROOT, env: environment(env), stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe']});
  alive.add(child);
  child.stdin?.end(input);
  let [stdout, stderr, all] = ['', '', ''];
  const listeners = new Set<() => void>();
  const hear = (stream: NodeJS.ReadableStream | null, take: (text: string) => void): void => {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      take(text);
      all += text;
      for (const listener of listeners) listener();
    });
  };
  hear(child.stdout, text => {
    stdout += text;
  });
  hear(child.stderr, text => {
    stderr += text;
  });
  const finished = new Promise<Finished>((done, fail) => {
    child.once('error', fail);
    child.once('close', (code, signal) => {
      alive.delete(child);
      done({code, signal, stdout, stderr});
    });
  });
  const waitFor = (pattern: RegExp, timeoutMs = 60_000): Promise<RegExpExecArray> =>
    new Promise((done, fail) => {
      const end = (outcome: () => void): void => {
        clearTimeout(timer);
        listeners.delete(look);
        outcome();
      };
      const look = (): void => {
        const match = pattern.exec(all);
        if (match !== null) end(() => done(match));
      };
      const timer = setTimeout(() => end(() => fail(new Error(`${args.join(' ')} did not say ${pattern} in ${timeoutMs} ms:\n${all}`))), timeoutMs);
      listeners.add(look);
      void finished.then(({code}) => end(() => fail(new Error(`${args.join(' ')} ended with ${code} before it said ${pattern}:\n${all}`))));
      look();
    });
  return {
    child,
    pid: child.pid ?? 0,
    finished,
    said: () => all,
    waitFor,
    stop: (signal = 'SIGTERM') => {
      child.kill(signal);
      return finished;
    },
  };
}

export const runAssay = (args: readonly string[], given: Given = {}): Promise<Finished> => startAssay(args, given).finished;

/** Runs a command that must succeed; its answer as JSON, the last line of stdout. */
export async function answerOf<T>(args: readonly string[], given: Given = {}): Promise<T> {
  const {code, stdout, stderr} = await runAssay([...args, '--json'], given);
  if (code !== 0) throw new Error(`assay ${args.join(' ')} ended with ${code}:\n${stderr}${stdout}`);
  return JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as T;
}
