import type {Metric} from '../../core/experiment.ts';
import {type EpochMs, epochMs, sliceStartOf} from '../../core/units.ts';
import type {Verdict} from '../../core/verdict.ts';
import {unitGroupsOf} from '../exact-groups.ts';
import {columnsOf, type ValueGroups} from '../value-groups.ts';
import type {AnalysisScope, AnalysisStore, ArmTotals, ExposureCounts, PairGroups, RelabelledArm, WeightedAsk, WeightedSums} from '../warehouse.ts';
import type {MemoryState} from './memory-state.ts';
import {armTotalsOf} from './arm-totals.ts';
import {type EventWeights, eventWeights, isMixed} from './event-weights.ts';
import {pairGroupsOf, unitSumsOf} from './pair-groups.ts';
import {isPlaced, ScopedFacts, type ScopedValue} from './scoped-outcomes.ts';
import {weightedGroups, weightedPlaces, weightedShares} from './weighted-sums.ts';

export class MemoryAnalysis implements AnalysisStore {
  readonly #state: MemoryState;

  constructor(state: MemoryState) {
    this.#state = state;
  }

  async newestPhase(scope: Omit<AnalysisScope, 'phase'>): Promise<number | null> {
    const facts = new ScopedFacts(this.#state, scope);
    const phases =
      scope.view.definition.design === 'split'
        ? facts.exposures().filter(({reason}) => reason === 'assigned').map(({phase}) => phase)
        : facts.placed().flatMap(({placement}) => (isPlaced(placement) ? [placement.phase] : []));
    return phases.length === 0 ? null : phases.reduce((a, b) => Math.max(a, b));
  }

  async exposureCounts(scope: AnalysisScope): Promise<ExposureCounts> {
    const facts = new ScopedFacts(this.#state, scope);
    const placed = facts.placed();
    const inPhase = placed.filter(({placement}) => isPlaced(placement) && placement.phase === scope.phase);
    const {unitsOf, crossover} = scope.view.definition.design === 'split' ? facts.arms(scope.phase) : itemsOf(inPhase);
    const withOutcome = new Set(inPhase.map(({outcome}) => outcome.unitId));
    const count = (units: ReadonlySet<string>): number => [...units].filter(unit => !withOutcome.has(unit)).length;
    const isSplit = scope.view.definition.design === 'split';
    const timing = isSplit ? timingOf(facts, {scope, unitsOf, inPhase}) : {};
    const others = facts.exposures().filter(({reason, phase}) => reason !== 'assigned' && phase === scope.phase);
    return {
      units: Object.fromEntries([...unitsOf].map(([variant, units]) => [variant, units.size])),
      crossoverUnits: crossover.size,
      overrideUnits: new Set(others.map(({unitId}) => unitId)).size,
      withoutOutcome: Object.fromEntries([...unitsOf].map(([variant, units]) => [variant, isSplit ? count(units) : 0])),
      ...timing,
      outcomesLate: inPhase.filter(({outcome}) => this.#isLate(scope.stream, outcome)).length,
      outcomesUnattributed: this.#unattributed(facts, scope),
    };
  }

  async armTotals(scope: AnalysisScope, metric: Metric): Promise<ArmTotals[]> {
    const facts = new ScopedFacts(this.#state, scope);
    const values = facts.values(metric, scope.phase);
    const {unitsOf} = facts.arms(scope.phase);
    const weights = eventWeights(facts, about(scope));
    const variants = new Set([...unitsOf.keys(), ...values.map(({variant}) => variant)]);
    return [...variants].sort().map(variant => {
      const own = values.filter(value => value.variant === variant);
      return {variant, ...armTotalsOf({metric, values: own, units: unitsOf.get(variant), weights})};
    });
  }

  /** Facts are in memory already. */
  async prepare(): Promise<void> {}

  async release(): Promise<void> {}

  async valueGroups(scope: AnalysisScope, metric: Metric, {per}: {readonly per: 'outcome' | 'unit'}): Promise<ValueGroups> {
    const facts = new ScopedFacts(this.#state, scope);
    const values = facts.values(metric, scope.phase);
    const groups = new Map<number, Record<string, number>>();
    const weights = mixedWeights(facts, scope);
    if (per === 'unit') return unitGroupsOf(unitSumsOf(values, {...metric, weights}), metric);
    if (weights !== null) return columnsOf(weightedGroups(values, weights));
    for (const {variant, value} of pointsOf(values, metric)) {
      const counts = groups.get(value) ?? {};
      counts[variant] = (counts[variant] ?? 0) + 1;
      groups.set(value, counts);
    }
    return columnsOf([...groups].sort(([a], [b]) => a - b).map(([value, counts]) => ({value, counts})));
  }

  async weightedSums(scope: AnalysisScope, metric: Metric, of: WeightedAsk): Promise<WeightedSums[]> {
    const facts = new ScopedFacts(this.#state, scope);
    const [values, weights] = [facts.values(metric, scope.phase), eventWeights(facts, about(scope))];
    return 'at' in of ? weightedShares(values, weights, of.at) : weightedPlaces(values, weights, of);
  }

  async pairGroups(
    scope: AnalysisScope,
    metric: Metric,
    of: {readonly control: string; readonly variant: string; readonly listedMax: number},
  ): Promise<PairGroups> {
    const facts = new ScopedFacts(this.#state, scope);
    return pairGroupsOf(facts.values(metric, scope.phase), {...of, metric, weights: mixedWeights(facts, scope)});
  }

  async relabelledArms(
    scope: AnalysisScope,
    {variant, relabellings, unitsMax}: {readonly variant: string; readonly relabellings: number; readonly unitsMax: number},
  ): Promise<RelabelledArm[]> {
    if (scope.view.definition.design !== 'split') return [];
    const facts = new ScopedFacts(this.#state, scope);
    const arm = [...(facts.arms(scope.phase).unitsOf.get(variant) ?? [])];
    const every = Math.max(1, Math.floor(arm.length / unitsMax));
    const weights = eventWeights(facts, about(scope));
    const units = arm.filter(unit => bitsOf(unit, 0xffff) % every === 0);
    return scope.view.definition.metrics.flatMap(metric => {
      const values = facts.values(metric, scope.phase);
      return Array.from({length: relabellings}, (_, relabelling) => relabelling).flatMap(relabelling =>
        ([0, 1] as const).map(half => {
          const own = new Set(units.filter(unit => (bitsOf(unit, relabelling) & 1) === half));
          const totals = armTotalsOf({metric, values: values.filter(({outcome}) => own.has(outcome.unitId)), units: own, weights});
          return {metric: metric.key, relabelling, half, totals: {variant: String(half), ...totals, eventFrom: null, eventTo: null}};
        }),
      );
    });
  }

  async offsetsUnder(stream: string, cut: EpochMs): Promise<Verdict['offsets']> {
    const spans = new Map<string, {log_epoch: number; partition: number; from: bigint; to: bigint}>();
    for (const {logEpoch, partition, offset, arrivalTs} of this.#state.stream(stream).arrivals.values()) {
      if (arrivalTs > cut) continue;
      const key = `${logEpoch}/${partition}`;
      const span = spans.get(key) ?? {log_epoch: logEpoch, partition, from: offset, to: offset + 1n};
      if (offset < span.from) span.from = offset;
      if (offset >= span.to) span.to = offset + 1n;
      spans.set(key, span);
    }
    return [...spans.values()]
      .sort((a, b) => a.log_epoch - b.log_epoch || a.partition - b.partition)
      .map(({from, to, ...place}) => ({...place, from: `${from}`, to: `${to}`}));
  }

  async measuresSeen(stream: string, experiment: string): Promise<string[]> {
    const store = this.#state.stream(stream);
    const names = new Set<string>();
    for (const outcome of store.outcomes.all()) {
      const isHinted = outcome.variantHint[experiment] !== undefined;
      if (!isHinted && !store.exposures.ofUnit(outcome.unitId).some(e => e.experiment === experiment)) continue;
      for (const name of Object.keys(outcome.measures)) names.add(name);
    }
    return [...names].sort();
  }

  explainSql(scope: AnalysisScope, metric: Metric): string {
    return `-- computed in memory: ${scope.view.experiment}, phase ${scope.phase}, ${metric.key}, cut ${scope.cut}`;
  }

  /** Outcomes that no experiment of the stream knows where to put; exposures of one that is not defined still attribute. */
  #unattributed(facts: ScopedFacts, scope: AnalysisScope): number {
    const known = this.#state.newestViews(scope.stream);
    const views = known.length === 0 ? [scope.view] : known;
    const names = new Set(views.map(({experiment}) => experiment));
    const exposures = this.#state.stream(scope.stream).exposures;
    return facts.placed().filter(({outcome}) => {
      const seen = exposures.ofUnit(outcome.unitId).filter(e => e.arrival.arrivalTs <= scope.cut);
      if (seen.some(e => !names.has(e.experiment) && e.reason === 'assigned' && e.eventTs <= outcome.eventTs)) return false;
      return views.every(view => {
        const placement = this.#state.place(view, outcome, seen);
        if (!isPlaced(placement)) return placement === 'unattributed';
        const lasting = Math.max(...view.definition.metrics.map(metric => metric.attributionMs));
        return placement.phaseEnd !== null && outcome.eventTs >= placement.phaseEnd + lasting;
      });
    }).length;
  }

  #isLate(stream: string, outcome: ScopedValue['outcome']): boolean {
    const record = this.#state.streamRecords.get(stream);
    if (record === undefined) return false;
    const sliceEnd = sliceStartOf(outcome.eventTs, record.sliceMs) + record.sliceMs;
    return outcome.arrival.arrivalTs > sliceEnd + record.latenessMs;
  }
}

type Timing = {
  readonly scope: AnalysisScope;
  readonly unitsOf: ReadonlyMap<string, ReadonlySet<string>>;
  readonly inPhase: ReturnType<ScopedFacts['placed']>;
};

const about = ({phase, view}: AnalysisScope): {phase: number; isSplit: boolean} => ({phase, isSplit: view.definition.design === 'split'});

function mixedWeights(facts: ScopedFacts, scope: AnalysisScope): EventWeights | null {
  const weights = eventWeights(facts, about(scope));
  return isMixed(weights) ? weights : null;
}

/** When units were first exposed, and which of them should have an outcome by now. */
function timingOf(facts: ScopedFacts, {scope, unitsOf, inPhase}: Timing): Pick<ExposureCounts, 'due' | 'firstSeen'> {
  const first = new Map<string, number>();
  for (const {unitId, eventTs, phase, reason} of facts.exposures()) {
    if (reason === 'assigned' && phase === scope.phase) first.set(unitId, Math.min(eventTs, first.get(unitId) ?? eventTs));
  }
  const seen = new Map<string, number>();
  for (const {outcome} of inPhase) seen.set(outcome.unitId, Math.min(outcome.eventTs, seen.get(outcome.unitId) ?? outcome.eventTs));
  const delays = [...seen].map(([unit, at]) => at - (first.get(unit) ?? at)).sort((a, b) => a - b);
  const graceMs = delays[Math.floor(0.99 * delays.length)] ?? 0;
  const arms = [...unitsOf].map(([variant, units]) => {
    const due = [...units].filter(unit => (first.get(unit) ?? 0) <= scope.cut - graceMs);
    return [variant, {units: due.length, withoutOutcome: due.filter(unit => !seen.has(unit)).length}] as const;
  });
  return {due: {graceMs, byVariant: Object.fromEntries(arms)}, firstSeen: firstSeenOf(unitsOf, first)};
}

function firstSeenOf(unitsOf: Timing['unitsOf'], first: ReadonlyMap<string, number>): NonNullable<ExposureCounts['firstSeen']> {
  const clean = [...unitsOf].flatMap(([variant, units]) => [...units].map(unit => ({variant, at: first.get(unit) ?? 0})));
  const from = clean.reduce((least, {at}) => Math.min(least, at), Number.POSITIVE_INFINITY);
  const to = clean.reduce((most, {at}) => Math.max(most, at), Number.NEGATIVE_INFINITY);
  const step = Math.floor((to - from) / 200) + 1;
  const looks = new Map<number, Record<string, number>>();
  for (const {variant, at} of clean) {
    const until = from + (Math.floor((at - from) / step) + 1) * step;
    const units = looks.get(until) ?? {};
    units[variant] = (units[variant] ?? 0) + 1;
    looks.set(until, units);
  }
  return [...looks].sort(([a], [b]) => a - b).map(([until, units]) => ({until: epochMs(until), units}));
}

/** FNV-1a with murmur's last mix: its low bits alone depend on the last letters. */
function bitsOf(unit: string, salt: number): number {
  let hash = 0x811c9dc5 ^ salt;
  for (let at = 0; at < unit.length; at += 1) hash = Math.imul(hash ^ unit.charCodeAt(at), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** In design `paired` an arm's units are its items. */
function itemsOf(placed: ReturnType<ScopedFacts['placed']>): {unitsOf: Map<string, Set<string>>; crossover: Set<string>} {
  const unitsOf = new Map<string, Set<string>>();
  for (const {outcome, placement} of placed) {
    if (!isPlaced(placement) || outcome.itemId === null) continue;
    unitsOf.set(placement.variant, (unitsOf.get(placement.variant) ?? new Set()).add(outcome.itemId));
  }
  return {unitsOf, crossover: new Set()};
}

/** What one outcome is in the distribution; a ratio without denominator is nothing. */
function pointsOf(values: readonly ScopedValue[], {aggregate}: Metric): {variant: string; value: number}[] {
  if (aggregate !== 'ratio') return values.map(({variant, value}) => ({variant, value}));
  return values.filter(({denominator}) => denominator !== 0).map(({variant, value, denominator}) => ({variant, value: value / denominator}));
}
