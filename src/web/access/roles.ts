/**
 * What a request may do. `public` needs no key: health checks, the dashboard's own files.
 *
 * - `send`    hand in events
 * - `serve`   what a service needs to split its traffic: no measured number
 * - `read`    everything that was measured, and the state of the pipeline
 * - `change`  experiments and deliveries
 * - `manage`  the audit log, every table by SQL
 */
export type Permission = 'public' | 'send' | 'serve' | 'read' | 'change' | 'manage';

export const ROLES = ['ingest', 'viewer', 'editor', 'admin'] as const;
export type Role = (typeof ROLES)[number];

const GRANTS: Readonly<Record<Role, readonly Permission[]>> = {
  ingest: ['public', 'send', 'serve'],
  viewer: ['public', 'serve', 'read'],
  editor: ['public', 'serve', 'read', 'change'],
  admin: ['public', 'send', 'serve', 'read', 'change', 'manage'],
};

export const mayDo = (role: Role, permission: Permission): boolean => GRANTS[role].includes(permission);

export const rolesFor = (permission: Permission): Role[] => ROLES.filter(role => mayDo(role, permission));

export const isRole = (text: string): text is Role => (ROLES as readonly string[]).includes(text);
