import {AssayError} from '../core/errors.ts';
import {epochMs} from '../core/units.ts';
import type {Stream} from '../core/streams.ts';
import {backtest, type Episode} from '../guard/backtest.ts';
import {rulesOfGuards} from '../guard/rules.ts';
import {newestCut} from './analysis.ts';
import {currentViews} from './closing-config.ts';
import type {Platform} from './platform.ts';

const DAY_MS = 86_400_000;

export type GuardBacktest = {readonly rule: string; readonly from: string; readonly to: string; readonly episodes: readonly Episode[]};

/** When a guard would have fired over the stored slices of the last days. @throws AssayError ASSAY_NOT_FOUND */
export async function backtestGuard(platform: Platform, {stream, rule: name, days}: {readonly stream: Stream; readonly rule: string; readonly days: number}): Promise<GuardBacktest> {
  const {warehouse, registry} = platform;
  const rules = currentViews(registry, stream.name).flatMap(rulesOfGuards).filter(rule => rule.name === name);
  if (rules.length === 0) throw new AssayError('ASSAY_NOT_FOUND', `stream ${stream.name} has no guard on windows called ${JSON.stringify(name)}`);
  const to = await newestCut(platform, stream);
  if (to === null) throw new AssayError('ASSAY_NOT_FOUND', `stream ${stream.name} has no complete data yet`);
  const from = epochMs(Math.max(0, to - days * DAY_MS));
  const experiments = rules.map(({experiment}) => experiment);
  const episodes = await backtest({warehouse, stream: stream.name, slideMs: stream.sliceMs, experiments, rules, from, to, expected: []});
  return {rule: name, from: new Date(from).toISOString(), to: new Date(to).toISOString(), episodes};
}
