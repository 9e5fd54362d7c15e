import type {EpochMs} from '../core/units.ts';
import type {AlertRow, OutboxStore, VerdictStore} from '../warehouse/warehouse.ts';
import type {AlertTransition} from './alert-state.ts';
import {alertKey, judgeSpan, type Span} from './judge-span.ts';
import {WINDOW_KINDS} from './rules.ts';

export type RunRulesRequest = Omit<Span, 'from' | 'to' | 'verdicts' | 'warehouse'> & {
  readonly warehouse: Span['warehouse'] & Pick<OutboxStore & VerdictStore, 'insertAlerts' | 'latestAlerts' | 'latestVerdicts'>;
  /** Present, in the stream's own time (its progress). */
  readonly at: EpochMs;
  /** Up to where windows were judged before; without it only the newest are. */
  readonly since?: EpochMs;
  /** What else to keep with an alert that fires; a failure costs the alert nothing. */
  readonly snapshot?: (row: AlertRow) => Promise<Readonly<Record<string, unknown>>>;
};

/**
 * Judges every rule, stores what changed and returns it. The alerts are durable before
 * the caller tells anybody; after a crash in between, the rows are read back and the
 * caller's outbox knows the alert by its id and state.
 */
export async function runRules(request: RunRulesRequest): Promise<AlertTransition[]> {
  const {warehouse, stream, rules, at} = request;
  const memory = new Map((await warehouse.latestAlerts(stream)).map(row => [alertKey(row), row]));
  const needsVerdicts = rules.some(rule => !WINDOW_KINDS.includes(rule.kind) && rule.kind !== 'drift');
  const verdicts = needsVerdicts ? await warehouse.latestVerdicts(stream, null) : [];
  const transitions = await judgeSpan({...request, verdicts, from: request.since ?? null, to: at}, memory);
  const shown = await Promise.all(transitions.map(one => withSnapshot(one, request.snapshot)));
  if (shown.length > 0) await warehouse.insertAlerts(shown.map(({row}) => row));
  return shown;
}

async function withSnapshot(transition: AlertTransition, snapshot: RunRulesRequest['snapshot']): Promise<AlertTransition> {
  const {row} = transition;
  if (snapshot === undefined || row.state !== 'firing') return transition;
  const more = await snapshot(row).catch((error: unknown) => ({snapshot_error: error instanceof Error ? error.message : String(error)}));
  return {...transition, row: {...row, context: {...row.context, ...more}}};
}
