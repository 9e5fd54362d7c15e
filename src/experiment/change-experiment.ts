import {movedShare, type WeightedVariant} from '../assign/slots.ts';
import {AssayError} from '../core/errors.ts';
import type {ExperimentDefinition, Lifecycle} from '../core/experiment.ts';
import type {EpochMs} from '../core/units.ts';
import {invalid} from './make-record.ts';
import type {ExperimentRegistry} from './registry.ts';
import {currentOf, currentVersions, historyOf, type StoredVersion, streamsHolding} from './state.ts';

/** Who changes which experiment, why, and from what he saw. */
export type ChangeOf = {
  readonly stream: string;
  readonly experiment: string;
  readonly author: string;
  readonly reason: string;
  /** The version the author looked at; left out: the current one. A newer one refuses the change. */
  readonly expectedVersion?: number;
  /** Virtual time from which it holds; simulation streams only. */
  readonly validFrom?: EpochMs;
};

const STEPS = {
  start: {from: ['draft'], to: 'running'},
  pause: {from: ['running'], to: 'paused'},
  resume: {from: ['paused'], to: 'running'},
  conclude: {from: ['running', 'paused'], to: 'concluded'},
  archive: {from: ['draft', 'concluded'], to: 'archived'},
} as const satisfies Record<string, {readonly from: readonly Lifecycle[]; readonly to: Lifecycle}>;

export type LifecycleStep = keyof typeof STEPS;
export const LIFECYCLE_STEPS = Object.keys(STEPS) as readonly LifecycleStep[];

/** A first version. @throws AssayError ASSAY_EXPERIMENT_CONFLICT when there is one. */
export async function createExperiment(registry: ExperimentRegistry, definition: ExperimentDefinition, change: Omit<ChangeOf, 'experiment' | 'expectedVersion'>): Promise<StoredVersion> {
  await registry.caughtUp();
  return registry.publish({...change, definition, expectedVersion: 0});
}

/** Another definition under the same name. Its lifecycle stays: that changes by the steps alone. */
export function updateExperiment(registry: ExperimentRegistry, definition: ExperimentDefinition, change: ChangeOf): Promise<StoredVersion> {
  return changeFrom(registry, change, current => ({...definition, lifecycle: current.lifecycle}));
}

/** @throws AssayError ASSAY_EXPERIMENT_INVALID when the lifecycle does not lead there. */
export function changeLifecycle(registry: ExperimentRegistry, step: LifecycleStep, change: ChangeOf): Promise<StoredVersion> {
  const {from, to} = STEPS[step];
  return changeFrom(registry, change, current => {
    if ((from as readonly Lifecycle[]).includes(current.lifecycle)) return {...current, lifecycle: to};
    throw invalid(change.experiment, `it is ${current.lifecycle}; ${step} leads from ${from.join(' or ')} to ${to}`);
  });
}

/** New weights for variants there are; those not named keep theirs, unknown ones are refused. */
export async function setWeights(
  registry: ExperimentRegistry,
  weights: readonly WeightedVariant[],
  change: ChangeOf,
): Promise<{readonly version: StoredVersion; readonly movedShare: number}> {
  const version = await changeFrom(registry, change, current => {
    const keys = current.variants.map(({key}) => key);
    const unknown = weights.filter(({key}) => !keys.includes(key)).map(({key}) => key);
    if (unknown.length > 0) throw invalid(change.experiment, `${unknown.join(', ')} is none of the variants ${keys.join(', ')}; add a variant with update`);
    const byKey = new Map(weights.map(({key, weight}) => [key, weight]));
    return {...current, hasWeights: true, variants: current.variants.map(({key, weight}) => ({key, weight: byKey.get(key) ?? weight}))};
  });
  const before = historyOf(registry.snapshot(), change.stream, change.experiment)[version.version - 2];
  return {version, movedShare: before === undefined || before.slots.length === 0 ? 1 : movedShare(before.slots, version.slots)};
}

/** The current version. @throws AssayError ASSAY_NOT_FOUND naming the experiments there are. */
export function requireCurrent(registry: ExperimentRegistry, stream: string, experiment: string): StoredVersion {
  const current = currentOf(registry.snapshot(), stream, experiment);
  if (current !== undefined) return current;
  const known = currentVersions(registry.snapshot(), stream).map(version => version.experiment).sort();
  const elsewhere = streamsHolding(registry.snapshot(), experiment);
  const hint = elsewhere.length > 0 ? `there is one in ${elsewhere.join(', ')}: name the stream` : known.length === 0 ? 'it has none yet' : `it has ${known.join(', ')}`;
  throw new AssayError('ASSAY_NOT_FOUND', `stream ${stream} has no experiment ${experiment}; ${hint}`);
}

/** The change is made from the version seen here, so whoever was faster is not overwritten. */
async function changeFrom(registry: ExperimentRegistry, change: ChangeOf, next: (current: ExperimentDefinition) => ExperimentDefinition): Promise<StoredVersion> {
  await registry.caughtUp();
  const current = requireCurrent(registry, change.stream, change.experiment);
  return registry.publish({...change, definition: next(current.definition), expectedVersion: change.expectedVersion ?? current.version});
}
