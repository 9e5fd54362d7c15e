import type {EpochMs} from '../../core/units.ts';
import {CLOSING_LIMITS} from './closing-limits.ts';

export type HourLoad = {readonly hour: EpochMs; readonly outcomes: number};

/**
 * Slices to recompute together. A request costs half a second of CPU whatever it reads, and reads all
 * outcomes from its first slice to its last: late events of weeks, one here and one there, are few
 * requests where little lies between them, and apart where much does.
 *
 * @param slices starts of slices, ascending
 * @param hours how many outcomes each hour of event time holds, ascending; an hour that is left out holds none
 */
export function revisionGroups(slices: readonly EpochMs[], hours: readonly HourLoad[]): EpochMs[][] {
  const groups: EpochMs[][] = [];
  let read = 0;
  let at = 0;
  for (const slice of slices) {
    let between = 0;
    for (; at < hours.length && (hours[at] as HourLoad).hour <= slice; at++) between += (hours[at] as HourLoad).outcomes;
    const group = groups.at(-1);
    const isNear = between <= CLOSING_LIMITS.revisionGapOutcomes && read + between <= CLOSING_LIMITS.outcomesAtOnce;
    if (group !== undefined && isNear && group.length < CLOSING_LIMITS.revisedSlicesAtOnce) {
      group.push(slice);
      read += between;
    } else {
      groups.push([slice]);
      read = 0;
    }
  }
  return groups;
}
