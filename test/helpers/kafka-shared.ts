/**
 * A Kafka for tests, from the first of: `ASSAY_TEST_KAFKA_BROKERS` (host:port,…),
 * a container where Docker answers, the broker from Maven's jars where Java and
 * Maven are (scripts/kafka/broker.sh). Without any, tests are skipped with the
 * reason, and counted as skipped; under CI=true that is a failure instead.
 *
 * One broker serves all test files: the first that asks starts it, each holds a
 * reference (a file named by its pid), the last to let go stops it. The global
 * setup (kafka-global.ts) holds one too, so that it lives for the whole run.
 */
import {execFile} from 'node:child_process';
import {mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {createServer} from 'node:net';
import {tmpdir} from 'node:os';
import {join, resolve} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {promisify} from 'node:util';

const run = promisify(execFile);
const SCRIPT = resolve(import.meta.dirname, '../../scripts/kafka/broker.sh');
const HOME = process.env['ASSAY_KAFKA_HOME'] ?? join(process.env['TMPDIR'] ?? tmpdir(), 'assay-kafka');
const SHARED = join(HOME, 'shared');
const SHARED_PORT = 19_592;

export type KafkaGate = {readonly brokers: readonly string[]} | {readonly skipped: string};

export type OwnKafka = {
  readonly brokers: readonly string[];
  readonly port: number;
  /** The folder of this cluster; `tls/ca.pem` lies in it. */
  readonly directory: string;
  readonly kill: (broker: number) => Promise<void>;
  readonly restart: (broker: number) => Promise<void>;
  readonly stop: () => Promise<void>;
};

const START_TRIES_MAX = 20;

/** A cluster for one test file alone, to be killed and restarted; only from Maven's jars. */
export async function startOwnKafka(
  options: {readonly count?: 1 | 3; readonly sasl?: boolean; readonly tls?: boolean} = {},
): Promise<OwnKafka | {readonly skipped: string}> {
  const missing = await missingTools();
  if (missing !== undefined) return refuseUnderCi(missing);
  const {count = 1, sasl = false, tls = false} = options;
  const flags = [...(sasl ? ['--sasl'] : []), ...(tls ? ['--tls'] : [])];
  const broker = (...args: (string | number)[]) => run(SCRIPT, args.map(String), {timeout: 120_000});
  const port = await startSomewhere(19_700, at => broker('start', count, at, ...flags));
  return {
    brokers: Array.from({length: count}, (_, i) => `127.0.0.1:${port + i}`),
    port,
    directory: join(HOME, 'run', String(port)),
    kill: async n => void (await broker('kill', n, port)),
    restart: async n => void (await broker('restart', n, port)),
    stop: async () => void (await broker('stop', port)),
  };
}

/** Keeps the shared broker alive until `stopSharedKafka`; it starts when first asked for. */
export async function startSharedKafka(): Promise<void> {
  if (process.env['ASSAY_TEST_KAFKA_BROKERS'] !== undefined) return;
  if (await hasDocker()) await startContainer();
  else reference();
}

export async function stopSharedKafka(): Promise<void> {
  await stopContainer?.();
  await release();
}

export function refuseUnderCi(reason: string): {skipped: string} {
  if (process.env['CI'] === 'true') throw new Error(`Kafka is required when CI=true: ${reason}`);
  console.log(`skipped, needs Kafka: ${reason}`);
  return {skipped: reason};
}

export async function acquire(): Promise<KafkaGate> {
  const given = process.env['ASSAY_TEST_KAFKA_BROKERS'];
  if (given !== undefined && given !== '') return {brokers: given.split(',')};
  if (await hasDocker()) return {brokers: await startContainer()};
  const missing = await missingTools();
  if (missing !== undefined) return {skipped: missing};
  return locked(async () => {
    reference();
    const port = runningPort() ?? (await startShared());
    return {brokers: [`127.0.0.1:${port}`]};
  });
}

export async function release(): Promise<void> {
  await locked(async () => {
    rmSync(join(SHARED, 'refs', String(process.pid)), {force: true});
    if (liveReferences().length > 0) return;
    const port = runningPort();
    if (port !== undefined) await run(SCRIPT, ['stop', String(port)], {timeout: 60_000});
    rmSync(join(SHARED, 'port'), {force: true});
  });
}

async function startShared(): Promise<number> {
  const port = await startSomewhere(SHARED_PORT, at => run(SCRIPT, ['start', '1', String(at)], {timeout: 180_000}));
  writeFileSync(join(SHARED, 'port'), String(port));
  return port;
}

/** Of the shared broker, when its process lives. */
function runningPort(): number | undefined {
  try {
    const port = Number(readFileSync(join(SHARED, 'port'), 'utf8'));
    const pid = Number(readFileSync(join(HOME, 'run', String(port), '1', 'pid'), 'utf8'));
    return isAlive(pid) ? port : undefined;
  } catch {
    return undefined;
  }
}

function reference(): void {
  mkdirSync(join(SHARED, 'refs'), {recursive: true});
  writeFileSync(join(SHARED, 'refs', String(process.pid)), '');
}

/** Those of dead processes are removed on the way. */
function liveReferences(): string[] {
  mkdirSync(join(SHARED, 'refs'), {recursive: true});
  return readdirSync(join(SHARED, 'refs')).filter(pid => {
    if (isAlive(Number(pid))) return true;
    rmSync(join(SHARED, 'refs', pid), {force: true});
    return false;
  });
}

/** A folder as a lock, holding its owner's pid; a dead owner's is taken over. */
async function locked<T>(work: () => Promise<T>): Promise<T> {
  mkdirSync(SHARED, {recursive: true});
  const lock = join(SHARED, 'lock');
  for (;;) {
    try {
      mkdirSync(lock);
      writeFileSync(join(lock, 'pid'), String(process.pid));
      break;
    } catch {
      if (ownerIsDead(lock)) rmSync(lock, {recursive: true, force: true});
      else await sleep(100);
    }
  }
  try {
    return await work();
  } finally {
    rmSync(lock, {recursive: true, force: true});
  }
}

function ownerIsDead(lock: string): boolean {
  try {
    const pid = readFileSync(join(lock, 'pid'), 'utf8');
    return pid !== '' && !isAlive(Number(pid));
  } catch {
    return false;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Another process may take the port meanwhile, or have left its cluster there. */
async function startSomewhere(from: number, start: (port: number) => Promise<unknown>): Promise<number> {
  for (let port = from + (process.pid % 50) * 10, tries = 1; ; port += 10, tries++) {
    port = await freePort(port);
    try {
      await start(port);
      return port;
    } catch (error) {
      if (tries === START_TRIES_MAX || !/there is a cluster|is in use|Address already in use/.test(String((error as {stderr?: string}).stderr))) throw error;
    }
  }
}

/** A port whose neighbours for controllers and replication are free too. */
async function freePort(from: number): Promise<number> {
  for (let port = from; ; port += 10) {
    const wanted = [
      port,
      port + 1,
      port + 2,
      port + 101,
      port + 102,
      port + 103,
      port + 201,
      port + 202,
      port + 203,
    ];
    const free = await Promise.all(wanted.map(isFree));
    if (free.every(Boolean)) return port;
  }
}

const isFree = (port: number): Promise<boolean> =>
  new Promise(done => {
    const server = createServer();
    server.once('error', () => done(false));
    server.listen(port, '127.0.0.1', () => server.close(() => done(true)));
  });

async function missingTools(): Promise<string | undefined> {
  if (process.platform === 'win32') return 'no ASSAY_TEST_KAFKA_BROKERS and no Docker';
  for (const tool of ['java', 'mvn']) {
    const found = await run(tool, ['-version'], {timeout: 20_000}).catch(() => undefined);
    if (found === undefined) return `no ASSAY_TEST_KAFKA_BROKERS, no Docker and no ${tool}`;
  }
  return undefined;
}

let dockerAnswer: Promise<boolean> | undefined;
function hasDocker(): Promise<boolean> {
  dockerAnswer ??= run('docker', ['info', '--format', '{{.ServerVersion}}'], {timeout: 5_000}).then(
    ({stdout}) => /^\d/.test(stdout),
    () => false,
  );
  return dockerAnswer;
}

let stopContainer: (() => Promise<void>) | undefined;

/** Not run where this was written: there was no Docker. */
async function startContainer(): Promise<readonly string[]> {
  const {KafkaContainer} = await import('@testcontainers/kafka');
  const container = await new KafkaContainer('confluentinc/cp-kafka:8.0.0')
    .withKraft()
    .withEnvironment({KAFKA_AUTO_CREATE_TOPICS_ENABLE: 'false', KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS: '0'})
    .start();
  stopContainer = async () => void (await container.stop());
  const brokers = [`${container.getHost()}:${container.getMappedPort(9093)}`];
  // Forks inherit it.
  process.env['ASSAY_TEST_KAFKA_BROKERS'] = brokers.join(',');
  return brokers;
}
