import {z} from 'zod';
import {rolesFor} from '../access/roles.ts';
import type {Gatekeeper} from '../access/gatekeeper.ts';
import {type Sessions, sessionCookie} from '../access/session.ts';
import type {Backend} from '../backend.ts';
import {json, pageOf, paging, placeOf, type Route, route} from '../route.ts';

export type AccessOptions = {readonly gatekeeper: Gatekeeper; readonly sessions: Sessions; readonly isSecure: boolean};

const ME = z.object({name: z.string(), role: z.enum(['ingest', 'viewer', 'editor', 'admin']), key_id: z.string().nullable().describe('null while the server has no keys.')});

export const accessRoutes = ({audit}: Backend, {gatekeeper, sessions, isSecure}: AccessOptions): Route[] => [
  route({
    method: 'GET',
    path: '/v1/me',
    permission: 'serve',
    tag: 'access',
    summary: 'Who the key says the caller is.',
    answers: {200: {describe: 'The caller.', schema: ME}},
    handle: ({caller}) => json({name: caller.name, role: caller.role, key_id: caller.keyId}, {headers: {'cache-control': 'no-store'}}),
  }),
  route({
    method: 'POST',
    path: '/v1/session',
    permission: 'public',
    tag: 'access',
    summary: 'Signs a browser in: an API key for a cookie that holds for twelve hours.',
    body: z.object({key: z.string().min(1, 'give the API key').max(200)}),
    isAudited: true,
    answers: {200: {describe: 'The cookie is set.', schema: ME}, 401: {describe: 'The key is wrong.'}},
    handle: ({body, caller, raw, note}) => {
      // Without keys there is nothing to sign in to.
      if (caller.name === 'local') return json({name: caller.name, role: caller.role, key_id: null});
      const key = gatekeeper.keyFor(body.key, raw.req.socket.remoteAddress ?? '');
      note(`signed in as ${key.name} (${key.role}, ${key.id})`);
      return json({name: key.name, role: key.role, key_id: key.id}, {headers: {'set-cookie': sessionCookie(sessions.open(key), {isSecure}), 'cache-control': 'no-store'}});
    },
  }),
  route({
    method: 'DELETE',
    path: '/v1/session',
    permission: 'public',
    tag: 'access',
    summary: 'Signs the browser out.',
    answers: {204: {describe: 'The cookie is gone.'}},
    handle: () => ({status: 204, body: null, headers: {'set-cookie': sessionCookie('', {isSecure})}}),
  }),
  route({
    method: 'GET',
    path: '/v1/audit',
    permission: 'manage',
    tag: 'access',
    summary: `Who did what, newest first (${rolesFor('manage').join(', ')} alone).`,
    query: z.object(paging(1_000, 200)),
    answers: {200: {describe: 'A page of entries of this server.', schema: z.object({entries: z.array(z.looseObject({at: z.string(), actor: z.string(), action: z.string()})), next_cursor: z.string().nullable()})}},
    handle: ({query: {limit, cursor}}) => {
      const place = placeOf(cursor);
      const {page, next_cursor} = pageOf(audit.read(limit + 1, place ?? {}), {limit, place, timeOf: ({at}) => at});
      return json({entries: page, next_cursor});
    },
  }),
];
