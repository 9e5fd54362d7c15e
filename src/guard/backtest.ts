import {AssayError} from '../core/errors.ts';
import {type EpochMs, epochMs} from '../core/units.ts';
import {type AlertMemory, judgeSpan, type Span} from './judge-span.ts';
import type {Prevented} from './prevented.ts';
import {type Rule, type RuleAction, WINDOW_KINDS} from './rules.ts';

/** One time that a rule would have fired. */
export type Episode = {
  readonly rule: string;
  readonly experiment: string;
  readonly variant: string;
  readonly action: RuleAction;
  readonly window_start: string | null;
  readonly fired_at: string;
  /** Null while it still fires at the end. */
  readonly resolved_at: string | null;
  readonly value: number | null;
  readonly threshold: number | null;
  readonly n: number;
  readonly reason: string;
  /** What the variant did meanwhile; null where nobody would have been cut off, or no one variant is meant. */
  readonly prevented: Prevented | null;
};

/** A stretch is judged piece by piece, so that its windows need not be in memory at once. */
const PIECE_MS = 6 * 3_600_000;

/** When rules on windows (and distributions, with `drifts`) would have fired over stored slices. Nothing is stored and nobody is told. */
export async function backtest(span: Omit<Span, 'verdicts' | 'from'> & {readonly from: EpochMs}): Promise<Episode[]> {
  const unfit = span.rules.filter(({kind}) => !WINDOW_KINDS.includes(kind) && (kind !== 'drift' || span.drifts === undefined));
  if (unfit.length > 0) {
    throw new AssayError('ASSAY_USAGE', `${unfit.map(({name, kind}) => `${name} (${kind})`).join(', ')} cannot be backtested: only rules on windows and distributions can (${[...WINDOW_KINDS, 'drift'].join(', ')})`);
  }
  const episodes = new Map<string, Episode>();
  const memory: AlertMemory = new Map();
  for (let from = span.from; from < span.to; from = epochMs(from + PIECE_MS)) {
    const to: EpochMs = epochMs(Math.min(span.to, from + PIECE_MS));
    for (const {row, isNotable} of await judgeSpan({...span, from, to, verdicts: []}, memory)) {
      if (!isNotable) continue;
      const known = episodes.get(row.alert_id);
      if (row.state === 'resolved' && known !== undefined) episodes.set(row.alert_id, {...known, resolved_at: row.changed_at});
      else {
        const {rule, experiment, variant, window_start, value, threshold, reason} = row;
        const about = {action: span.rules.find(({name}) => name === rule)?.action ?? 'alert', n: Number(row.context['n'] ?? 0), prevented: null};
        episodes.set(row.alert_id, {rule, experiment, variant, window_start, fired_at: row.changed_at, resolved_at: null, value, threshold, reason, ...about});
      }
    }
  }
  return [...episodes.values()].sort((a, b) => (a.fired_at < b.fired_at ? -1 : a.fired_at > b.fired_at ? 1 : 0));
}

/** The rules of a file that have the name; a budget's name stands for all its tiers. */
export const rulesNamed = (rules: readonly Rule[], name: string): readonly Rule[] => rules.filter(rule => rule.name === name || rule.name.startsWith(`${name}@`));
