import {digestOf} from '../core/canonical-json.ts';
import type {AlertRow} from '../warehouse/warehouse.ts';
import type {Finding} from './evaluate.ts';

/**
 * Prometheus' states, one machine per (rule, experiment, variant). Time is the
 * data's own, so a restart or a replay makes the same transitions.
 *
 *               breach, for: 0
 *          ┌───────────────────────────┐
 *          │  breach        held ≥ for ▼     ok
 *     (none) ─────► pending ──────► firing ─────► resolved
 *          ▲           │ ok: never fired                │
 *          └───────────┴─────────── breach: a new episode with a new id
 *
 * An inconclusive finding changes nothing. One episode has one alert_id, made from
 * what it is about and when it began: whoever repeats a transition repeats its id.
 */
export type AlertTransition = {
  readonly row: AlertRow;
  /** Firing, or resolved after firing: somebody is told. */
  readonly isNotable: boolean;
};

/** The next state after a finding; null when nothing changes. Findings not newer than the last change are ignored. */
export function advanceAlert(stream: string, finding: Finding, last: AlertRow | null): AlertTransition | null {
  if (finding.state === 'inconclusive') return null;
  if (last !== null && finding.at <= Date.parse(last.changed_at)) return null;
  const isOpen = last !== null && last.state !== 'resolved';
  if (finding.state === 'ok') return isOpen ? resolve(finding, last) : null;
  if (!isOpen) return begin(stream, finding);
  if (last.state === 'firing') return null;
  return finding.at - sinceOf(last) >= finding.rule.forMs ? fire(finding, last) : null;
}

function begin(stream: string, finding: Finding): AlertTransition {
  const {rule, experiment, variant} = finding;
  const since = isoOf(finding.at);
  const id = `al_${digestOf([stream, rule.name, experiment, variant, since]).slice(0, 20)}`;
  const state = rule.forMs > 0 ? 'pending' : 'firing';
  const about = {alert_id: id, stream, rule: rule.name, experiment, variant};
  const context = contextOf(finding, {since, fired: state === 'firing', firedAt: state === 'firing' ? since : null});
  return {row: {...about, ...measured(finding), state, context}, isNotable: state === 'firing'};
}

function fire(finding: Finding, last: AlertRow): AlertTransition {
  const row: AlertRow = {...last, ...measured(finding), state: 'firing', context: contextOf(finding, {since: sinceText(last), fired: true, firedAt: isoOf(finding.at)})};
  return {row, isNotable: true};
}

function resolve(finding: Finding, last: AlertRow): AlertTransition {
  const fired = last.state === 'firing';
  const row: AlertRow = {...last, ...measured(finding), state: 'resolved', context: contextOf(finding, {since: sinceText(last), fired, firedAt: fired ? last.changed_at : null})};
  return {row, isNotable: fired};
}

/**
 * What somebody must have been told, from the newest rows: after a restart these
 * are handed to the outbox again, which knows them by {@link noticeId}.
 */
export function noticesToRepeat(rows: readonly AlertRow[]): AlertRow[] {
  return rows.filter(row => row.state === 'firing' || (row.state === 'resolved' && row.context['fired'] === true));
}

/** The same for the same episode and state, however often it is made. */
export function noticeId(row: AlertRow): string {
  return `${row.alert_id}:${row.state}`;
}

function measured(finding: Finding): Omit<AlertRow, 'alert_id' | 'stream' | 'rule' | 'experiment' | 'variant' | 'state' | 'context'> {
  return {
    severity: finding.rule.severity,
    value: finding.value,
    threshold: finding.threshold,
    window_start: finding.windowStart === null ? null : isoOf(finding.windowStart),
    window_end: finding.windowEnd === null ? null : isoOf(finding.windowEnd),
    reason: finding.reason,
    changed_at: isoOf(finding.at),
  };
}

/** The rule as it was, so that a stored alert explains itself. */
function contextOf(finding: Finding, {since, fired, firedAt}: {readonly since: string; readonly fired: boolean; readonly firedAt: string | null}): AlertRow['context'] {
  const {rule, n} = finding;
  return {
    since,
    fired,
    fired_at: firedAt,
    n,
    kind: rule.kind,
    metric: rule.metric,
    statistic: rule.statistic,
    window_ms: rule.windowMs,
    above: rule.above,
    below: rule.below,
    min_n: rule.minN,
    for_ms: rule.forMs,
    action: rule.action,
    acted: rule.action === 'alert',
    labels: rule.labels ?? {},
    annotations: annotationsOf(finding),
    ...(rule.dimension === null || rule.dimension === undefined ? {} : {dimension: rule.dimension}),
    ...(finding.spread === undefined ? {} : {spread: finding.spread}),
  };
}

/** The rule's texts with the finding's values in them; a name that is not known stays as it is written. */
function annotationsOf({rule, experiment, variant, value, threshold, n, reason}: Finding): Readonly<Record<string, string>> {
  const values: Readonly<Record<string, string>> = {
    rule: rule.name, experiment, variant, severity: rule.severity, reason, n: String(n),
    value: value === null ? 'none' : String(value), threshold: threshold === null ? 'none' : String(threshold),
  };
  const filled = (text: string): string => text.replaceAll(/\{\{\s*(\w+)\s*\}\}/g, (whole, name: string) => values[name] ?? whole);
  return Object.fromEntries(Object.entries(rule.annotations ?? {}).map(([name, text]) => [name, filled(text)]));
}

function sinceText(last: AlertRow): string {
  const since = last.context['since'];
  return typeof since === 'string' ? since : last.changed_at;
}

function sinceOf(last: AlertRow): number {
  return Date.parse(sinceText(last));
}

function isoOf(at: number): string {
  return new Date(at).toISOString();
}
