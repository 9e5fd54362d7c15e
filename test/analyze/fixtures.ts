import type {AnalysisSettings, ExperimentDefinition, ExperimentView, Metric} from '../../src/core/experiment.ts';
import {quantise} from '../../src/core/exact.ts';
import {epochMs} from '../../src/core/units.ts';
import type {Verdict} from '../../src/core/verdict.ts';
import {decimalGrid} from '../../src/stats/decimal-grid.ts';
import type {AnalysisInputs, MetricInputs} from '../../src/analyze/inputs.ts';
import {columnsOf, type ValueGroups} from '../../src/warehouse/value-groups.ts';
import type {ArmTotals, ExposureCounts, PairGroups} from '../../src/warehouse/warehouse.ts';

export const DAY_MS = 86_400_000;
export const START = epochMs(Date.UTC(2026, 0, 1));
export const CUT = epochMs(START + DAY_MS);
export const VERSIONS: Verdict['versions'] = {assay: '0.1.0', node: 'v20', engine: 'memory'};
export const AUDITED: Verdict['audit'] = {mismatch: 0, slices_checked: 12, checked_at: '2026-01-02T00:00:00.000Z'};

export const SETTINGS: AnalysisSettings = {
  alpha: 0.05,
  correction: 'holm',
  lookEveryMs: 60_000,
  minN: 200,
  minRunMs: 0,
  maxN: null,
  maxRunMs: null,
  pairCoverageMin: 0.8,
  srmAlpha: 0.001,
  crossoverMax: 0.01,
  tuningN: 5_000,
};

export function makeMetric(over: Partial<Metric> = {}): Metric {
  return {
    key: 'score',
    aggregate: 'mean',
    measure: 'score',
    status: [],
    numerator: '',
    denominator: '',
    role: 'goal',
    direction: 'higher',
    minEffect: 0,
    tolerance: 0,
    scale: 9,
    attributionMs: 7 * DAY_MS,
    dimensions: [],
    ...over,
  };
}

export type DefinitionOver = Partial<Omit<ExperimentDefinition, 'analysis'>> & {readonly analysis?: Partial<AnalysisSettings>};

export function makeView(over: DefinitionOver = {}): ExperimentView {
  const definition: ExperimentDefinition = {
    experiment: 'answers',
    hypothesis: '',
    owner: '',
    design: 'split',
    unit: 'user',
    variants: [
      {key: 'a', weight: 50},
      {key: 'b', weight: 50},
    ],
    hasWeights: true,
    control: 'a',
    fallback: 'a',
    allocation: 1,
    layer: null,
    salt: 'answers',
    targeting: {},
    overrides: [],
    sampleRate: 1,
    metrics: [makeMetric()],
    guards: [],
    canary: null,
    lifecycle: 'running',
    ...over,
    analysis: {...SETTINGS, ...over.analysis},
  };
  const weights = Object.fromEntries(definition.variants.map(({key, weight}) => [key, weight]));
  return {
    stream: 'live',
    experiment: definition.experiment,
    version: 3,
    definition,
    phases: [{phase: 1, validFrom: START, validTo: null, weights}],
  };
}

/** Units of one arm: each a list of outcomes, or of [numerator, denominator]. */
export function makeTotals(variant: string, units: readonly (readonly number[])[], scale = 9): ArmTotals {
  return fromUnits(variant, units.map(values => values.map(value => [value, null] as const)), scale);
}

export function makeRatioTotals(variant: string, units: readonly (readonly (readonly [number, number])[])[], scale = 9): ArmTotals {
  return fromUnits(variant, units, scale);
}

function fromUnits(variant: string, units: readonly (readonly (readonly [number, number | null])[])[], scale: number): ArmTotals {
  let [outcomes, withOutcome, sumQ, squares, denominator, unitSquares, unitDenominators, cross] = [0, 0, 0n, 0n, 0n, 0n, 0n, 0n];
  const all: number[] = [];
  for (const unit of units) {
    let [s, d] = [0n, 0n];
    for (const [value, under] of unit) {
      const q = quantise(value, scale);
      s += q;
      d += under === null ? 1n : quantise(under, scale);
      squares += q * q;
      all.push(value);
    }
    outcomes += unit.length;
    withOutcome += unit.length > 0 ? 1 : 0;
    sumQ += s;
    denominator += d;
    unitSquares += s * s;
    unitDenominators += d * d;
    cross += s * d;
  }
  return {
    variant,
    units: units.length,
    unitsWithOutcome: withOutcome,
    outcomes,
    sumQ,
    sumSquaresQ: squares,
    denominatorQ: denominator,
    unitSumSquaresQ: unitSquares,
    unitDenominatorSquaresQ: unitDenominators,
    unitCrossQ: cross,
    eventFrom: all.length === 0 ? null : START,
    eventTo: all.length === 0 ? null : epochMs(START + 60_000),
  };
}

export function makeGroups(arms: Readonly<Record<string, readonly number[]>>): ValueGroups {
  const groups = new Map<number, Record<string, number>>();
  for (const [variant, values] of Object.entries(arms)) {
    for (const value of values) {
      const counts = groups.get(value) ?? {};
      counts[variant] = (counts[variant] ?? 0) + 1;
      groups.set(value, counts);
    }
  }
  return columnsOf([...groups].sort(([a], [b]) => a - b).map(([value, counts]) => ({value, counts})));
}

/** Item → value, null where the score is missing. Plain loops, as a reference. */
export function makePairs(control: ReadonlyMap<string, number | null>, variant: ReadonlyMap<string, number | null>): PairGroups {
  const scored = (arm: ReadonlyMap<string, number | null>, item: string): number | null => arm.get(item) ?? null;
  const [controls, variants]: [number[], number[]] = [[], []];
  let [itemsControl, itemsVariant, itemsEither] = [0, 0, 0];
  for (const item of new Set([...control.keys(), ...variant.keys()])) {
    const [c, v] = [scored(control, item), scored(variant, item)];
    if (c !== null) itemsControl++;
    if (v !== null) itemsVariant++;
    itemsEither++;
    if (c === null || v === null) continue;
    controls.push(c);
    variants.push(v);
  }
  const pairs = controls.length;
  const largest = [...controls, ...variants].reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const grid = decimalGrid(largest);
  const differences = variants.map((v, i) => v - (controls[i] ?? 0));
  const steps = differences.map(grid.toSteps);
  const counts = new Map<number, number>();
  for (const step of steps) counts.set(step, (counts.get(step) ?? 0) + 1);
  const sums = (values: readonly number[]) => ({
    total: values.reduce((sum, value) => sum + BigInt(grid.toSteps(value)), 0n),
    squares: values.reduce((sum, value) => sum + BigInt(grid.toSteps(value)) ** 2n, 0n),
  });
  return {
    pairs,
    itemsControl,
    itemsVariant,
    itemsEither,
    wins: steps.filter(step => step > 0).length,
    ties: steps.filter(step => step === 0).length,
    losses: steps.filter(step => step < 0).length,
    digits: largest === 0 ? 0 : -Math.round(Math.log10(grid.toValue(1))),
    difference: sums(differences),
    control: sums(controls),
    variant: sums(variants),
    differences: [...counts].sort(([a], [b]) => a - b).map(([step, count]) => ({difference: grid.toValue(step), count})),
    ranks: null,
    clusters: {count: pairs, squares: 0n, cross: 0n, sizes: BigInt(pairs)},
  };
}

export function makeMetricInputs(metric: Metric, arms: Readonly<Record<string, readonly (readonly number[])[]>>): MetricInputs {
  const flat = Object.fromEntries(Object.entries(arms).map(([key, units]) => [key, units.flat()]));
  const means = Object.fromEntries(
    Object.entries(arms).map(([key, units]) => [
      key,
      units.filter(unit => unit.length > 0).map(unit => unit.reduce((sum, value) => sum + value, 0) / unit.length),
    ]),
  );
  return {
    metric,
    totals: Object.entries(arms).map(([variant, units]) => makeTotals(variant, units, metric.scale)),
    outcomeGroups: {status: 'ok', groups: makeGroups(flat)},
    unitGroups: {status: 'ok', groups: makeGroups(means)},
    pairs: {},
    sql: `SELECT ${metric.key}`,
  };
}

export function makeExposures(units: Readonly<Record<string, number>>, over: Partial<ExposureCounts> = {}): ExposureCounts {
  return {
    units,
    crossoverUnits: 0,
    overrideUnits: 0,
    withoutOutcome: {},
    outcomesLate: 0,
    outcomesUnattributed: 0,
    ...over,
  };
}

export function makeInputs(view: ExperimentView, metrics: readonly MetricInputs[], exposures: ExposureCounts): AnalysisInputs {
  return {
    scope: {stream: view.stream, view, phase: 1, cut: CUT},
    exposures,
    offsets: [{log_epoch: 1, partition: 0, from: '0', to: '100'}],
    metrics,
  };
}

/** mulberry32, so that samples are the same everywhere. */
export function makeRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
