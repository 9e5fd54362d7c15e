import {assert} from '../core/assert.ts';
import type {EpochMs} from '../core/units.ts';
import type {DeliveryRow} from '../warehouse/warehouse.ts';
import {dueAt} from './delivery-state.ts';

/*
 * Messages about one thing (a treatment's decisions, an alert) form a lane. A lane is
 * sent in the order of its creation: while its head waits for a retry, the rest waits
 * behind it. Lanes do not wait for each other.
 *
 *     lane "decision live/answer-model/v2"   [roll_back: retry at 8:05] [ship: due]      → waits until 8:05
 *     lane "digest live"                     [2026-11-21: due]                            → ready
 */

/** What a message is about: its subject without the part after the last `: `. A subject without one stands alone. */
function laneOf(row: DeliveryRow): string {
  const end = row.subject.lastIndexOf(': ');
  return JSON.stringify(end < 0 ? [row.channel, row.subject, row.delivery_id] : [row.channel, row.subject.slice(0, end)]);
}

/** Due rows by lane, each oldest first. The rows must come oldest first. */
function lanesOf(rows: readonly DeliveryRow[]): [DeliveryRow, ...DeliveryRow[]][] {
  const lanes = new Map<string, [DeliveryRow, ...DeliveryRow[]]>();
  for (const row of rows) {
    const lane = lanes.get(laneOf(row));
    if (lane === undefined) lanes.set(laneOf(row), [row]);
    else lane.push(row);
  }
  return [...lanes.values()];
}

export type OpenLane = {readonly channel: string; readonly dueAt: EpochMs};

/** When each lane can go on: its head's time. */
export const openLanes = (rows: readonly DeliveryRow[]): OpenLane[] =>
  lanesOf(rows).flatMap(([head]) => {
    const at = dueAt(head);
    return at === null ? [] : [{channel: head.channel, dueAt: at}];
  });

/** Of each lane what may be attempted now, in order; lanes whose head must wait are left out. */
export const readyLanes = (rows: readonly DeliveryRow[], now: EpochMs): DeliveryRow[][] =>
  lanesOf(rows).flatMap(lane => {
    const waiting = lane.findIndex(row => (dueAt(row) ?? Infinity) > now);
    const ready = waiting < 0 ? lane : lane.slice(0, waiting);
    return ready.length === 0 ? [] : [ready];
  });

/** A message that failed this often goes alone: it may be what the receiver does not like. */
const TOGETHER_ATTEMPTS_MAX = 3;

/** The next rows that go out as one message, oldest first; null when nothing is ready. */
export function nextBatch(lanes: readonly (readonly DeliveryRow[])[], rowsMax: number): [DeliveryRow, ...DeliveryRow[]] | null {
  assert(rowsMax >= 1, 'a batch holds a row');
  const heads = lanes.flatMap(lane => lane[0] ?? []).sort(byCreation);
  const [oldest] = heads;
  if (oldest === undefined) return null;
  if (oldest.attempt >= TOGETHER_ATTEMPTS_MAX) return [oldest];
  // Behind one that goes alone, its lane waits.
  const [first = oldest, ...others] = lanes.flatMap(beforeAlone).sort(byCreation);
  return [first, ...others.slice(0, rowsMax - 1)];
}

function beforeAlone(lane: readonly DeliveryRow[]): readonly DeliveryRow[] {
  const alone = lane.findIndex(row => row.attempt >= TOGETHER_ATTEMPTS_MAX);
  return alone < 0 ? lane : lane.slice(0, alone);
}

const byCreation = (a: DeliveryRow, b: DeliveryRow): number => (a.created_at < b.created_at ? -1 : a.created_at > b.created_at ? 1 : 0);
