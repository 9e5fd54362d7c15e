import {randomBytes} from 'node:crypto';
import {parseDuration} from '../../config/load.ts';
import {AssayError} from '../../core/errors.ts';
import {auditFileOf, keysFileOf} from '../../roles/access-files.ts';
import {SYSTEM_CLOCK} from '../../roles/system.ts';
import {type ApiKey, hashSecret, keyText, liveSecrets, makeKey} from '../../web/access/api-keys.ts';
import {AuditLog} from '../../web/access/audit-log.ts';
import {editKeyFile, readKeyFile} from '../../web/access/key-file.ts';
import {isRole, type Role, ROLES} from '../../web/access/roles.ts';
import {type Command, EXIT, type Invocation, textOption} from '../command.ts';
import {formatTable} from '../table.ts';

/** How long the old secret still works after a rotation, unless told otherwise. */
const OVERLAP_DEFAULT = '24h';
const OVERLAP_MS_MAX = 90 * 86_400_000;

/** Works on the file itself, so keys can be made before the first start and taken away while the server hangs. */
export const keysCommand: Command = {
  name: 'keys',
  arguments: '[action] [id]',
  summary: '`add --role R --name N`, `list`, `revoke ID`, `rotate ID`: API keys of the HTTP server and the SQL endpoint',
  options: [
    {flags: '--role <role>', describe: `add: ${ROLES.join(', ')}`},
    {flags: '--name <name>', describe: 'add: who or what uses it; the author of the changes it makes'},
    {flags: '--expires <duration>', describe: 'add: how long it is valid, like 90d (default: until revoked)'},
    {flags: '--rate <n>', describe: 'add: requests per second (default: server.requests_per_second)'},
    {flags: '--overlap <duration>', describe: `rotate: how long the old secret still works (default ${OVERLAP_DEFAULT}; 0 for not at all)`},
  ],
  needs: 'nothing',
  asks: true,
  run: invocation => {
    const [action = 'list', id] = invocation.args;
    if (action === 'list') return list(invocation);
    if (action === 'add') return add(invocation);
    if (action !== 'revoke' && action !== 'rotate') throw new AssayError('ASSAY_USAGE', `keys knows add, list, revoke and rotate, not ${JSON.stringify(action)}`);
    if (id === undefined) throw new AssayError('ASSAY_USAGE', `keys ${action} needs the id of a key; \`assay keys list\` shows them`);
    return action === 'revoke' ? revoke(invocation, id) : rotate(invocation, id);
  },
};

const isoNow = (laterMs = 0): string => new Date(SYSTEM_CLOCK.now() + laterMs).toISOString();

async function list({config, options, io}: Invocation): Promise<number> {
  const rows = readKeyFile(keysFileOf(config)).map(key => ({
    id: key.id,
    name: key.name,
    role: key.role,
    state: stateOf(key),
    created_at: key.createdAt,
    expires_at: key.secrets.at(-1)?.expiresAt ?? null,
    secrets: liveSecrets(key, SYSTEM_CLOCK.now()).length,
    requests_per_second: key.requestsPerSecond,
  }));
  if (options['json'] === true) io.out(`${JSON.stringify(rows)}\n`);
  else io.out(rows.length === 0 ? 'there are no keys: the server answers on loopback alone, and whoever is on this machine may do everything\n' : formatTable(rows));
  return EXIT.done;
}

function stateOf(key: ApiKey): string {
  if (key.revokedAt !== null) return 'revoked';
  return liveSecrets(key, SYSTEM_CLOCK.now()).length === 0 ? 'expired' : 'live';
}

async function add(invocation: Invocation): Promise<number> {
  const {config, options} = invocation;
  const {role, name, requestsPerSecond, expiresMs} = newKey(options);
  const made = makeKey(bytes => randomBytes(bytes).toString('base64url'));
  const createdAt = isoNow();
  const secret = {hash: hashSecret(made.secret), createdAt, expiresAt: expiresMs === null ? null : isoNow(expiresMs)};
  const key: ApiKey = {id: made.id, name, role, requestsPerSecond, createdAt, revokedAt: null, secrets: [secret]};
  await editKeyFile(keysFileOf(config), keys => ({keys: [...keys, key], result: undefined}), SYSTEM_CLOCK);
  record(invocation, 'keys add', `${name} (${role}, ${made.id})`);
  return tell(invocation, {key, secret: made.secret, note: 'kept here as a hash alone: this is the only time it is shown'});
}

function newKey(options: Invocation['options']): {role: Role; name: string; requestsPerSecond: number | null; expiresMs: number | null} {
  const role = textOption(options, 'role') ?? '';
  const name = textOption(options, 'name')?.trim() ?? '';
  const rate = textOption(options, 'rate');
  const expires = textOption(options, 'expires');
  const expiresMs = expires === undefined ? null : parseDuration(expires);
  const errors = [
    ...(isRole(role) ? [] : [`--role must be one of ${ROLES.join(', ')}, got ${role === '' ? 'nothing' : JSON.stringify(role)}`]),
    ...(/^[^\p{C}]{1,100}$/u.test(name) ? [] : ['--name must be 1 to 100 printable characters: who or what uses the key']),
    ...(rate === undefined || Number(rate) > 0 ? [] : [`--rate must be a number above 0, got ${JSON.stringify(rate)}`]),
    ...(expiresMs === null || expiresMs > 0 ? [] : [`--expires must be a duration like 90d, got ${JSON.stringify(expires)}`]),
  ];
  if (errors.length > 0 || !isRole(role)) throw new AssayError('ASSAY_USAGE', errors.join('; '));
  return {role, name, requestsPerSecond: rate === undefined ? null : Number(rate), expiresMs};
}

async function revoke(invocation: Invocation, id: string): Promise<number> {
  const key = await change(invocation, id, old => ({...old, revokedAt: old.revokedAt ?? isoNow()}));
  record(invocation, 'keys revoke', `${key.name} (${key.role}, ${id})`);
  const {io, options} = invocation;
  io.out(options['json'] === true ? `${JSON.stringify({id, state: 'revoked'})}\n` : `${key.name} (${id}) is revoked; running servers refuse it within a second\n`);
  return EXIT.done;
}

async function rotate(invocation: Invocation, id: string): Promise<number> {
  const overlap = textOption(invocation.options, 'overlap') ?? OVERLAP_DEFAULT;
  const overlapMs = parseDuration(overlap);
  if (!(overlapMs >= 0 && overlapMs <= OVERLAP_MS_MAX)) throw new AssayError('ASSAY_USAGE', `--overlap must be a duration from 0 to 90d, got ${JSON.stringify(overlap)}`);
  const {secret} = makeKey(bytes => randomBytes(bytes).toString('base64url'));
  const key = await change(invocation, id, old => {
    if (old.revokedAt !== null) throw new AssayError('ASSAY_USAGE', `${id} is revoked; make a new key with \`assay keys add\``);
    const until = isoNow(overlapMs);
    const [newest] = liveSecrets(old, SYSTEM_CLOCK.now()).slice(-1);
    const kept = newest === undefined || overlapMs === 0 ? [] : [{...newest, expiresAt: newest.expiresAt === null || newest.expiresAt > until ? until : newest.expiresAt}];
    return {...old, secrets: [...kept, {hash: hashSecret(secret), createdAt: isoNow(), expiresAt: null}]};
  });
  record(invocation, 'keys rotate', `${key.name} (${key.role}, ${id}), the old one works for ${overlap}`);
  return tell(invocation, {key, secret, note: overlapMs === 0 ? 'the old one no longer works' : `the old one works for another ${overlap}`});
}

const change = ({config}: Invocation, id: string, edit: (key: ApiKey) => ApiKey): Promise<ApiKey> =>
  editKeyFile(keysFileOf(config), keys => {
    const old = keys.find(key => key.id === id);
    if (old === undefined) throw new AssayError('ASSAY_NOT_FOUND', `there is no key ${id}; \`assay keys list\` shows them`);
    const result = edit(old);
    return {keys: keys.map(key => (key === old ? result : key)), result};
  }, SYSTEM_CLOCK);

function tell({io, options}: Invocation, {key, secret, note}: {readonly key: ApiKey; readonly secret: string; readonly note: string}): number {
  const text = keyText(key.id, secret);
  if (options['json'] === true) io.out(`${JSON.stringify({id: key.id, name: key.name, role: key.role, key: text})}\n`);
  else {
    io.out(`${text}\n`);
    io.err(`${key.name} (${key.role}, ${key.id}); ${note}\n`);
  }
  return EXIT.done;
}

function record({config}: Invocation, action: string, detail: string): void {
  new AuditLog(auditFileOf(config)).write({at: isoNow(), actor: 'command line', key_id: null, role: null, action, target: '', status: null, address: '', detail});
}
