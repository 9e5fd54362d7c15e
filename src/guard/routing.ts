import type {AlertRow} from '../warehouse/warehouse.ts';
import {isFields, RuleReader} from './rule-reader.ts';

/**
 * Who is told of an alert, Alertmanager's way: a tree of routes by label. An alert goes
 * down to the deepest route that matches; `continue` tries the next sibling too. What a
 * route does not say it has from its parent.
 *
 *     route:
 *       receivers: [ops]
 *       group_by: [rule, experiment]
 *       repeat: 4h
 *       routes:
 *         - {match: {severity: critical}, receivers: [chat], continue: true}
 *     inhibit:
 *       - {source: {severity: critical}, target: {severity: warning}, equal: [experiment, variant]}
 *     silences:
 *       - {match: {experiment: answer-model}, from: 2026-11-21T08:00:00Z, until: 2026-11-21T10:00:00Z, reason: load test}
 */
export type Route = {
  readonly match: Labels;
  /** Names of webhooks; null for all that take alerts. */
  readonly receivers: readonly string[] | null;
  /** Alerts that change at one time and have these labels in common are one message; null for one each. */
  readonly groupBy: readonly string[] | null;
  /** How often an alert that still fires is told again; null for never. */
  readonly repeatMs: number | null;
  readonly doesContinue: boolean;
  readonly routes: readonly Route[];
};

export type Labels = Readonly<Record<string, string>>;
export type Inhibition = {readonly source: Labels; readonly target: Labels; readonly equal: readonly string[]};
export type Silence = {readonly match: Labels; readonly from: number; readonly until: number; readonly reason: string};
export type Routing = {readonly route: Route; readonly inhibitions: readonly Inhibition[]; readonly silences: readonly Silence[]};

export const EVERYBODY: Routing = {route: {match: {}, receivers: null, groupBy: null, repeatMs: null, doesContinue: false, routes: []}, inhibitions: [], silences: []};

/** What routes, silences and inhibition can ask for: the rule's own labels and those every alert has. */
export function labelsOf(row: AlertRow): Labels {
  const own = row.context['labels'];
  const labels = isFields(own) ? Object.fromEntries(Object.entries(own).map(([name, value]) => [name, String(value)])) : {};
  return {...labels, rule: row.rule, stream: row.stream, experiment: row.experiment, variant: row.variant, severity: row.severity};
}

const doesMatch = (labels: Labels, match: Labels): boolean => Object.entries(match).every(([name, value]) => labels[name] === value);

/** The routes an alert ends at; never empty. */
export function routesOf(route: Route, row: AlertRow): readonly Route[] {
  const labels = labelsOf(row);
  const found: Route[] = [];
  for (const child of route.routes) {
    if (!doesMatch(labels, child.match)) continue;
    found.push(...routesOf(child, row));
    if (!child.doesContinue) break;
  }
  return found.length === 0 ? [route] : found;
}

export const isSilenced = (row: AlertRow, silences: readonly Silence[], now: number): boolean =>
  silences.some(({match, from, until}) => from <= now && now < until && doesMatch(labelsOf(row), match));

/** Whether another alert that fires makes this one not worth a message. No alert inhibits itself. */
export const isInhibited = (row: AlertRow, firing: readonly AlertRow[], inhibitions: readonly Inhibition[]): boolean => {
  const labels = labelsOf(row);
  return inhibitions.some(({source, target, equal}) =>
    doesMatch(labels, target) &&
    firing.some(other => {
      const others = labelsOf(other);
      return other.alert_id !== row.alert_id && doesMatch(others, source) && equal.every(name => others[name] === labels[name]);
    }),
  );
};

/** Whether any inhibition could ever hold this alert back. */
export const isTarget = (row: AlertRow, inhibitions: readonly Inhibition[]): boolean => inhibitions.some(({target}) => doesMatch(labelsOf(row), target));

/** Errors are appended, each with its path. */
export function parseRouting(document: unknown, errors: string[]): Routing {
  if (!isFields(document)) return EVERYBODY;
  const {route, inhibit, silences} = document;
  return {
    route: route === undefined ? EVERYBODY.route : parseRoute(route, EVERYBODY.route, {path: 'route', errors}),
    inhibitions: listOf(inhibit, 'inhibit', errors).map((item, index) => {
      const read = readerOf(item, `inhibit[${index}]`, errors);
      read.onlyKnown(['source', 'target', 'equal']);
      if (!read.has('source') || !read.has('target')) read.fail('', 'needs source and target, both maps of labels');
      return {source: read.texts('source'), target: read.texts('target'), equal: read.names('equal') ?? []};
    }),
    silences: listOf(silences, 'silences', errors).map((item, index) => {
      const read = readerOf(item, `silences[${index}]`, errors);
      read.onlyKnown(['match', 'from', 'until', 'reason']);
      if (Object.keys(read.texts('match')).length === 0) read.fail('.match', 'must name a label at least: a silence of everything is `webhooks` without alerts');
      const [from, until] = [instant(read, 'from'), instant(read, 'until')];
      if (from >= until) read.fail('.until', 'must be after from');
      return {match: read.texts('match'), from, until, reason: read.text('reason', '')};
    }),
  };
}

type Place = {readonly path: string; readonly errors: string[]};

function parseRoute(item: unknown, parent: Route, {path, errors}: Place): Route {
  const read = readerOf(item, path, errors);
  read.onlyKnown(['match', 'receivers', 'group_by', 'repeat', 'continue', 'routes']);
  const route: Route = {
    match: read.texts('match'),
    receivers: read.names('receivers') ?? parent.receivers,
    groupBy: read.names('group_by') ?? parent.groupBy,
    repeatMs: read.has('repeat') ? read.duration('repeat', null) : parent.repeatMs,
    doesContinue: read.entry('continue') === true,
    routes: [],
  };
  if (route.repeatMs !== null && route.repeatMs < 60_000) read.fail('.repeat', 'must be a minute or longer');
  return {...route, routes: listOf(read.entry('routes'), `${path}.routes`, errors).map((child, index) => parseRoute(child, route, {path: `${path}.routes[${index}]`, errors}))};
}

function readerOf(item: unknown, path: string, errors: string[]): RuleReader {
  const read = new RuleReader(path, isFields(item) ? item : {}, errors);
  if (!isFields(item)) read.fail('', 'must be a map');
  return read;
}

function listOf(value: unknown, path: string, errors: string[]): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) return value;
  errors.push(`${path}: must be a list`);
  return [];
}

function instant(read: RuleReader, key: string): number {
  const value = read.entry(key);
  const at = value instanceof Date ? value.getTime() : typeof value === 'string' ? Date.parse(value) : Number.NaN;
  if (Number.isNaN(at)) read.fail(`.${key}`, 'must be a time such as 2026-11-21T08:00:00Z');
  return at;
}
