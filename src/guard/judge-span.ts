import {type EpochMs, epochMs} from '../core/units.ts';
import type {Verdict} from '../core/verdict.ts';
import type {AlertRow, ReadStore, WindowRow} from '../warehouse/warehouse.ts';
import {advanceAlert, type AlertTransition} from './alert-state.ts';
import {lookBackMs} from './dynamic-bounds.ts';
import {type DriftReading, evaluateRule, type ExpectedData} from './evaluate.ts';
import {type Rule, WINDOW_KINDS} from './rules.ts';
import {WindowSeries} from './window-series.ts';

export type Span = {
  readonly warehouse: Pick<ReadStore, 'windows'>;
  readonly stream: string;
  /** How windows hop: the stream's slice, or a multiple of it. */
  readonly slideMs: number;
  /** Experiments that '*' stands for. */
  readonly experiments: readonly string[];
  readonly rules: readonly Rule[];
  /** Every time in (from, to] at which a rule is due is judged, in order; null for each rule's newest alone. */
  readonly from: EpochMs | null;
  readonly to: EpochMs;
  readonly verdicts: readonly Verdict[];
  readonly expected?: readonly ExpectedData[];
  /** Distances of a `drift` rule's distributions at a time. */
  readonly drifts?: (rule: Rule, at: EpochMs) => Promise<readonly DriftReading[]>;
};

/** The newest row of each alert; what `judgeSpan` reads and writes. */
export type AlertMemory = Map<string, AlertRow>;

export const alertKey = ({rule, experiment, variant}: Pick<AlertRow, 'rule' | 'experiment' | 'variant'>): string => JSON.stringify([rule, experiment, variant]);

/**
 * Judges rules over a stretch of the stream's own time. The one place where alerts move:
 * a live look, a catch-up after a restart and a backtest differ in the stretch alone, so
 * they make the same transitions.
 */
export async function judgeSpan(span: Span, memory: AlertMemory): Promise<AlertTransition[]> {
  const load = windowLoader(span);
  const transitions: AlertTransition[] = [];
  for (const rule of span.rules) {
    const times = timesOf(rule, span);
    const first = times[0];
    if (first === undefined) continue;
    const isWindowed = WINDOW_KINDS.includes(rule.kind);
    const series = new WindowSeries(isWindowed ? await load(rule, first) : []);
    for (const at of times) {
      const drifts = rule.kind === 'drift' && span.drifts !== undefined ? await span.drifts(rule, at) : [];
      const inputs = {at, windows: series.between(at - lookBackMs(rule), at), verdicts: span.verdicts, expected: span.expected ?? [], drifts};
      for (const finding of evaluateRule(rule, inputs)) {
        const key = alertKey({rule: rule.name, experiment: finding.experiment, variant: finding.variant});
        const next = advanceAlert(span.stream, finding, memory.get(key) ?? null);
        if (next === null) continue;
        const shown = next.row.state === 'firing' ? {...next, row: {...next.row, context: {...next.row.context, last_values: lastValues(rule, finding, series)}}} : next;
        memory.set(key, shown.row);
        transitions.push(shown);
      }
    }
  }
  return transitions;
}

/** When a rule is due: at multiples of its step. Kinds that read verdicts know only the present. */
function timesOf(rule: Rule, {from, to, slideMs}: Span): EpochMs[] {
  if (!WINDOW_KINDS.includes(rule.kind) && rule.kind !== 'drift') return [to];
  const everyMs = stepMs(rule, slideMs);
  const times: EpochMs[] = [];
  const after = from ?? Math.max(0, to - everyMs);
  for (let at = (Math.floor(after / everyMs) + 1) * everyMs; at <= to; at += everyMs) times.push(epochMs(at));
  return times;
}

export const stepMs = ({kind, everyMs, windowMs}: Rule, slideMs: number): number => everyMs ?? (kind === 'dynamic' || kind === 'drift' ? windowMs : slideMs);

/** Windows that a rule needs from `first` on, each experiment, size and dimension read once. */
function windowLoader(span: Span): (rule: Rule, first: EpochMs) => Promise<WindowRow[]> {
  const {warehouse, stream, slideMs, to} = span;
  const known = new Map<string, Promise<WindowRow[]>>();
  return async (rule, first) => {
    const from = epochMs(Math.max(0, first - lookBackMs(rule)));
    // A rule that is judged rarely needs rarer windows only, as long as they meet its times.
    const hopMs = Math.max(slideMs, [rule.windowMs, stepMs(rule, slideMs), rule.dynamic?.seasonMs ?? 0].reduce(greatestCommonDivisor));
    const rows = (rule.experiment === '*' ? span.experiments : [rule.experiment]).map(experiment => {
      const {windowMs: sizeMs, dimension = null} = rule;
      const key = JSON.stringify([experiment, sizeMs, hopMs, from, dimension]);
      const loaded = known.get(key) ?? warehouse.windows({stream, experiment, sizeMs, slideMs: hopMs, from, to, ...(dimension === null ? {} : {dimension})});
      known.set(key, loaded);
      return loaded;
    });
    return (await Promise.all(rows)).flat();
  };
}

const greatestCommonDivisor = (a: number, b: number): number => (b === 0 ? a : greatestCommonDivisor(b, a % b));

const LAST_VALUES = 10;

/** The windows that led to the alert, oldest first. */
function lastValues(rule: Rule, {experiment, variant, at}: {readonly experiment: string; readonly variant: string; readonly at: EpochMs}, series: WindowSeries): readonly (readonly [string, number])[] {
  return series
    .between(at - lookBackMs(rule), at)
    .filter(row => row.experiment === experiment && (variant === '' || row.variant === variant) && row.metric === rule.metric)
    .slice(-LAST_VALUES)
    .map(row => [new Date(row.window_end).toISOString(), row[rule.statistic]] as const);
}
