import type {Clock} from '../../core/clock.ts';
import type {FactBatch} from '../../core/facts.ts';
import type {Rng} from '../../core/rng.ts';
import type {Stream} from '../../core/streams.ts';
import {sliceStartOf} from '../../core/units.ts';
import type {LogConsumer} from '../../log/event-log.ts';
import type {Warehouse} from '../../warehouse/warehouse.ts';
import type {PlaceOutcome, SimWarehouseOptions} from './sim-ports.ts';

/** Wrong on purpose, around the ports of the real code, to see whether the simulation notices. */
export type Bug = {
  readonly warehouseOptions?: SimWarehouseOptions;
  readonly wrapWarehouse?: (inner: Warehouse, world: {clock: Clock; rng: Rng; stream: Stream}) => Warehouse;
  readonly wrapConsumer?: (inner: LogConsumer) => LogConsumer;
};

export const BUG_NAMES = [
  'commit-before-insert',
  'incremental-sums',
  'token-from-first-offset',
  'late-dropped',
  'cache-miss-ignored',
  'crossover-counted',
  'payload-time-in-key',
  'arrival-high-not-seeded',
  'commit-one-too-far',
  'revision-forgotten',
] as const;
export type BugName = (typeof BUG_NAMES)[number];

const hex = (id: Uint8Array): string => Buffer.from(id).toString('hex');

/** `place` is the right rule, which the wrong ones start from. */
export function plantedBug(name: BugName, place: PlaceOutcome): Bug {
  switch (name) {
    case 'commit-before-insert':
      return {wrapWarehouse: acknowledgeTooSoon};
    case 'incremental-sums': {
      // Every inserted copy adds to the sums, as a running total would.
      const numbers = new Map<object, number>();
      const numberOf = (fact: object): number => {
        if (!numbers.has(fact)) numbers.set(fact, numbers.size);
        return numbers.get(fact) ?? 0;
      };
      return {warehouseOptions: {identityOf: fact => String(numberOf(fact))}};
    }
    case 'token-from-first-offset':
      return {wrapWarehouse: trustToken};
    case 'late-dropped':
      return {wrapWarehouse: dropLate};
    case 'cache-miss-ignored':
      return {
        warehouseOptions: {
          placeOutcome: (view, outcome, exposures) =>
            place(view, outcome, exposures.filter(({arrival}) => arrival.arrivalTs <= outcome.arrival.arrivalTs)),
        },
      };
    case 'crossover-counted':
      return {
        warehouseOptions: {
          placeOutcome: (view, outcome, exposures) => {
            const found = place(view, outcome, exposures);
            return found === 'crossover' ? place(view, outcome, exposures.slice(0, 1)) : found;
          },
        },
      };
    case 'payload-time-in-key':
      return {warehouseOptions: {identityOf: fact => `${fact.kind} ${fact.eventTs} ${fact.unitId} ${hex(fact.eventId)}`}};
    case 'arrival-high-not-seeded':
      return {wrapWarehouse: inner => ({...inner, arrivalHigh: () => Promise.resolve(null)})};
    case 'commit-one-too-far':
      return {wrapConsumer: commitTooFar};
    case 'revision-forgotten':
      return {
        wrapWarehouse: inner => ({
          ...inner,
          reviseSlices: request => inner.reviseSlices({...request, sinceCut: request.cut}),
        }),
      };
  }
}

/** As with asynchronous inserts that nobody waits for. */
function acknowledgeTooSoon(inner: Warehouse, {clock, rng}: {clock: Clock; rng: Rng}): Warehouse {
  const later = async (batch: FactBatch): Promise<void> => {
    await clock.sleep(200);
    if (rng.next() < 0.9) await inner.insertFacts(batch);
  };
  return {
    ...inner,
    insertFacts: batch => {
      later(batch).catch(() => undefined);
      return Promise.resolve();
    },
  };
}

/** A batch is known by the first offset of its partitions; another batch from there is taken for a repeat. */
function trustToken(inner: Warehouse): Warehouse {
  const tokens = new Set<string>();
  return {
    ...inner,
    insertFacts: async batch => {
      const [first] = batch.arrivals;
      const token = `${first?.partition}/${first?.offset}`;
      if (tokens.has(token)) return;
      tokens.add(token);
      await inner.insertFacts(batch);
    },
  };
}

function dropLate(inner: Warehouse, {stream}: {stream: Stream}): Warehouse {
  return {
    ...inner,
    insertFacts: batch => {
      const outcomes = [...batch.outcomes].filter(({eventTs, arrival}) => {
        return arrival.arrivalTs <= sliceStartOf(eventTs, stream.sliceMs) + stream.sliceMs + stream.latenessMs;
      });
      return inner.insertFacts({...batch, outcomes});
    },
  };
}

function commitTooFar(inner: LogConsumer): LogConsumer {
  return {
    next: timeoutMs => inner.next(timeoutMs),
    confirm: logEpoch => inner.confirm(logEpoch),
    commit: offsets => inner.commit(offsets.map(({partition, offset}) => ({partition, offset: offset + 1n}))),
    pause: partitions => inner.pause(partitions),
    resume: partitions => inner.resume(partitions),
    endOffsets: () => inner.endOffsets(),
    close: () => inner.close(),
  };
}
