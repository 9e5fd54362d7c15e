import type {EpochMs} from '../core/units.ts';
import type {WindowRow} from '../warehouse/warehouse.ts';
import type {Dynamic, Rule} from './rules.ts';

/**
 * mean ± k·σ of the windows before the one judged, σ with n − 1:
 *
 *     history: 5, adjacent      ├─1─┼─2─┼─3─┼─4─┼─5─┼─now─┤
 *     history: 3, season: 1d    ├─1─┤ …24 h… ├─2─┤ …24 h… ├─3─┤ …24 h… ├─now─┤
 *
 * A window without data counts 0 for `n` and `sum`, once the series has begun; for
 * other statistics it is left out, and half of the windows must be there.
 */
export type Bounds =
  | {readonly status: 'ok'; readonly value: number; readonly n: number; readonly mean: number; readonly sd: number; readonly upper: number; readonly lower: number}
  | {readonly status: 'not-computable'; readonly reason: string};

/** How far before a window its rule must see: a silence as long as the history begins the series anew. */
export const lookBackMs = (rule: Rule): number => {
  const {dynamic, windowMs} = rule;
  return dynamic === null || dynamic === undefined ? windowMs : (dynamic.history + 1) * (dynamic.seasonMs ?? windowMs) * (dynamic.seasonMs === null ? 2 : 1) + windowMs;
};

/** `rows` are one variant's windows of the rule's size, any number. */
export function dynamicBounds(rule: Rule, {history, sigmas, seasonMs}: Dynamic, {rows, at}: {readonly rows: readonly WindowRow[]; readonly at: EpochMs}): Bounds {
  const statistic = rule.statistic;
  const isCounting = statistic === 'n' || statistic === 'sum';
  const byEnd = new Map(rows.map(row => [Number(row.window_end), row]));
  const begin = Math.min(...rows.map(row => row.window_start));
  const valueAt = (end: number): number | null => {
    const row = byEnd.get(end);
    if (row !== undefined) return row[statistic];
    return isCounting && end - rule.windowMs >= begin ? 0 : null;
  };
  const value = valueAt(at);
  if (value === null) return {status: 'not-computable', reason: 'no window has data'};
  const before = Array.from({length: history}, (_, index) => valueAt(at - (index + 1) * (seasonMs ?? rule.windowMs))).filter(one => one !== null);
  const needed = isCounting ? history : Math.max(2, Math.ceil(history / 2));
  if (before.length < needed) return {status: 'not-computable', reason: `${before.length} windows before it, ${needed} are needed`};
  const mean = before.reduce((sum, one) => sum + one, 0) / before.length;
  const sd = Math.sqrt(before.reduce((sum, one) => sum + (one - mean) ** 2, 0) / (before.length - 1));
  return {status: 'ok', value, n: byEnd.get(at)?.n ?? 0, mean, sd, upper: mean + sigmas * sd, lower: mean - sigmas * sd};
}
