import {readFileSync} from 'node:fs';
import {join, resolve} from 'node:path';
import {parseArgs} from 'node:util';
import {pathToFileURL} from 'node:url';
import {openChdbEngine} from '../warehouse/chdb/chdb-engine.ts';
import {ChdbExecutor} from '../warehouse/chdb/chdb-executor.ts';
import {openSqlFront} from '../web/sql/http-front.ts';
import {OpenPolicy, type PlannedFault} from '../web/sql/open-policy.ts';

const USAGE = `Runs the embedded engine behind ClickHouse's HTTP protocol, to try cluster mode without a ClickHouse server.

  --data DIR       the engine's directory (required)
  --port PORT      0 takes a free one; the address is printed as one line of JSON
  --user NAME --password SECRET
  --tls-cert FILE --tls-key FILE
`;

/**
 * A helper, not a server for users: whoever knows the password may do everything.
 * A parent that forked it may send {@link PlannedFault}s, and 'clear' or whose to clear.
 */
export async function runClickHouseServer(args: readonly string[]): Promise<void> {
  const {values} = parseArgs({
    args: [...args],
    options: {
      data: {type: 'string'},
      port: {type: 'string', default: '8123'},
      user: {type: 'string'},
      password: {type: 'string', default: ''},
      'tls-cert': {type: 'string'},
      'tls-key': {type: 'string'},
    },
  });
  if (values.data === undefined) {
    process.stderr.write(USAGE);
    process.exitCode = 2;
    return;
  }
  const {'tls-cert': certFile, 'tls-key': keyFile, user} = values;
  const engine = await openChdbEngine({directory: resolve(values.data)});
  const policy = new OpenPolicy(new ChdbExecutor(engine), user === undefined ? null : {user, password: values.password});
  const front = await openSqlFront({
    policy,
    port: Number(values.port),
    tls: certFile === undefined || keyFile === undefined ? null : {cert: readFileSync(certFile), key: readFileSync(keyFile)},
    spoolDirectory: join(`${engine.directory}.bodies`),
    engineVersion: 'chdb',
  });
  process.on('message', (message: PlannedFault | {readonly clear: string} | 'clear') => {
    if (message === 'clear') policy.clearFaults();
    else if ('clear' in message) policy.clearFaults(message.clear);
    else policy.plan(message);
  });
  const stop = (): void => {
    void front.close().then(() => engine.close()).then(() => process.exit(0));
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  process.once('disconnect', stop);
  process.stdout.write(`${JSON.stringify({url: front.url, pid: process.pid})}\n`);
}

const [, entry = '', ...args] = process.argv;
if (import.meta.url === pathToFileURL(entry).href) await runClickHouseServer(args);
