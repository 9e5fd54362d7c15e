import {AssayError} from '../core/errors.ts';
import {type Fields, isFields, RuleReader} from './rule-reader.ts';
import {type Dynamic, RULE_ACTIONS, RULE_DIRECTIONS, RULE_KINDS, RULE_SEVERITIES, type Rule, type RuleKind, WINDOW_STATISTICS} from './rules.ts';

const COMMON = ['name', 'kind', 'experiment', 'variants', 'for', 'severity', 'labels', 'annotations', 'action', 'min_n'] as const;
const WINDOW = ['metric', 'dimension', 'statistic', 'window', 'every'] as const;

/** The fields that mean something for each kind. */
const KNOWN: Readonly<Record<RuleKind, readonly string[]>> = {
  window: [...COMMON, ...WINDOW, 'above', 'below'],
  dynamic: [...COMMON, ...WINDOW, 'sigmas', 'history', 'season', 'direction'],
  no_data: [...COMMON, 'metric', 'window', 'every'],
  budget: [...COMMON, 'metric', 'dimension', 'window', 'every', 'limit', 'tiers'],
  drift: [...COMMON, 'metric', 'window', 'every', 'reference', 'above'],
  pair_coverage: [...COMMON, 'below'],
  srm: [...COMMON, 'below'],
  crossovers: [...COMMON, 'above'],
  ledger: [...COMMON, 'above'],
};

/** What a kind compares with when its rule names no bound. */
const DEFAULT_BELOW: Partial<Record<RuleKind, number>> = {pair_coverage: 0.8, srm: 0.001, no_data: 1};
const DEFAULT_ABOVE: Partial<Record<RuleKind, number>> = {crossovers: 0.01, ledger: 0, drift: 0.15};
const DEFAULT_MIN_N: Partial<Record<RuleKind, number>> = {window: 30, drift: 100};

const TIERS = [{share: 0.5, severity: 'info'}, {share: 0.8, severity: 'warning'}, {share: 1, severity: 'critical'}] as const;

const SIGMAS = 3;
const HISTORY = 60;
/** More windows than this before one are no rolling mean but a report. */
const HISTORY_MAX = 1_440;

/**
 * Rules from a parsed YAML or JSON document: a list of objects, or `{rules: [...]}`.
 *
 *     rules:
 *       - {name: errors, metric: error_rate, window: 60s, above: 0.05, min_n: 50, for: 2m, severity: critical}
 *       - {name: slow, experiment: answer-model, metric: latency_ms, statistic: p95, window: 5m, above: 200}
 *       - {name: rush, kind: dynamic, metric: tokens_out, statistic: n, window: 1m, sigmas: 3, history: 60}
 *       - {name: silence, kind: no_data, window: 5m}
 *       - {name: spend, kind: budget, metric: cost_usd, window: 1d, limit: 100}
 *       - {name: shift, kind: drift, metric: tokens_in, window: 10m, reference: 1h}
 *       - {name: pairs, kind: pair_coverage, below: 0.8}
 *       - {name: split, kind: srm}
 *
 * @throws AssayError ASSAY_CONFIG_INVALID that lists every error at once.
 */
export function parseRules(document: unknown): Rule[] {
  const list = isFields(document) && 'rules' in document ? document['rules'] : document;
  if (!Array.isArray(list)) throw new AssayError('ASSAY_CONFIG_INVALID', 'rules: must be a list of rules');
  const errors: string[] = [];
  const names = new Set<string>();
  const rules = list.flatMap((item, index) => {
    const made = parseRule(item, new RuleReader(`rules[${index}]`, isFields(item) ? item : {}, errors));
    for (const {name} of made) {
      if (names.has(name)) errors.push(`rules[${index}].name: "${name}" is used twice; names must be unique`);
      names.add(name);
    }
    return made;
  });
  if (errors.length > 0) throw new AssayError('ASSAY_CONFIG_INVALID', errors.join('; '));
  return rules;
}

function parseRule(item: unknown, read: RuleReader): Rule[] {
  if (!isFields(item)) read.fail('', 'must be an object');
  const kind = read.oneOf('kind', RULE_KINDS, 'window');
  read.onlyKnown(KNOWN[kind]);
  const statistic = kind === 'budget' ? 'sum' : kind === 'no_data' ? 'n' : read.oneOf('statistic', WINDOW_STATISTICS, 'mean');
  const hasWindow = KNOWN[kind].includes('window');
  const isCounting = statistic === 'n' || statistic === 'sum';
  const rule: Rule = {
    name: read.text('name', null),
    kind,
    experiment: read.text('experiment', '*'),
    variants: read.names('variants'),
    metric: KNOWN[kind].includes('metric') ? read.text('metric', kind === 'no_data' ? '' : null) : '',
    dimension: dimensionOf(read),
    statistic,
    windowMs: hasWindow ? read.duration('window', null) : 0,
    everyMs: read.has('every') ? read.duration('every', null) : null,
    above: read.number('above', DEFAULT_ABOVE[kind] ?? null),
    below: read.number('below', DEFAULT_BELOW[kind] ?? null),
    dynamic: kind === 'dynamic' ? dynamicOf(read) : null,
    ...(kind === 'drift' ? {referenceMs: read.duration('reference', 3_600_000)} : {}),
    minN: read.count('min_n', kind === 'dynamic' && !isCounting ? 30 : (DEFAULT_MIN_N[kind] ?? 0)),
    forMs: read.duration('for', 0),
    severity: read.oneOf('severity', RULE_SEVERITIES, 'warning'),
    labels: read.texts('labels'),
    annotations: read.texts('annotations'),
    action: read.oneOf('action', RULE_ACTIONS, 'alert'),
  };
  checkBounds(rule, read);
  return kind === 'budget' ? budgetTiers(rule, read) : [rule];
}

function checkBounds(rule: Rule, read: RuleReader): void {
  const {kind, above, below, windowMs, everyMs} = rule;
  if (KNOWN[kind].includes('window') && (windowMs === 0 || windowMs % 1_000 !== 0)) read.fail('.window', 'must be whole seconds, longer than 0');
  if (everyMs !== null && everyMs !== undefined && (everyMs === 0 || everyMs % 1_000 !== 0)) read.fail('.every', 'must be whole seconds, longer than 0');
  if (kind === 'window' && above === null && below === null) read.fail('', 'needs above or below');
  if (kind === 'window' && above !== null && below !== null && above <= below) {
    read.fail('.above', `is ${above}, not larger than below (${below}): every value would breach`);
  }
}

/** `dimension: {region: eu}`. */
function dimensionOf(read: RuleReader): Rule['dimension'] & {} | null {
  const entries = Object.entries(read.texts('dimension'));
  const [first] = entries;
  if (entries.length > 1) read.fail('.dimension', 'must name one attribute and its value, like {region: eu}');
  return first === undefined ? null : {name: first[0], value: first[1]};
}

function dynamicOf(read: RuleReader): Dynamic {
  const sigmas = read.number('sigmas', SIGMAS) ?? SIGMAS;
  if (sigmas <= 0) read.fail('.sigmas', `must be larger than 0 (2 to 3 is usual), got ${sigmas}`);
  const history = read.count('history', HISTORY);
  if (history < 2 || history > HISTORY_MAX) read.fail('.history', `must be 2 to ${HISTORY_MAX} windows, got ${history}`);
  const seasonMs = read.has('season') ? read.duration('season', null) : null;
  if (seasonMs === 0) read.fail('.season', 'must be longer than 0, like 1d');
  return {sigmas, history, seasonMs, direction: read.oneOf('direction', RULE_DIRECTIONS, 'both')};
}

/** One rule per tier, each with its own severity: `spend@80%`. */
function budgetTiers(rule: Rule, read: RuleReader): Rule[] {
  const limit = read.number('limit', null);
  if (limit === null || limit <= 0) read.fail('.limit', 'must be a number larger than 0: the budget of one window');
  const written = read.entry('tiers');
  const tiers = written === undefined ? TIERS : tiersOf(written, read);
  return tiers.map(({share, severity}) => ({...rule, name: `${rule.name}@${Math.round(share * 100)}%`, above: (limit ?? 0) * share, severity}));
}

function tiersOf(written: unknown, read: RuleReader): readonly {readonly share: number; readonly severity: Rule['severity']}[] {
  const tiers = isFields(written) ? Object.entries(written as Fields) : [];
  const isFine = tiers.length > 0 && tiers.every(([share, severity]) => Number(share) > 0 && RULE_SEVERITIES.some(one => one === severity));
  if (!isFine) read.fail('.tiers', 'must map shares of the limit to severities, like {0.8: warning, 1: critical}');
  return isFine ? tiers.map(([share, severity]) => ({share: Number(share), severity: severity as Rule['severity']})) : [];
}
