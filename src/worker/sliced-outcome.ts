import type {Outcome, OutcomeStatus} from '../core/events.ts';
import type {EpochMs} from '../core/units.ts';

/** What slices need of an outcome. Its measures are a list of names and as many values, from `valuesFrom` on. */
export type SlicedOutcome = {
  readonly unitId: string;
  readonly eventTs: EpochMs;
  readonly variantHint: Readonly<Record<string, string>>;
  /** A small number that this hint object mostly comes with, by which what was found out about it is found again; below 0 without. */
  readonly hintPlace: number;
  /** Equal lists are mostly one object, so that what was found out about a list is found again by it. */
  readonly measureNames: readonly string[];
  readonly measureValues: ArrayLike<number>;
  readonly valuesFrom: number;
  readonly status: OutcomeStatus;
  readonly sampleRate: number;
  readonly attributes: Readonly<Record<string, string>>;
};

type WholeOutcome = Pick<Outcome, 'unitId' | 'eventTs' | 'variantHint' | 'measures' | 'status' | 'sampleRate' | 'attributes'>;

export const NO_PLACE = -1;

const LISTS_MAX = 1_024;
const lists = new Map<string, readonly string[]>();

export function slicedOutcome({unitId, eventTs, variantHint, measures, status, sampleRate, attributes}: WholeOutcome): SlicedOutcome {
  const measureNames = listOf(Object.keys(measures));
  return {unitId, eventTs, variantHint, hintPlace: NO_PLACE, measureNames, measureValues: Object.values(measures), valuesFrom: 0, status, sampleRate, attributes};
}

/** The one list with these names. */
function listOf(names: readonly string[]): readonly string[] {
  const text = names.join('\0');
  const known = lists.get(text);
  if (known !== undefined) return known;
  if (lists.size >= LISTS_MAX) lists.clear();
  lists.set(text, names);
  return names;
}
