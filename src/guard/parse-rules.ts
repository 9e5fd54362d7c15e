import {AssayError} from '../core/errors.ts';
import {parseDuration} from '../experiment/duration.ts';
import {
  RULE_ACTIONS,
  RULE_KINDS,
  RULE_SEVERITIES,
  type Rule,
  WINDOW_STATISTICS,
} from './rules.ts';

type Fields = Readonly<Record<string, unknown>>;

const KNOWN = [
  'name', 'kind', 'experiment', 'variants', 'metric', 'statistic', 'window', 'above', 'below', 'min_n', 'for', 'severity', 'action',
] as const;

/** Coverage below this is an alert when a `pair_coverage` rule names no threshold. */
const PAIR_COVERAGE_FLOOR = 0.8;
/** The same for `srm`: alert when p is below. */
const SRM_ALPHA = 0.001;

/**
 * Rules from a parsed YAML or JSON document: a list of objects, or `{rules: [...]}`.
 *
 *     rules:
 *       - {name: errors, metric: error_rate, window: 60s, above: 0.05, min_n: 50, for: 2m, severity: critical}
 *       - {name: slow, experiment: answer-model, metric: latency_ms, statistic: p95, window: 5m, above: 200}
 *       - {name: pairs, kind: pair_coverage, below: 0.8}
 *       - {name: split, kind: srm}
 *
 * @throws AssayError ASSAY_CONFIG_INVALID that lists every error at once.
 */
export function parseRules(document: unknown): Rule[] {
  const list = isFields(document) && 'rules' in document ? document['rules'] : document;
  if (!Array.isArray(list)) throw new AssayError('ASSAY_CONFIG_INVALID', 'rules: must be a list of rules');
  const errors: string[] = [];
  const rules = list.map((item, index) => parseRule(item, new Reader(`rules[${index}]`, isFields(item) ? item : {}, errors)));
  const names = new Set<string>();
  rules.forEach((rule, index) => {
    if (names.has(rule.name)) errors.push(`rules[${index}].name: "${rule.name}" is used twice; names must be unique`);
    names.add(rule.name);
  });
  if (errors.length > 0) throw new AssayError('ASSAY_CONFIG_INVALID', errors.join('; '));
  return rules;
}

function parseRule(item: unknown, read: Reader): Rule {
  if (!isFields(item)) read.fail('', 'must be an object');
  read.onlyKnown();
  const kind = read.oneOf('kind', RULE_KINDS, 'window');
  const isWindow = kind === 'window';
  const rule: Rule = {
    name: read.text('name', null),
    kind,
    experiment: read.text('experiment', '*'),
    variants: read.names('variants'),
    metric: isWindow ? read.text('metric', null) : '',
    statistic: read.oneOf('statistic', WINDOW_STATISTICS, 'mean'),
    windowMs: isWindow ? read.duration('window', null) : 0,
    above: read.number('above', null),
    below: read.number('below', defaultBelow(kind)),
    minN: read.count('min_n', isWindow ? 30 : 0),
    forMs: read.duration('for', 0),
    severity: read.oneOf('severity', RULE_SEVERITIES, 'warning'),
    action: read.oneOf('action', RULE_ACTIONS, 'alert'),
  };
  if (isWindow && rule.windowMs === 0) read.fail('.window', 'must be longer than 0');
  if (isWindow && rule.above === null && rule.below === null) read.fail('', 'needs above or below');
  if (!isWindow && rule.above !== null) read.fail('.above', `has no meaning for kind ${kind}; use below`);
  if (rule.above !== null && rule.below !== null && rule.above <= rule.below) {
    read.fail('.above', `is ${rule.above}, not larger than below (${rule.below}): every value would breach`);
  }
  return rule;
}

function defaultBelow(kind: Rule['kind']): number | null {
  if (kind === 'pair_coverage') return PAIR_COVERAGE_FLOOR;
  return kind === 'srm' ? SRM_ALPHA : null;
}

/** Reads the fields of one rule and notes every error, so that all are told at once. */
class Reader {
  readonly #path: string;
  readonly #fields: Fields;
  readonly #errors: string[];

  constructor(path: string, fields: Fields, errors: string[]) {
    this.#path = path;
    this.#fields = fields;
    this.#errors = errors;
  }

  fail(field: string, message: string): void {
    this.#errors.push(`${this.#path}${field}: ${message}`);
  }

  onlyKnown(): void {
    for (const key of Object.keys(this.#fields)) {
      if (!KNOWN.some(known => known === key)) this.fail(`.${key}`, `is not known; known are ${KNOWN.join(', ')}`);
    }
  }

  text(key: string, fallback: string | null): string {
    const value = this.#fields[key];
    if (value === undefined && fallback !== null) return fallback;
    if (typeof value === 'string' && value.trim() !== '') return value;
    this.fail(`.${key}`, 'must be a text that is not empty');
    return '';
  }

  oneOf<T extends string>(key: string, choices: readonly T[], fallback: T): T {
    const value = this.#fields[key];
    if (value === undefined) return fallback;
    const found = choices.find(choice => choice === value);
    if (found === undefined) this.fail(`.${key}`, `must be one of ${choices.join(', ')}`);
    return found ?? fallback;
  }

  names(key: string): readonly string[] | null {
    const value = this.#fields[key];
    if (value === undefined) return null;
    if (Array.isArray(value) && value.length > 0 && value.every(name => typeof name === 'string' && name !== '')) return value;
    this.fail(`.${key}`, 'must be a list of variant names');
    return null;
  }

  number(key: string, fallback: number | null): number | null {
    const value = this.#fields[key];
    if (value === undefined) return fallback;
    if (typeof value === 'number' && Number.isFinite(value)) return value;
    this.fail(`.${key}`, 'must be a finite number');
    return fallback;
  }

  count(key: string, fallback: number): number {
    const value = this.#fields[key];
    if (value === undefined) return fallback;
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
    this.fail(`.${key}`, 'must be a whole number, 0 or more');
    return fallback;
  }

  /** Milliseconds from `90s`, `5m`, `1h`, `2d`, `500ms`. */
  duration(key: string, fallback: number | null): number {
    const value = this.#fields[key];
    if (value === undefined && fallback !== null) return fallback;
    const ms = typeof value === 'string' ? parseDuration(value.trim()) : undefined;
    if (ms !== undefined) return ms;
    this.fail(`.${key}`, 'must be a duration such as 500ms, 60s, 5m, 1h or 2d');
    return fallback ?? 1;
  }
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
