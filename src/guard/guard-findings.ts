import type {ExperimentView, Guard} from '../core/experiment.ts';
import type {EpochMs} from '../core/units.ts';
import type {GuardWindow} from '../warehouse/warehouse.ts';
import {dynamicAbove, HISTORY_WINDOWS} from './breaker.ts';
import {COMPARE_SIGMAS, compareWindows, defaultTolerance} from './compare-windows.ts';
import type {Finding} from './evaluate.ts';
import {judge, LAG_MS_MAX} from './guard-look.ts';
import {healthScore} from './health-score.ts';
import {type Rule, windowRuleOf} from './rules.ts';

/** A guard of an experiment, asked about one variant. */
export type GuardQuestion = {
  readonly view: ExperimentView;
  readonly guard: Guard;
  readonly index: number;
  readonly variant: string;
  /** End of the slice that still fills. */
  readonly at: EpochMs;
};

/** Which metrics' windows a guard needs. */
export function metricsOf({health = []}: ExperimentView['definition'], guard: Guard): readonly string[] {
  return guard.kind === 'health' ? health.map(({metric}) => metric) : [guard.metric];
}

/** How far back a guard's own earlier windows reach. */
export const earlierMsOf = ({kind, sigmas, windowMs}: Guard): number => (sigmas !== undefined && kind === undefined ? (HISTORY_WINDOWS + 1) * windowMs : 0);

/** What a guard says about a variant by windows; `rows` are of the present phase, any size and metric. */
export function findingOf(question: GuardQuestion, rows: readonly GuardWindow[]): Finding | undefined {
  const {guard} = question;
  const mine = rows.filter(row => row.window_end - row.window_start === guard.windowMs);
  if (guard.kind === 'compare') return newestConclusive(question, mine, comparedFinding);
  if (guard.kind === 'health') return newestConclusive(question, mine, healthFinding);
  const rule = ruleOf(question);
  return judge({...rule, above: dynamicAbove(guard, earlierValues(rule, mine, question.at))}, mine, question.at);
}

/** The rule whose alert an action of this guard is. */
export const ruleNameOf = ({experiment}: Pick<ExperimentView, 'experiment'>, {metric, kind}: Guard, index: number): string => `guard:${experiment}:${metric === '' ? kind : metric}:${index}`;

/** Guards that no alert rule stands for: their alert begins when they act, and ends when they give the weight back. */
export const alertsOfActions = (view: ExperimentView): string[] =>
  view.definition.guards.flatMap((guard, index) => (guard.kind === undefined ? [] : [ruleNameOf(view, guard, index)]));

export const ruleOf = ({view, guard, index, variant}: GuardQuestion): Rule =>
  ({...windowRuleOf(view, {guard, index, variants: [variant]}), name: ruleNameOf(view, guard, index), severity: 'critical'});

/** Windows end to end, that share no outcome with the newest one nor with each other. */
function earlierValues(rule: Rule, rows: readonly GuardWindow[], at: EpochMs): number[] {
  return rows
    .filter(row => row.metric === rule.metric && rule.variants?.includes(row.variant) && row.window_end < at && (at - row.window_end) % rule.windowMs === 0)
    .map(row => row[rule.statistic]);
}

/** The rows of one window, newest first, until one says something; see `judge`. */
function newestConclusive(question: GuardQuestion, rows: readonly GuardWindow[], find: (question: GuardQuestion, rows: readonly GuardWindow[]) => Finding): Finding {
  const ends = [...new Set(rows.map(row => row.window_end))].filter(end => end >= question.at - LAG_MS_MAX).sort((a, b) => b - a);
  const findings = ends.map(end => find(question, rows.filter(row => row.window_end === end)));
  return findings.find(({state}) => state !== 'inconclusive') ?? findings[0] ?? find(question, []);
}

/** What every finding of a window says about itself. */
function placed({at, guard, ...question}: GuardQuestion, rows: readonly GuardWindow[]) {
  const [row] = rows;
  return {
    rule: ruleOf({at, guard, ...question}),
    experiment: question.view.experiment,
    variant: question.variant,
    windowStart: row?.window_start ?? null,
    windowEnd: row?.window_end ?? null,
    at: row?.window_end ?? at,
  };
}

function comparedFinding(question: GuardQuestion, rows: readonly GuardWindow[]): Finding {
  const {view, guard, variant} = question;
  const metric = view.definition.metrics.find(({key}) => key === guard.metric);
  if (metric === undefined) throw new TypeError(`a definition without the metric ${guard.metric} of its guard`);
  const rowOf = (key: string): GuardWindow | undefined => rows.find(row => row.variant === key && row.metric === guard.metric);
  const tolerate = guard.tolerate ?? defaultTolerance(metric);
  const compared = compareWindows(variant, rowOf(view.definition.control), rowOf(variant), {metric, tolerate, minN: guard.minN, sigmas: guard.sigmas ?? COMPARE_SIGMAS});
  const isRelative = 'relative' in tolerate && compared.relative !== null;
  const state = compared.state === 'worse' ? 'breach' : compared.state === 'within' ? 'ok' : 'inconclusive';
  return {
    ...placed(question, rows),
    state,
    value: isRelative ? compared.relative : compared.difference,
    threshold: isRelative ? tolerate.relative : compared.tolerated,
    n: Math.min(compared.n_control, compared.n_variant),
    reason: compared.reason,
  };
}

function healthFinding(question: GuardQuestion, rows: readonly GuardWindow[]): Finding {
  const {view, guard, variant} = question;
  const {health = [], metrics} = view.definition;
  const found = healthScore(variant, rows, {health, metrics, minN: guard.minN, sigmas: guard.sigmas ?? COMPARE_SIGMAS});
  const below = guard.below ?? 0;
  const {score, best_case: bestCase, n, reason} = found;
  const state = score === null || bestCase === null ? 'inconclusive' : bestCase < below ? 'breach' : score >= below ? 'ok' : 'inconclusive';
  return {...placed(question, rows), state, value: score, threshold: below, n, reason};
}
