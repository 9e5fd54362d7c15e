import {rm} from 'node:fs/promises';
import {afterAll} from 'vitest';
import {startOwnKafka} from '../helpers/kafka-shared.ts';
import {answerOf, type Running, runAssay, startAssay, startProcess, temporaryDirectory} from '../helpers/cli.ts';

/** One broker of its own, the engine behind ClickHouse's HTTP protocol, and processes of each role. */
export type Cluster = {
  /** The flags that make a command one of this cluster. */
  readonly flags: readonly string[];
  readonly directory: string;
  readonly warehouse: Running;
  readonly warehousePort: number;
  /** @param given.allowed exit codes that count as an answer too. Default: only 0. */
  answer<T>(args: readonly string[], given?: {readonly allowed: readonly number[]}): Promise<T>;
  /** A role in a process of its own, once it says that it runs. */
  role(args: readonly string[]): Promise<Running>;
};

export async function startWarehouse(directory: string, port: number): Promise<{process: Running; port: number}> {
  const process_ = startProcess(process.execPath, ['dist/roles/clickhouse-server.js', '--data', directory, '--port', String(port)]);
  const [, url = ''] = await process_.waitFor(/"url":"([^"]+)"/);
  return {process: process_, port: Number(new URL(url).port)};
}

export async function startCluster(name: string): Promise<Cluster | {readonly skipped: string}> {
  const kafka = await startOwnKafka();
  if ('skipped' in kafka) return kafka;
  const directory = temporaryDirectory(name);
  const warehouse = await startWarehouse(`${directory}/warehouse`, 0);
  const flags = ['--log', 'kafka', '--brokers', kafka.brokers.join(','), '--warehouse', 'server', '--clickhouse-url', `http://127.0.0.1:${warehouse.port}`];
  const roles: Running[] = [];
  afterAll(async () => {
    await Promise.all(roles.map(role => role.stop()));
    await kafka.stop();
    await rm(directory, {recursive: true, force: true});
  }, 60_000);
  return {
    flags,
    directory,
    warehouse: warehouse.process,
    warehousePort: warehouse.port,
    answer: async <T>(args: readonly string[], {allowed}: {readonly allowed: readonly number[]} = {allowed: [0]}): Promise<T> => {
      if (allowed.length === 1) return answerOf<T>([...args, ...flags]);
      const {code, stdout, stderr} = await runAssay([...args, '--json', ...flags]);
      if (!allowed.includes(code ?? -1)) throw new Error(`assay ${args.join(' ')} ended with ${code}: ${stderr}`);
      return JSON.parse(stdout) as T;
    },
    role: async args => {
      const running = startAssay([...args, ...flags]);
      roles.push(running);
      await running.waitFor(/running; stop with Ctrl-C/);
      return running;
    },
  };
}
