import {join} from 'node:path';
import {AssayError, messageOf} from '../core/errors.ts';
import type {AuditLog} from '../web/access/audit-log.ts';
import {LOOPBACK_HOST} from '../web/access/gatekeeper.ts';
import type {KeyRing} from '../web/access/key-file.ts';
import {isLoopback} from '../web/server.ts';
import {openSqlFront, type SqlFront} from '../web/sql/http-front.ts';
import {sqlAccess} from '../web/sql/key-access.ts';
import {ReadOnlyPolicy} from '../web/sql/read-only-policy.ts';
import type {Platform} from './platform.ts';

/** A statement is short: whoever sends it slowly holds a connection no longer than this. */
const REQUEST_MS_MAX = 30_000;

/** The read-only SQL endpoint, when `server.sql_port` asks for it. @throws AssayError ASSAY_CONFIG_INVALID */
export async function openSqlEndpoint(platform: Platform, {keys, audit}: {readonly keys: KeyRing; readonly audit: AuditLog}): Promise<SqlFront | null> {
  const {config, clock, executor, versions} = platform;
  const [host, port] = [config.text('server.host'), config.number('server.sql_port')];
  if (port < 0) return null;
  if (executor === null) {
    throw new AssayError('ASSAY_CONFIG_INVALID', 'server.sql_port is for the embedded warehouse; with warehouse.kind server connect analysts to the ClickHouse server, as a user that may only read (docs/SQL.md)');
  }
  const isExposed = !isLoopback(host);
  const access = sqlAccess({keys, audit, clock, isExposed, requestsPerSecond: config.number('server.requests_per_second')});
  try {
    return await openSqlFront({
      policy: new ReadOnlyPolicy({executor, ...access}),
      host: host === 'localhost' ? '127.0.0.1' : host,
      port,
      spoolDirectory: join(config.text('data'), 'sql-spool'),
      engineVersion: versions.engine,
      requestMsMax: REQUEST_MS_MAX,
      allowsHost: name => isExposed || keys.isLocked || LOOPBACK_HOST.test(name),
    });
  } catch (error) {
    throw new AssayError('ASSAY_CONFIG_INVALID', `the SQL endpoint cannot listen on ${host}:${port} (${messageOf(error)}); choose another with --sql-port`, {cause: error});
  }
}
