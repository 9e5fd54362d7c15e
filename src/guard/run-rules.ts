import type {EpochMs} from '../core/units.ts';
import {epochMs} from '../core/units.ts';
import type {OutboxStore, ReadStore, VerdictStore, WindowRow} from '../warehouse/warehouse.ts';
import {advanceAlert, type AlertTransition} from './alert-state.ts';
import {evaluateRule} from './evaluate.ts';
import type {Rule} from './rules.ts';

export type RunRulesRequest = {
  readonly warehouse: Pick<OutboxStore & ReadStore & VerdictStore, 'insertAlerts' | 'latestAlerts' | 'windows' | 'latestVerdicts'>;
  readonly stream: string;
  /** How windows hop: the stream's slice, or a multiple of it. */
  readonly slideMs: number;
  /** Experiments that '*' stands for. */
  readonly experiments: readonly string[];
  readonly rules: readonly Rule[];
  /** Present, in the stream's own time (its progress). */
  readonly at: EpochMs;
};

/**
 * Evaluates every rule once, stores what changed and returns it. The alerts are
 * durable before the caller tells anybody; after a crash in between, the rows are
 * read back and the caller's outbox knows the alert by its id and state.
 */
export async function runRules(request: RunRulesRequest): Promise<AlertTransition[]> {
  const {warehouse, stream, rules, at} = request;
  const last = new Map((await warehouse.latestAlerts(stream)).map(row => [keyOf(row.rule, row.experiment, row.variant), row]));
  const needsVerdicts = rules.some(rule => rule.kind !== 'window');
  const verdicts = needsVerdicts ? await warehouse.latestVerdicts(stream, null) : [];
  const windows = await loadWindows(request);
  const transitions = rules.flatMap(rule =>
    evaluateRule(rule, {at, windows: windows.get(rule.windowMs) ?? [], verdicts}).flatMap(finding => {
      const known = last.get(keyOf(rule.name, finding.experiment, finding.variant)) ?? null;
      const next = advanceAlert(stream, finding, known);
      return next === null ? [] : [next];
    }),
  );
  if (transitions.length > 0) await warehouse.insertAlerts(transitions.map(transition => transition.row));
  return transitions;
}

/** Windows by size, each experiment and size read once. */
async function loadWindows(request: RunRulesRequest): Promise<Map<number, WindowRow[]>> {
  const {warehouse, stream, slideMs, at} = request;
  const wanted = new Map<string, {experiment: string; sizeMs: number}>();
  for (const rule of request.rules) {
    if (rule.kind !== 'window') continue;
    for (const experiment of rule.experiment === '*' ? request.experiments : [rule.experiment]) {
      wanted.set(JSON.stringify([experiment, rule.windowMs]), {experiment, sizeMs: rule.windowMs});
    }
  }
  const bySize = new Map<number, WindowRow[]>();
  for (const {experiment, sizeMs} of wanted.values()) {
    const rows = await warehouse.windows({stream, experiment, sizeMs, slideMs, from: epochMs(at - sizeMs), to: at});
    bySize.set(sizeMs, [...(bySize.get(sizeMs) ?? []), ...rows]);
  }
  return bySize;
}

function keyOf(...parts: readonly string[]): string {
  return JSON.stringify(parts);
}
