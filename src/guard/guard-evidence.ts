import type {StoredVersion} from '../experiment/state.ts';

/** Who makes the versions that guards publish. */
export const GUARD_AUTHOR = 'guard';

export type GuardAction = 'open' | 'half_open' | 'close' | 'pause' | 'step' | 'roll_back' | 'promote';

/**
 * Why a guard acted: stored inside the version it made, so that an action and its
 * evidence are one record of the log, and whoever is the guard next knows the state
 * from the history alone.
 */
export type GuardEvidence = {
  /** `breaker:<index>` or `canary`. */
  readonly guard: string;
  readonly action: GuardAction;
  readonly variant: string;
  readonly metric: string;
  readonly value: number | null;
  readonly threshold: number | null;
  readonly n: number;
  readonly window_ms: number;
  /** ISO 8601. */
  readonly window_start: string | null;
  readonly window_end: string | null;
  readonly reason: string;
  readonly at: string;
  /** The phase that this action ends. */
  readonly phase: number;
  /** Breaker: failed tries in a row, when the next one is due, and the weight taken away. */
  readonly trips?: number;
  readonly retry_at?: number;
  readonly weight?: number;
  /** Canary: index of the step this begins. */
  readonly step?: number;
};

/** One line for people, then the evidence for programs. */
export const evidenceText = (evidence: GuardEvidence): string => `${sentence(evidence)} ${JSON.stringify(evidence)}`;

function sentence({guard, action, variant, metric, reason, n, window_ms}: GuardEvidence): string {
  const what = metric === '' ? reason : `${metric} ${reason} (n = ${n}, window ${window_ms / 1_000} s)`;
  return `${guard} ${action} ${variant}: ${what}`;
}

/** The evidence of a version; undefined when no guard made it. */
export function evidenceOf({author, reason}: Pick<StoredVersion, 'author' | 'reason'>): GuardEvidence | undefined {
  const at = reason.indexOf(' {"guard":');
  if (author !== GUARD_AUTHOR || at < 0) return undefined;
  try {
    return JSON.parse(reason.slice(at + 1)) as GuardEvidence;
  } catch {
    return undefined;
  }
}

export type GuardRecord = {readonly version: StoredVersion; readonly evidence: GuardEvidence};

/**
 * The newest action of a guard on a variant. A change of the split by anybody else
 * after it makes it void: a person has decided since.
 */
export function lastAction(history: readonly StoredVersion[], guard: string, variant: string): GuardRecord | undefined {
  for (let index = history.length - 1; index >= 0; index -= 1) {
    const version = history[index];
    if (version === undefined) return undefined;
    const evidence = evidenceOf(version);
    if (evidence?.guard === guard && evidence.variant === variant) return {version, evidence};
    if (evidence === undefined && version.phase !== history[index - 1]?.phase) return undefined;
  }
  return undefined;
}
