import type {EpochMs} from '../core/units.ts';
import {NOTIFY_LIMITS} from './limits.ts';

/** `Retry-After` in milliseconds from now: seconds or an HTTP date, capped; null when absent or nonsense. */
export function retryAfterMs(header: string | readonly string[] | undefined, now: EpochMs): number | null {
  const text = (typeof header === 'string' ? header : header?.[0])?.trim();
  if (text === undefined || text === '') return null;
  // Only whole seconds or a date with a month's name: Date.parse takes far too much for a date.
  const isSeconds = /^\d+$/.test(text);
  const isDate = /^[A-Za-z]{3,9},? .*\d{2}:\d{2}:\d{2}/.test(text);
  const wait = isSeconds ? Number(text) * 1000 : isDate ? Date.parse(text) - now : Number.NaN;
  return Number.isNaN(wait) ? null : Math.min(NOTIFY_LIMITS.retryAfterMsMax, Math.max(0, wait));
}
