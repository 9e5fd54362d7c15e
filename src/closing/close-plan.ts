import type {ExperimentView} from '../core/experiment.ts';
import type {Stream} from '../core/streams.ts';
import {type EpochMs, epochMs} from '../core/units.ts';

/**
 * The end of the newest slice that may close: its own cut, end + L, must lie
 * strictly below the progress. At the progress itself more may still arrive.
 *
 *     slice end T        T + L        progress
 *     ────┴────────────────┴─────────────┴──►  arrival time
 *         └───── L ────────┘      <
 */
export function closableThrough({sliceMs, latenessMs}: Stream, progress: EpochMs): EpochMs {
  return epochMs(Math.floor((progress - latenessMs - 1) / sliceMs) * sliceMs);
}

/** The arrival time up to which facts count for a slice when it closes. */
export const cutOfSliceEnd = (stream: Stream, sliceEnd: EpochMs): EpochMs => epochMs(sliceEnd + stream.latenessMs);

/** The largest cut that no fact can join any more. */
export const revisionCut = (progress: EpochMs): EpochMs => epochMs(progress - 1);

/** A run of slices that one request may close: they share their views. */
export type CloseStep = {readonly from: EpochMs; readonly through: EpochMs; readonly views: readonly ExperimentView[]};

export type CloseRange = {
  readonly stream: Stream;
  readonly from: EpochMs;
  readonly through: EpochMs;
  /** At most this many slices; beyond `emptyFrom` they cost nothing and are not counted. */
  readonly slicesMax: number;
  /** No slice from here on holds an outcome. */
  readonly emptyFrom: EpochMs;
  readonly viewsAt: (at: EpochMs) => readonly ExperimentView[];
};

/**
 * The first step of a range: as long as allowed, but cut off where the versions
 * valid at the slices' cuts change. Each slice is computed by the versions valid at
 * its own cut, however closers happen to batch; else two of them could disagree.
 */
export function nextStep({stream, from, through, slicesMax, emptyFrom, viewsAt}: CloseRange): CloseStep {
  const {sliceMs} = stream;
  const viewsOf = (start: EpochMs): readonly ExperimentView[] => viewsAt(cutOfSliceEnd(stream, epochMs(start + sliceMs)));
  const views = viewsOf(from);
  const signature = signatureOf(views);
  const bounded = from >= emptyFrom ? through : Math.min(through, from + slicesMax * sliceMs);
  // Versions only ever rise with time, so the first slice with other ones can be searched by halves.
  let same = 1;
  let other = Math.round((bounded - from) / sliceMs);
  const isSame = (slices: number): boolean => signatureOf(viewsOf(epochMs(from + (slices - 1) * sliceMs))) === signature;
  if (other > 1 && !isSame(other)) {
    while (other - same > 1) {
      const middle = Math.floor((same + other) / 2);
      if (isSame(middle)) same = middle;
      else other = middle;
    }
    return {from, through: epochMs(from + same * sliceMs), views};
  }
  return {from, through: epochMs(bounded), views};
}

const signatureOf = (views: readonly ExperimentView[]): string =>
  views.map(({experiment, version}) => `${experiment}\0${version}`).sort().join('\0\0');
