import {type ChildProcess, fork} from 'node:child_process';
import {once} from 'node:events';
import {existsSync} from 'node:fs';
import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {createInterface} from 'node:readline';
import {fileURLToPath} from 'node:url';
import {ChdbExecutor} from '../../src/warehouse/chdb/chdb-executor.ts';
import {openSqlFront, type SqlFront} from '../../src/web/sql/http-front.ts';
import {OpenPolicy, type PlannedFault} from '../../src/web/sql/open-policy.ts';
import {openTemporaryEngine} from './chdb-engine.ts';

export type ServerUnderTest = {
  readonly front: SqlFront;
  readonly policy: OpenPolicy;
  /** Another front on the same engine, as after a restart on the same port. */
  reopen(): Promise<SqlFront>;
  remove(): Promise<void>;
};

type Given = {readonly user?: string; readonly password?: string; readonly tls?: {readonly cert: string; readonly key: string}};

/** The helper server in this process: enough where one client talks to it. */
export async function openServerUnderTest({user, password = '', tls}: Given = {}): Promise<ServerUnderTest> {
  const {engine, directory, remove} = await openTemporaryEngine();
  const policy = new OpenPolicy(new ChdbExecutor(engine), user === undefined ? null : {user, password});
  const open = (port: number): Promise<SqlFront> =>
    openSqlFront({policy, port, tls: tls ?? null, spoolDirectory: join(directory, 'bodies'), engineVersion: '26.7.2.1'});
  const front = await open(0);
  let current = front;
  return {
    front,
    policy,
    reopen: async () => {
      current = await open(front.port);
      return current;
    },
    remove: async () => {
      await current.close();
      await remove();
    },
  };
}

export type SpawnedServer = {
  readonly url: string;
  readonly process: ChildProcess;
  plan(fault: PlannedFault): void;
  clearFaults(): void;
  stop(): Promise<void>;
};

const ENTRY = fileURLToPath(new URL('../../dist/roles/clickhouse-server.js', import.meta.url));

/** Why a server in a process of its own cannot be started; null when it can. */
export const spawnSkipReason = (): string | null => (existsSync(ENTRY) ? null : 'dist/ is not built: npm run build');

/** The helper server in a process of its own, which may be killed. */
export async function spawnServer(args: readonly string[] = []): Promise<SpawnedServer> {
  const directory = await mkdtemp(join(tmpdir(), 'assay-server-'));
  const child = fork(ENTRY, ['--data', join(directory, 'warehouse'), '--port', '0', ...args], {stdio: ['ignore', 'pipe', 'inherit', 'ipc']});
  if (child.stdout === null) throw new Error('the server has no stdout');
  const [line] = (await once(createInterface({input: child.stdout}), 'line')) as [string];
  const {url} = JSON.parse(line) as {url: string};
  return {
    url,
    process: child,
    plan: fault => child.send(fault),
    clearFaults: () => child.send('clear'),
    stop: async () => {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGTERM');
        await once(child, 'exit');
      }
      await rm(directory, {recursive: true, force: true});
    },
  };
}
