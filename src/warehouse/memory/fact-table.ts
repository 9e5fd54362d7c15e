import type {ExposureFact, OutcomeFact} from '../../core/facts.ts';
import type {Arrival} from '../../core/facts.ts';
import type {EpochMs} from '../../core/units.ts';

export type AnyFact = ExposureFact | OutcomeFact;

/** What makes two facts one: kind, unit and event id; the stream is the table's. */
export const identityOf = (fact: AnyFact): string =>
  `${fact.kind}\0${fact.unitId}\0${Buffer.from(fact.eventId).toString('hex')}`;

/** By arrival, then by position: of several copies the first counts. */
export function isEarlier(a: Arrival, b: Arrival): boolean {
  if (a.arrivalTs !== b.arrivalTs) return a.arrivalTs < b.arrivalTs;
  if (a.logEpoch !== b.logEpoch) return a.logEpoch < b.logEpoch;
  if (a.partition !== b.partition) return a.partition < b.partition;
  return a.offset < b.offset;
}

/** Every inserted copy is kept; reading chooses the earliest of each identity. */
export class FactTable<Fact extends AnyFact> {
  readonly #identity: (fact: AnyFact) => string;
  #copies: Fact[] = [];
  #forgotten: ReadonlyMap<string, EpochMs> = new Map();
  #chosen: readonly Fact[] = [];
  #chosenFrom = 0;
  #byUnit: ReadonlyMap<string, readonly Fact[]> = new Map();

  constructor(identity: (fact: AnyFact) => string) {
    this.#identity = identity;
  }

  insert(facts: readonly Fact[]): void {
    for (const fact of facts) this.#copies.push(fact);
  }

  /** Leaves out what a unit's tombstone covers, from here on. */
  hide(forgotten: ReadonlyMap<string, EpochMs>): void {
    this.#forgotten = forgotten;
    this.#chosenFrom = -1;
  }

  /** Every copy, forgotten ones too. */
  copies(): readonly Fact[] {
    return this.#copies;
  }

  erase(isErased: (fact: Fact) => boolean): void {
    this.#copies = this.#copies.filter(fact => !isErased(fact));
    this.#chosenFrom = -1;
  }

  /** Each fact once. */
  all(): readonly Fact[] {
    this.#choose();
    return this.#chosen;
  }

  ofUnit(unitId: string): readonly Fact[] {
    this.#choose();
    return this.#byUnit.get(unitId) ?? [];
  }

  #choose(): void {
    if (this.#chosenFrom === this.#copies.length) return;
    const first = new Map<string, Fact>();
    for (const fact of this.#copies) {
      const identity = this.#identity(fact);
      const known = first.get(identity);
      if (known === undefined || isEarlier(fact.arrival, known.arrival)) first.set(identity, fact);
    }
    this.#chosen = [...first.values()].filter(({unitId, arrival}) => arrival.arrivalTs > (this.#forgotten.get(unitId) ?? Number.NEGATIVE_INFINITY));
    this.#chosenFrom = this.#copies.length;
    this.#byUnit = groupByUnit(this.#chosen);
  }
}

function groupByUnit<Fact extends AnyFact>(facts: readonly Fact[]): Map<string, Fact[]> {
  const groups = new Map<string, Fact[]>();
  for (const fact of facts) {
    const group = groups.get(fact.unitId);
    if (group === undefined) groups.set(fact.unitId, [fact]);
    else group.push(fact);
  }
  return groups;
}
