import {AssayError} from '../core/errors.ts';
import type {ExperimentView} from '../core/experiment.ts';
import type {Stream} from '../core/streams.ts';
import {type EpochMs, epochMs} from '../core/units.ts';
import {historyOf} from '../experiment/state.ts';
import {readDrift} from '../guard/alert-queries.ts';
import {backtest, type Episode, rulesNamed} from '../guard/backtest.ts';
import {backtestGuard as runGuardBacktest} from '../guard/backtest-guard.ts';
import {ruleNameOf} from '../guard/guard-findings.ts';
import {preventedIn} from '../guard/prevented.ts';
import {type Rule, rulesOfGuards} from '../guard/rules.ts';
import {expectedData, loadRuleFile} from './alerts.ts';
import {newestCut} from './analysis.ts';
import {currentViews} from './closing-config.ts';
import type {Platform} from './platform.ts';

const DAY_MS = 86_400_000;

export type BacktestSpan = {readonly stream: Stream; readonly from: EpochMs; readonly to: EpochMs};
export type GuardBacktest = {readonly rule: string; readonly from: string; readonly to: string; readonly episodes: readonly Episode[]};

/** When a guard would have acted over the stored slices of the last days. @throws AssayError ASSAY_NOT_FOUND */
export async function backtestGuard(platform: Platform, {stream, rule: name, days}: {readonly stream: Stream; readonly rule: string; readonly days: number}): Promise<GuardBacktest> {
  const views = currentViews(platform.registry, stream.name);
  if (!guardsOf(views).some(guard => guard.name === name)) throw new AssayError('ASSAY_NOT_FOUND', `stream ${stream.name} has no guard called ${JSON.stringify(name)}`);
  const to = await newestCut(platform, stream);
  if (to === null) throw new AssayError('ASSAY_NOT_FOUND', `stream ${stream.name} has no complete data yet`);
  const from = epochMs(Math.max(0, to - days * DAY_MS));
  return backtestNamed(platform, {stream, from, to, name});
}

/** The same for a rule of the rules file as well. Nothing is stored and nobody is told. @throws AssayError ASSAY_NOT_FOUND */
export async function backtestNamed(platform: Platform, {stream, from, to, name}: BacktestSpan & {readonly name: string}): Promise<GuardBacktest> {
  const {warehouse, registry, config} = platform;
  const views = currentViews(registry, stream.name);
  const span = {rule: name, from: new Date(from).toISOString(), to: new Date(to).toISOString()};
  const acting = guardsOf(views).find(guard => guard.name === name && guard.isActing);
  if (acting !== undefined) {
    const {view, index} = acting;
    const history = historyOf(registry.snapshot(), stream.name, view.experiment);
    return {...span, episodes: await runGuardBacktest({warehouse, view, history, index, sliceMs: stream.sliceMs, from, to})};
  }
  const ofGuards = rulesNamed(views.flatMap(rulesOfGuards), name);
  const written = ofGuards.length > 0 ? [] : loadRuleFile(config.text('rules.file')).rules;
  const rules = [...ofGuards, ...rulesNamed(written, name)];
  if (rules.length === 0) {
    const names = [...written, ...guardsOf(views)].map(one => one.name);
    throw new AssayError('ASSAY_NOT_FOUND', `no rule ${JSON.stringify(name)}; known: ${names.join(', ') || 'none, give a file with --rules'}`);
  }
  const experiments = views.map(view => view.experiment);
  const drifts = async (rule: Rule, at: EpochMs) => {
    const readings = await Promise.all((rule.experiment === '*' ? experiments : [rule.experiment]).map(experiment => readDrift(warehouse, rule, {stream: stream.name, experiment, at})));
    return readings.flat();
  };
  const episodes = await backtest({warehouse, stream: stream.name, slideMs: stream.sliceMs, experiments, rules, from, to, expected: expectedData(views), drifts});
  return {...span, episodes: await Promise.all(episodes.map(episode => withPrevented(platform, {views, rules, to, episode})))};
}

type NamedGuard = {readonly name: string; readonly view: ExperimentView; readonly index: number; readonly isActing: boolean};

const guardsOf = (views: readonly ExperimentView[]): NamedGuard[] =>
  views.flatMap(view => view.definition.guards.map((guard, index) => ({name: ruleNameOf(view, guard, index), view, index, isActing: guard.action !== 'alert'})));

/** An alert cuts nobody off: what somebody who heeds it at once would have prevented. */
async function withPrevented({warehouse}: Platform, {views, rules, to, episode}: {views: readonly ExperimentView[]; rules: readonly Rule[]; to: EpochMs; episode: Episode}): Promise<Episode> {
  const {experiment, variant, fired_at: firedAt, resolved_at: resolvedAt} = episode;
  const view = views.find(one => one.experiment === experiment);
  if (view === undefined || variant === '' || variant === view.definition.control) return episode;
  const metrics = rules.filter(rule => rule.name === episode.rule).map(({metric}) => metric);
  const stretch = {from: epochMs(Date.parse(firedAt)), to: resolvedAt === null ? to : epochMs(Date.parse(resolvedAt))};
  return {...episode, prevented: await preventedIn({warehouse, view, variant, metrics, stretches: [stretch]})};
}
