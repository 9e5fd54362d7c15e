import type {Clock} from '../../core/clock.ts';
import type {GuardAccess} from '../../warehouse/clickhouse/sql-guard-lists.ts';
import {SqlEngineError} from '../../warehouse/sql-executor.ts';
import type {ApiKey} from '../access/api-keys.ts';
import type {AuditLog} from '../access/audit-log.ts';
import type {KeyRing} from '../access/key-file.ts';
import {mayDo} from '../access/roles.ts';
import {TokenBucket} from '../access/token-bucket.ts';
import type {FrontCredentials} from './front-policy.ts';
import type {ReadOnlyOptions} from './read-only-policy.ts';

export type KeyAccessOptions = {
  readonly keys: KeyRing;
  readonly audit: AuditLog;
  readonly clock: Clock;
  readonly requestsPerSecond: number;
  /** Whether the endpoint is reached from beyond this machine: then keys are needed. */
  readonly isExposed: boolean;
};

/**
 * SQL by API key, given as the password; the user's name does not matter. Without keys
 * whoever is on this machine reads the views and the tables under them.
 */
export function sqlAccess({keys, audit, clock, requestsPerSecond, isExposed}: KeyAccessOptions): Pick<ReadOnlyOptions, 'accessOf' | 'onStatement'> {
  const buckets = new Map<string, TokenBucket>();
  const isOpen = (): boolean => !isExposed && !keys.isLocked;
  const keyOf = ({password}: FrontCredentials): ApiKey | undefined => keys.find(password);
  return {
    accessOf: (credentials): GuardAccess | null => {
      if (isOpen()) return 'tables';
      const key = keyOf(credentials);
      if (key === undefined || !mayDo(key.role, 'read')) return null;
      return mayDo(key.role, 'manage') ? 'tables' : 'views';
    },
    onStatement: (credentials, sql) => {
      const key = isOpen() ? undefined : keyOf(credentials);
      const id = key?.id ?? 'local';
      if (key !== undefined) takeToken(buckets, {id, perSecond: key.requestsPerSecond ?? requestsPerSecond, now: clock.now()});
      audit.write({
        at: new Date(clock.now()).toISOString(), actor: key?.name ?? 'local', key_id: key?.id ?? null, role: key?.role ?? 'admin', action: 'SQL', target: '', status: null, address: '', detail: sql.trim(),
      });
    },
  };
}

/** One bucket per key of the file, so their number is bounded. */
function takeToken(buckets: Map<string, TokenBucket>, {id, perSecond, now}: {readonly id: string; readonly perSecond: number; readonly now: number}): void {
  const bucket = buckets.get(id) ?? new TokenBucket(perSecond, now);
  buckets.set(id, bucket);
  const wait = bucket.take(now);
  if (wait > 0) throw new SqlEngineError(202, `Too many simultaneous queries: this key may make ${perSecond} a second; wait ${wait} s`);
}
