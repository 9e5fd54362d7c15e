/** The real server on the log of this process, with a warehouse that answers what a test says. */
import {randomBytes} from 'node:crypto';
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {AssayError} from '../../src/core/errors.ts';
import {LIVE_STREAM, LIVE_TOPIC, type Stream} from '../../src/core/streams.ts';
import {SILENT_LOGGER} from '../../src/core/telemetry.ts';
import {durationMs} from '../../src/core/units.ts';
import {ExperimentRegistry} from '../../src/experiment/registry.ts';
import {MemoryEventLog} from '../../src/log/memory/memory-event-log.ts';
import {SYSTEM_CLOCK} from '../../src/roles/system.ts';
import {type ApiKey, hashSecret, keyText, makeKey} from '../../src/web/access/api-keys.ts';
import {AuditLog} from '../../src/web/access/audit-log.ts';
import {KeyRing} from '../../src/web/access/key-file.ts';
import {ROLES, type Role} from '../../src/web/access/roles.ts';
import {openServer, type ServerOptions, type WebServer} from '../../src/web/server.ts';

export const STREAM: Stream = {name: LIVE_STREAM, kind: 'live', topic: LIVE_TOPIC, latenessMs: durationMs(2_000), sliceMs: durationMs(10_000), maxAgeMs: null, partitions: 1};

export const random = (bytes: number): string => randomBytes(bytes).toString('base64url');

export type Access = {readonly directory: string; readonly keysFile: string; readonly audit: AuditLog; readonly keys: Readonly<Record<Role, string>>};

/** A key of each role in a file of its own. */
export function makeAccess(change: (key: ApiKey) => ApiKey = key => key): Access {
  const directory = mkdtempSync(join(tmpdir(), 'assay-web-'));
  const keysFile = join(directory, 'api-keys.json');
  const made = ROLES.map(role => ({role, ...makeKey(random)}));
  const createdAt = new Date().toISOString();
  const keys = made.map(({role, id, secret}): ApiKey => ({id, name: `the ${role}`, role, requestsPerSecond: 10_000, createdAt, revokedAt: null, secrets: [{hash: hashSecret(secret), createdAt, expiresAt: null}]}));
  writeFileSync(keysFile, JSON.stringify({version: 1, keys: keys.map(change)}));
  const texts = Object.fromEntries(made.map(({role, id, secret}) => [role, keyText(id, secret)])) as Record<Role, string>;
  return {directory, keysFile, audit: new AuditLog(join(directory, 'audit.jsonl')), keys: texts};
}

export type TestServer = WebServer & {readonly registry: ExperimentRegistry; readonly log: MemoryEventLog; readonly directory: string; readonly audit: AuditLog};

export async function openTestServer(changes: Partial<ServerOptions> = {}, access?: Access): Promise<TestServer> {
  const log = new MemoryEventLog({clock: SYSTEM_CLOCK, logger: SILENT_LOGGER});
  const registry = await ExperimentRegistry.open({log, clock: SYSTEM_CLOCK, logger: SILENT_LOGGER});
  await registry.announceStream(STREAM);
  const directory = access?.directory ?? mkdtempSync(join(tmpdir(), 'assay-web-'));
  const audit = access?.audit ?? new AuditLog(join(directory, 'audit.jsonl'));
  const close = async (): Promise<void> => {
    await registry.close();
    await log.close();
    rmSync(directory, {recursive: true, force: true});
  };
  try {
    const server = await openServer({
      host: '127.0.0.1',
      port: 0,
      logger: SILENT_LOGGER,
      clock: SYSTEM_CLOCK,
      random,
      keys: new KeyRing({file: access?.keysFile ?? join(directory, 'none.json'), clock: SYSTEM_CLOCK}),
      audit,
      corsOrigins: [],
      requestsPerSecond: 10_000,
      publicUrl: '',
      version: '0.0.0',
      door: {accept: values => Promise.resolve({accepted: values.length, errors: []})},
      registry,
      warehouse: emptyWarehouse(),
      unready: () => Promise.resolve([]),
      metrics: {render: () => Promise.resolve('assay_up 1\n'), contentType: 'text/plain; version=0.0.4'},
      stream: named =>
        named === undefined || named === STREAM.name ? Promise.resolve(STREAM) : Promise.reject(new AssayError('ASSAY_NOT_FOUND', `there is no stream ${named}; the streams are live`)),
      validFrom: () => Promise.resolve({}),
      pipeline: ({name}) => Promise.resolve({stream: name, partitions: [], lag_records: 0, progress: null, closed_through: null, revised_cut: null, paused_seconds: 0, audit: null, versions: {}}),
      backtest: ({rule}) => Promise.reject(new AssayError('ASSAY_NOT_FOUND', `no guard ${rule}`)),
      spend: asks => Promise.resolve({cut: null, sums: asks.map(() => ({}))}),
      compare: ({experiment}) => Promise.reject(new AssayError('ASSAY_NOT_FOUND', `no windows of ${experiment}`)),
      redeliver: id => Promise.reject(new AssayError('ASSAY_NOT_FOUND', `no delivery ${id}`)),
      ...changes,
    });
    return {
      ...server,
      registry,
      log,
      directory,
      audit,
      close: async () => {
        await server.close();
        await close();
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

export function emptyWarehouse(changes: Partial<ServerOptions['warehouse']> = {}): ServerOptions['warehouse'] {
  const none = () => Promise.resolve([]);
  const warehouse: Partial<ServerOptions['warehouse']> = {
    query: none,
    windows: none,
    deadLetters: none,
    latestVerdicts: none,
    verdict: () => Promise.resolve(null),
    newestDeliveries: none,
    deliveryHistory: none,
    latestAlerts: none,
    ...changes,
  };
  return warehouse as ServerOptions['warehouse'];
}

export type Answer = {readonly status: number; readonly headers: Headers; readonly type: string | null; readonly body: unknown};

export async function call(url: string, path: string, init: RequestInit & {readonly key?: string} = {}): Promise<Answer> {
  const {key, ...rest} = init;
  const response = await fetch(`${url}${path}`, {...rest, headers: {...(key === undefined ? {} : {authorization: `Bearer ${key}`}), ...(init.headers as Record<string, string> | undefined)}});
  const type = response.headers.get('content-type');
  const text = await response.text();
  return {status: response.status, headers: response.headers, type, body: type?.includes('json') === true && text !== '' ? JSON.parse(text) : text};
}
