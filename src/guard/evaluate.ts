import type {EpochMs} from '../core/units.ts';
import {epochMs} from '../core/units.ts';
import type {Verdict} from '../core/verdict.ts';
import type {WindowRow} from '../warehouse/warehouse.ts';
import type {Rule} from './rules.ts';

/** What one rule says about one variant now. Inconclusive is neither breach nor calm: it changes no alert. */
export type Finding = {
  readonly rule: Rule;
  readonly experiment: string;
  readonly variant: string;
  readonly state: 'breach' | 'ok' | 'inconclusive';
  readonly value: number | null;
  /** The bound that was passed, otherwise the one compared with. */
  readonly threshold: number | null;
  readonly n: number;
  readonly windowStart: EpochMs | null;
  readonly windowEnd: EpochMs | null;
  /** The data time of the finding: the window's end, or the cut of the verdict. */
  readonly at: EpochMs;
  readonly reason: string;
};

export type RuleInputs = {
  /** Present, in the stream's own time. */
  readonly at: EpochMs;
  /** Windows of the rule's size; any number per variant. */
  readonly windows: readonly WindowRow[];
  /** Newest verdict of each metric × variant. */
  readonly verdicts: readonly Verdict[];
};

/** Pure: one finding per experiment × variant the rule covers. */
export function evaluateRule(rule: Rule, inputs: RuleInputs): Finding[] {
  return rule.kind === 'window' ? windowFindings(rule, inputs) : verdictFindings(rule, inputs);
}

function windowFindings(rule: Rule, {at, windows}: RuleInputs): Finding[] {
  const mine = windows.filter(row => row.metric === rule.metric && isCovered(rule, row.experiment, row.variant) && row.window_end <= at);
  const found = [...newestPerVariant(mine).values()].map(row => windowFinding(rule, row, at));
  const silent = (rule.experiment === '*' ? [] : (rule.variants ?? [])).filter(
    variant => !found.some(finding => finding.variant === variant),
  );
  const missing = silent.map(variant =>
    finding({rule, experiment: rule.experiment, variant, at}, {n: 0, value: null, inconclusive: 'no window has data'}),
  );
  return [...found, ...missing];
}

/** The newest window of the newest phase: an older split no longer tells how the present one does. */
function newestPerVariant(rows: readonly WindowRow[]): Map<string, WindowRow> {
  const phases = new Map<string, number>();
  for (const row of rows) phases.set(row.experiment, Math.max(row.phase, phases.get(row.experiment) ?? row.phase));
  const newest = new Map<string, WindowRow>();
  for (const row of rows) {
    if (row.phase !== phases.get(row.experiment)) continue;
    const key = JSON.stringify([row.experiment, row.variant]);
    const known = newest.get(key);
    if (known === undefined || isNewer(row, known)) newest.set(key, row);
  }
  return newest;
}

function isNewer(row: WindowRow, known: WindowRow): boolean {
  return row.window_end > known.window_end || (row.window_end === known.window_end && row.revision > known.revision);
}

function windowFinding(rule: Rule, row: WindowRow, at: EpochMs): Finding {
  const about = {rule, experiment: row.experiment, variant: row.variant, at: row.window_end};
  const bounds = {windowStart: row.window_start, windowEnd: row.window_end};
  const value = rule.statistic === 'n' ? row.n : row[rule.statistic];
  if (row.window_end <= at - rule.windowMs) {
    return finding({...about, at}, {n: row.n, value: null, ...bounds, inconclusive: 'the newest window with data is over'});
  }
  return finding(about, {n: row.n, value, ...bounds});
}

function verdictFindings(rule: Rule, {at, verdicts}: RuleInputs): Finding[] {
  const mine = verdicts.filter(verdict => isCovered(rule, verdict.experiment, verdict.variant));
  const measured = mine.flatMap(verdict => {
    const value = rule.kind === 'srm' ? verdict.srm_p_value : verdict.pair_coverage;
    return value === null ? [] : [{verdict, value}];
  });
  // One finding per variant: the worst of its metrics.
  const worst = new Map<string, {verdict: Verdict; value: number}>();
  for (const one of measured) {
    const key = JSON.stringify([one.verdict.experiment, one.verdict.variant]);
    const known = worst.get(key);
    if (known === undefined || one.value < known.value) worst.set(key, one);
  }
  return [...worst.values()].map(({verdict, value}) => {
    const about = {rule, experiment: verdict.experiment, variant: verdict.variant};
    const n = rule.kind === 'srm' ? unitsOf(verdict) : (verdict.pairs ?? 0);
    // At the time of the verdict's data, so that asking twice is one alert.
    return finding({...about, at: epochMs(Math.min(at, verdict.cut.arrival_ts))}, {n, value});
  });
}

function unitsOf(verdict: Verdict): number {
  return Object.values(verdict.health.srm.observed).reduce((sum, units) => sum + units, 0);
}

function isCovered(rule: Rule, experiment: string, variant: string): boolean {
  const isExperiment = rule.experiment === '*' || rule.experiment === experiment;
  return isExperiment && (rule.variants === null || rule.variants.includes(variant));
}

type About = Pick<Finding, 'rule' | 'experiment' | 'variant' | 'at'>;

type Measured = {
  readonly n: number;
  readonly value: number | null;
  readonly windowStart?: EpochMs;
  readonly windowEnd?: EpochMs;
  readonly inconclusive?: string;
};

function finding(about: About, {n, value, windowStart, windowEnd, inconclusive}: Measured): Finding {
  const {rule} = about;
  const rest = {...about, n, value, windowStart: windowStart ?? null, windowEnd: windowEnd ?? null};
  const isAbove = value !== null && rule.above !== null && value > rule.above;
  const isBelow = value !== null && rule.below !== null && value < rule.below;
  const threshold = isBelow ? rule.below : (rule.above ?? rule.below);
  if (inconclusive !== undefined) return {...rest, threshold, state: 'inconclusive', reason: inconclusive};
  if (value === null || !Number.isFinite(value)) return {...rest, value: null, threshold, state: 'inconclusive', reason: 'there is no value'};
  if (n < rule.minN) return {...rest, threshold, state: 'inconclusive', reason: `n = ${n} is below min_n = ${rule.minN}`};
  if (isAbove) return {...rest, threshold, state: 'breach', reason: `${value} is above ${threshold}`};
  if (isBelow) return {...rest, threshold, state: 'breach', reason: `${value} is below ${threshold}`};
  return {...rest, threshold, state: 'ok', reason: `${value} is within bounds`};
}
