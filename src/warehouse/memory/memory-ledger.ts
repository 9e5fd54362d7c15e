import type {ExperimentView} from '../../core/experiment.ts';
import type {ArrivalRow, OutcomeFact} from '../../core/facts.ts';
import type {CommittedOffset, LedgerPartition} from '../warehouse.ts';
import {countsFor, type placeOutcome} from './attribute-outcome.ts';
import {isEarlier} from './fact-table.ts';
import type {StreamStore} from './stream-store.ts';

export type LedgerRequest = {
  readonly committed: readonly CommittedOffset[];
  readonly views: readonly ExperimentView[];
  readonly place: typeof placeOutcome;
};

/** DESIGN C6: duplicates and conflicts are counted from arrivals, accepted events from facts too. */
export function ledgerOf(store: StreamStore, {committed, views, place}: LedgerRequest): LedgerPartition[] {
  const first = new Map<bigint, ArrivalRow>();
  for (const row of store.arrivals.values()) {
    if (!isEvent(row)) continue;
    const known = first.get(row.idHash);
    if (known === undefined || isEarlier(row, known)) first.set(row.idHash, row);
  }
  const isForgotten = ({idHash, arrivalTs}: ArrivalRow): boolean => arrivalTs <= (store.forgottenIds.get(idHash) ?? Number.NEGATIVE_INFINITY);
  return committed.map(place0 => {
    const {logEpoch, partition, offset: endOffset} = place0;
    const isHere = (at: {logEpoch: number; partition: number; offset: bigint}): boolean =>
      at.logEpoch === logEpoch && at.partition === partition && at.offset < endOffset;
    const rows = [...store.arrivals.values()].filter(isHere);
    const events = rows.filter(row => isEvent(row) && !isForgotten(row));
    const repeats = events.filter(row => first.get(row.idHash) !== row);
    const outcomes = store.outcomes.all().filter(({arrival}) => isHere(arrival));
    const exposures = store.exposures.all().filter(({arrival}) => isHere(arrival));
    const firstOffset = rows.reduce<bigint | null>((min, {offset}) => (min === null || offset < min ? offset : min), null);
    const fates = outcomes.map(outcome => fateOf(outcome, {store, views, place}));
    return {
      logEpoch,
      partition,
      firstOffset,
      endOffset,
      appended: rows.filter(({kind}) => kind !== 'tick').length,
      accepted: events.length - repeats.length,
      duplicate: repeats.length,
      conflict: repeats.filter(row => first.get(row.idHash)?.payloadHash !== row.payloadHash).length,
      deadLettered: rows.filter(({kind}) => kind === 'dead_letter').length,
      forgotten: rows.filter(row => row.kind === 'forgotten' || (isEvent(row) && isForgotten(row))).length,
      ticks: rows.filter(({kind}) => kind === 'tick').length,
      gaps: firstOffset === null ? 0 : Number(endOffset - firstOffset) - rows.length,
      facts: outcomes.length + exposures.length,
      outcomesAttributed: fates.filter(fate => fate === 'attributed').length,
      outcomesCrossover: fates.filter(fate => fate === 'crossover').length,
      outcomesUnattributed: fates.filter(fate => fate === 'unattributed').length,
    };
  });
}

const isEvent = ({kind}: ArrivalRow): boolean => kind === 'exposure' || kind === 'outcome';

/** The first that applies: attributed in any experiment, crossover in any, unattributed. */
function fateOf(
  outcome: OutcomeFact,
  {store, views, place}: {store: StreamStore; views: readonly ExperimentView[]; place: LedgerRequest['place']},
): 'attributed' | 'crossover' | 'unattributed' {
  const exposures = store.exposures.ofUnit(outcome.unitId);
  let fate: 'crossover' | 'unattributed' = 'unattributed';
  for (const view of views) {
    const found = place(view, outcome, exposures);
    if (found === 'crossover') fate = 'crossover';
    if (typeof found === 'string') continue;
    const {metrics} = view.definition;
    if (metrics.length === 0 || metrics.some(metric => countsFor(metric, found, outcome.eventTs))) return 'attributed';
  }
  return fate;
}
