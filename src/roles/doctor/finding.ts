/** One thing that was looked at. What is not `ok` says how to mend it. */
export type Finding = {
  readonly check: string;
  readonly status: 'ok' | 'warn' | 'fail';
  readonly detail: string;
  readonly fix: string | null;
};

export const ok = (check: string, detail: string): Finding => ({check, status: 'ok', detail, fix: null});
export const warn = (check: string, detail: string, fix: string): Finding => ({check, status: 'warn', detail, fix});
export const fail = (check: string, detail: string, fix: string): Finding => ({check, status: 'fail', detail, fix});

/** `ok` when nothing is wrong with it, otherwise everything that is. */
export const orOk = (wrong: readonly Finding[], fine: Finding): readonly Finding[] => (wrong.length === 0 ? [fine] : wrong);

export function gibibytes(bytes: number): string {
  return `${(bytes / 1024 ** 3).toFixed(1)} GiB`;
}

/** Hosts that no other machine can listen to. */
export const isLoopback = (host: string): boolean => ['127.0.0.1', '::1', '[::1]', 'localhost'].includes(host);
