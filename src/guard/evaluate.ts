import type {EpochMs} from '../core/units.ts';
import {epochMs} from '../core/units.ts';
import type {Verdict} from '../core/verdict.ts';
import type {WindowRow} from '../warehouse/warehouse.ts';
import {dynamicBounds} from './dynamic-bounds.ts';
import type {Dynamic, Rule} from './rules.ts';

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
  /** Of a `dynamic` rule: what the bound was made from. */
  readonly spread?: {readonly mean: number; readonly sd: number; readonly sigmas: number; readonly history: number};
};

export type RuleInputs = {
  /** Present, in the stream's own time. */
  readonly at: EpochMs;
  /** Windows of the rule's size; any number per variant. */
  readonly windows: readonly WindowRow[];
  /** Newest verdict of each metric × variant. */
  readonly verdicts: readonly Verdict[];
  /** Who should have data, and since when; for `no_data`. */
  readonly expected?: readonly ExpectedData[];
  /** Distances of distributions; for `drift`. */
  readonly drifts?: readonly DriftReading[];
};

export type ExpectedData = {readonly experiment: string; readonly variants: readonly string[]; readonly since: EpochMs};

/** The KS distance of a measure's values in a window from those of the reference before it. */
export type DriftReading = {
  readonly experiment: string;
  readonly variant: string;
  readonly measure: string;
  readonly windowMs: number;
  readonly at: EpochMs;
  readonly distance: number | null;
  readonly n: number;
};

/** Pure: one finding per experiment × variant the rule covers. */
export function evaluateRule(rule: Rule, inputs: RuleInputs): Finding[] {
  switch (rule.kind) {
    case 'window':
      return windowFindings(rule, inputs);
    case 'dynamic':
      return rule.dynamic === null || rule.dynamic === undefined ? [] : dynamicFindings(rule, rule.dynamic, inputs);
    case 'no_data':
      return silenceFindings(rule, inputs);
    case 'budget':
      return budgetFindings(rule, inputs);
    case 'drift':
      return driftFindings(rule, inputs);
    default:
      return verdictFindings(rule, inputs);
  }
}

/** Each variant's window that ends at `at`, against those before it. */
function dynamicFindings(rule: Rule, dynamic: Dynamic, {at, windows}: RuleInputs): Finding[] {
  const mine = windows.filter(row => row.metric === rule.metric && isCovered(rule, row.experiment, row.variant) && row.window_end <= at);
  return [...seriesOfNewestPhase(mine).values()].flatMap(rows => {
    const [first] = rows;
    if (first === undefined) return [];
    const about = {experiment: first.experiment, variant: first.variant, at};
    const place = {windowStart: epochMs(at - rule.windowMs), windowEnd: at};
    const bounds = dynamicBounds(rule, dynamic, {rows, at});
    if (bounds.status !== 'ok') return [finding({...about, rule}, {n: 0, value: null, ...place, inconclusive: bounds.reason})];
    const {direction} = dynamic;
    const bounded = {...rule, above: direction === 'below' ? null : bounds.upper, below: direction === 'above' ? null : bounds.lower};
    const found = finding({...about, rule: bounded}, {n: bounds.n, value: bounds.value, ...place});
    return [{...found, rule, spread: {mean: bounds.mean, sd: bounds.sd, sigmas: dynamic.sigmas, history: dynamic.history}}];
  });
}

function seriesOfNewestPhase(rows: readonly WindowRow[]): Map<string, WindowRow[]> {
  const phases = newestPhases(rows);
  const series = new Map<string, WindowRow[]>();
  for (const row of rows) {
    if (row.phase !== phases.get(row.experiment)) continue;
    const key = JSON.stringify([row.experiment, row.variant]);
    const known = series.get(key);
    if (known === undefined) series.set(key, [row]);
    else known.push(row);
  }
  return series;
}

/** A variant that should have data and has no outcome in the window. */
function silenceFindings(rule: Rule, {at, windows, expected = []}: RuleInputs): Finding[] {
  const isLongEnough = ({since}: ExpectedData): boolean => at - since >= rule.windowMs;
  return expected.filter(isLongEnough).flatMap(({experiment, variants}) =>
    variants.filter(variant => isCovered(rule, experiment, variant)).map(variant => {
      const inside = windows.filter(row => row.experiment === experiment && row.variant === variant && row.window_end === at && (rule.metric === '' || row.metric === rule.metric));
      const n = inside.reduce((most, row) => Math.max(most, row.n), 0);
      return finding({rule, experiment, variant, at}, {n, value: n, windowStart: epochMs(at - rule.windowMs), windowEnd: at});
    }),
  );
}

/** The sum over all variants that the rule covers, one finding per experiment. */
function budgetFindings(rule: Rule, {at, windows}: RuleInputs): Finding[] {
  const mine = windows.filter(row => row.metric === rule.metric && isCovered(rule, row.experiment, row.variant) && row.window_end === at);
  return [...new Set(mine.map(row => row.experiment))].map(experiment => {
    const rows = mine.filter(row => row.experiment === experiment);
    const total = (of: (row: WindowRow) => number): number => rows.reduce((sum, row) => sum + of(row), 0);
    return finding({rule, experiment, variant: '', at}, {n: total(row => row.n), value: total(row => row.sum), windowStart: epochMs(at - rule.windowMs), windowEnd: at});
  });
}

function driftFindings(rule: Rule, {at, drifts = []}: RuleInputs): Finding[] {
  return drifts
    .filter(one => one.measure === rule.metric && one.windowMs === rule.windowMs && one.at === at && isCovered(rule, one.experiment, one.variant))
    .map(({experiment, variant, distance, n}) => finding({rule, experiment, variant, at}, {n, value: distance, windowStart: epochMs(at - rule.windowMs), windowEnd: at}));
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
  const phases = newestPhases(rows);
  const newest = new Map<string, WindowRow>();
  for (const row of rows) {
    if (row.phase !== phases.get(row.experiment)) continue;
    const key = JSON.stringify([row.experiment, row.variant]);
    const known = newest.get(key);
    if (known === undefined || isNewer(row, known)) newest.set(key, row);
  }
  return newest;
}

function newestPhases(rows: readonly WindowRow[]): Map<string, number> {
  const phases = new Map<string, number>();
  for (const row of rows) phases.set(row.experiment, Math.max(row.phase, phases.get(row.experiment) ?? row.phase));
  return phases;
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

/** What a kind reads in a verdict: null where the row has no such number. */
const READ_VERDICT = {
  srm: ({srm_p_value: p}: Verdict) => p,
  pair_coverage: ({pair_coverage: coverage}: Verdict) => coverage,
  crossovers: ({health}: Verdict) => health.crossovers.share,
  // No slice checked is as bad as one that differs.
  ledger: ({health, audit}: Verdict) =>
    (health.ledger.status === 'not-checked' ? 0 : health.ledger.mismatch) + (audit.checked_at === null ? 0 : audit.slices_checked === 0 ? 1 : (audit.mismatch ?? 0)),
} as const;

function verdictFindings(rule: Rule, {at, verdicts}: RuleInputs): Finding[] {
  const {kind} = rule;
  if (kind !== 'srm' && kind !== 'pair_coverage' && kind !== 'crossovers' && kind !== 'ledger') return [];
  const mine = verdicts.filter(verdict => isCovered(rule, verdict.experiment, verdict.variant));
  // One finding per variant: the worst of its metrics.
  const worst = new Map<string, {verdict: Verdict; value: number}>();
  for (const verdict of mine) {
    const value = READ_VERDICT[kind](verdict);
    if (value === null) continue;
    const key = JSON.stringify([verdict.experiment, verdict.variant]);
    const known = worst.get(key);
    if (known === undefined || (rule.above === null ? value < known.value : value > known.value)) worst.set(key, {verdict, value});
  }
  return [...worst.values()].map(({verdict, value}) => {
    const about = {rule, experiment: verdict.experiment, variant: verdict.variant};
    const n = kind === 'pair_coverage' ? (verdict.pairs ?? 0) : unitsOf(verdict);
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
