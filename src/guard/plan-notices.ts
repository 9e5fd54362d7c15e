import type {EpochMs} from '../core/units.ts';
import type {AlertRow} from '../warehouse/warehouse.ts';
import {noticeId, noticesToRepeat} from './alert-state.ts';
import {isInhibited, isSilenced, isTarget, labelsOf, type Route, type Routing, routesOf} from './routing.ts';

/** One message to one receiver about one alert, or about several of a group. */
export type PlannedNotice = {
  readonly receiver: string;
  /** The same for the same message, whoever plans it and however often. */
  readonly about: readonly unknown[];
  readonly alerts: readonly [AlertRow, ...AlertRow[]];
  /** Of a resolved alert that may have been inhibited: the message that told of it firing; without that one there is nothing to take back. */
  readonly firstAbout: readonly unknown[] | null;
};

export type NoticePlan = {
  /** Newest row of each alert. */
  readonly rows: readonly AlertRow[];
  readonly routing: Routing;
  /** Webhooks that take alerts. */
  readonly receivers: readonly string[];
  readonly now: EpochMs;
  /** A replayed stream is over: nothing in it still goes on. */
  readonly isLive: boolean;
};

/**
 * Everything that should have been said by now, from stored rows alone. Planning again,
 * after a restart or at every look, names the same messages, and the outbox knows them.
 */
export function planNotices({rows, routing, receivers, now, isLive}: NoticePlan): PlannedNotice[] {
  const firing = rows.filter(({state}) => state === 'firing');
  const planned = new Map<string, PlannedNotice>();
  for (const row of noticesToRepeat(rows)) {
    const isResolved = row.state === 'resolved';
    // An alert that came and went between two looks is told as resolved; one that was silenced is not.
    if (isSilenced(row, routing.silences, isResolved ? firedAt(row) : now)) continue;
    if (!isResolved && isInhibited(row, firing, routing.inhibitions)) continue;
    const mayBeUntold = isResolved && isTarget(row, routing.inhibitions);
    for (const route of routesOf(routing.route, row)) {
      for (const receiver of receivers.filter(name => route.receivers === null || route.receivers.includes(name))) {
        const turn = isLive ? repetition(row, route, now) : 0;
        const about = aboutOf(row, route, turn);
        const key = JSON.stringify([receiver, about]);
        const known = planned.get(key);
        if (known === undefined) planned.set(key, {receiver, about, alerts: [row], firstAbout: mayBeUntold ? firedAbout(row, route) : null});
        else if (!known.alerts.includes(row)) planned.set(key, {...known, alerts: [...known.alerts, row]});
      }
    }
  }
  return [...planned.values()];
}

/** How often an alert that still fires is due to be told again. */
const repetition = (row: AlertRow, {repeatMs}: Route, now: EpochMs): number =>
  repeatMs === null || row.state !== 'firing' ? 0 : Math.max(0, Math.floor((now - Date.parse(row.changed_at)) / repeatMs));

/** A group's message is named by what its alerts have in common, not by who is in it: members come and go. */
function aboutOf(row: AlertRow, {groupBy}: Route, turn: number): readonly unknown[] {
  const again = turn === 0 ? [] : [turn];
  if (groupBy === null) return ['alert', noticeId(row), ...again];
  return ['alerts', groupOf(row, groupBy), row.state, row.changed_at, ...again];
}

const groupOf = (row: AlertRow, groupBy: readonly string[]): readonly string[] => groupBy.map(name => labelsOf(row)[name] ?? '');

function firedAbout(row: AlertRow, {groupBy}: Route): readonly unknown[] {
  if (groupBy === null) return ['alert', `${row.alert_id}:firing`];
  return ['alerts', groupOf(row, groupBy), 'firing', new Date(firedAt(row)).toISOString()];
}

const firedAt = (row: AlertRow): number => Date.parse(typeof row.context['fired_at'] === 'string' ? row.context['fired_at'] : row.changed_at);
