import {canonicalJson} from '../core/canonical-json.ts';
import type {Verdict} from '../core/verdict.ts';
import type {Evidence} from './build-verdicts.ts';

export type Difference = {readonly path: string; readonly stored: unknown; readonly recomputed: unknown};

/** `bytes`: canonical JSON must be equal. `digits`: numbers may differ beyond 12 significant digits (another version of code or engine). */
export type Precision = 'bytes' | 'digits';

/** Differences told at most; the first ones name the cause. */
export const DIFFERENCES_MAX = 100;

const RELATIVE_12_DIGITS = 1e-12;

/** The part of a row that a replay must give again: without the fields marked * and the digest. */
export function evidenceOf(verdict: Verdict): Evidence {
  const {verdict_id: _id, created_at: _at, previous_decision: _previous, audit: _audit, windows_around: _windows, calibration: _calibration, evidence_digest: _digest, ...evidence} = verdict;
  return evidence;
}

/** Every leaf that differs, by path (`arms[1].mean`), in sorted order of members. */
export function differencesOf(stored: unknown, recomputed: unknown, precision: Precision): Difference[] {
  const found: Difference[] = [];
  walk({path: '', stored, recomputed}, precision, found);
  return found;
}

function walk(at: Difference, precision: Precision, found: Difference[]): void {
  if (found.length >= DIFFERENCES_MAX || isEqual(at.stored, at.recomputed, precision)) return;
  const [stored, recomputed] = [membersOf(at.stored), membersOf(at.recomputed)];
  if (stored === null || recomputed === null || Array.isArray(at.stored) !== Array.isArray(at.recomputed)) {
    found.push({path: at.path, stored: at.stored ?? null, recomputed: at.recomputed ?? null});
    return;
  }
  const isList = Array.isArray(at.stored);
  for (const key of [...new Set([...Object.keys(stored), ...Object.keys(recomputed)])].sort()) {
    const path = isList ? `${at.path}[${key}]` : at.path === '' ? key : `${at.path}.${key}`;
    walk({path, stored: stored[key], recomputed: recomputed[key]}, precision, found);
  }
}

function membersOf(value: unknown): Readonly<Record<string, unknown>> | null {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
}

function isEqual(stored: unknown, recomputed: unknown, precision: Precision): boolean {
  if (precision === 'digits' && typeof stored === 'number' && typeof recomputed === 'number') {
    return Math.abs(stored - recomputed) <= RELATIVE_12_DIGITS * Math.max(Math.abs(stored), Math.abs(recomputed));
  }
  return canonicalJson(stored) === canonicalJson(recomputed);
}
