import {describe, expect, test} from 'vitest';
import {SYSTEM_CLOCK} from '../../../src/roles/system.ts';
import {KeyRing} from '../../../src/web/access/key-file.ts';
import {sqlAccess} from '../../../src/web/sql/key-access.ts';
import {ReadOnlyPolicy} from '../../../src/web/sql/read-only-policy.ts';
import {makeAccess} from '../test-server.ts';

const ROLES = ['ingest', 'viewer', 'editor', 'admin'] as const;

function policyFor({isExposed = false, perSecond = 1_000, isLocked = true} = {}) {
  const access = makeAccess(key => ({...key, requestsPerSecond: perSecond}));
  const keys = new KeyRing({file: isLocked ? access.keysFile : `${access.keysFile}.none`, clock: SYSTEM_CLOCK});
  const ran: string[] = [];
  const executor = {
    execute: ({sql}: {readonly sql: string}) => {
      ran.push(sql);
      return Promise.resolve({body: new Uint8Array(), format: '', rowsRead: 0, bytesRead: 0});
    },
  };
  const policy = new ReadOnlyPolicy({executor, ...sqlAccess({keys, audit: access.audit, clock: SYSTEM_CLOCK, requestsPerSecond: perSecond, isExposed})});
  const run = (password: string, sql: string) =>
    policy.execute({sql, params: {}, settings: {}, defaultFormat: 'TSV', protocolVersion: 0, dataFile: null, credentials: {user: 'any', password}}).then(() => 'ran', (error: Error) => error.message);
  return {policy, run, ran, access};
}

describe('SQL by API key', () => {
  test('ingest and strangers read nothing, viewers and editors the views, admins the tables too', async () => {
    const {policy, run, access} = policyFor();
    expect(['', 'assay_x', access.keys.ingest].map(password => policy.isAllowed({user: 'default', password}))).toEqual([false, false, false]);
    for (const role of ROLES.slice(1)) {
      expect(policy.isAllowed({user: '', password: access.keys[role]})).toBe(true);
      expect([role, await run(access.keys[role], 'SELECT 1 FROM v_verdicts')]).toEqual([role, 'ran']);
      const tables = await run(access.keys[role], 'SELECT 1 FROM exposures');
      expect([role, tables]).toEqual([role, role === 'admin' ? 'ran' : 'the table exposures is not allowed']);
      expect(await run(access.keys[role], 'DROP TABLE exposures')).toMatch(/DROP is not allowed/);
    }
  });

  test('without keys this machine reads; beyond it nobody does', () => {
    expect(policyFor({isLocked: false}).policy.isAllowed({user: 'default', password: ''})).toBe(true);
    expect(policyFor({isLocked: false, isExposed: true}).policy.isAllowed({user: 'default', password: ''})).toBe(false);
  });

  test('statements are limited per key and written down, refused ones too, never with the key', async () => {
    const {run, ran, access} = policyFor({perSecond: 0.5});
    expect(await run(access.keys.viewer, 'SELECT * FROM exposures')).toMatch(/not allowed/);
    expect(await run(access.keys.viewer, 'SELECT 1')).toMatch(/Too many simultaneous queries: this key may make 0.5 a second/);
    expect(ran).toEqual([]);
    const entries = access.audit.read(10);
    expect(entries.map(({actor, action, detail}) => [actor, action, detail])).toEqual([['the viewer', 'SQL', 'SELECT * FROM exposures']]);
    expect(JSON.stringify(entries)).not.toContain(access.keys.viewer);
  });
});
