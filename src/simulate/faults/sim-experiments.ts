import type {ExperimentDefinition, ExperimentVersion, ExperimentView, Metric, PhaseSpan} from '../../core/experiment.ts';
import {type EpochMs, epochMs} from '../../core/units.ts';
import type {ClosingConfig} from '../../closing/closing-config.ts';
import type {Stream} from '../../core/streams.ts';

const METRIC: Omit<Metric, 'key' | 'aggregate'> = {
  measure: '', status: [], numerator: '', denominator: '', role: 'goal', direction: 'higher', minEffect: 0,
  tolerance: 0, scale: 9, attributionMs: 2_000, dimensions: [],
};

const METRICS: readonly Metric[] = [
  {...METRIC, key: 'score', aggregate: 'mean', measure: 'score', dimensions: ['region']},
  {...METRIC, key: 'errors', aggregate: 'share', status: ['server_error', 'timeout']},
  {...METRIC, key: 'cost_per_success', aggregate: 'ratio', numerator: 'cost', denominator: 'success', scale: 12, attributionMs: 60_000},
];

function definition(experiment: string, design: 'split' | 'paired', weight: number): ExperimentDefinition {
  return {
    experiment, hypothesis: '', owner: 'sim', design, unit: 'user', hasWeights: true, control: 'c', fallback: 'c',
    variants: [{key: 'c', weight: 100 - weight}, {key: 't', weight}],
    allocation: 1, layer: null, salt: experiment, targeting: {}, overrides: [], sampleRate: 1, metrics: METRICS,
    analysis: {
      alpha: 0.05, correction: 'none', lookEveryMs: 60_000, minN: 1, minRunMs: 0, maxN: null, maxRunMs: null,
      pairCoverageMin: 0, srmAlpha: 0.001, crossoverMax: 0.01, tuningN: 1_000,
    },
    guards: [], canary: null, lifecycle: 'running',
  };
}

/** One split experiment, perhaps with a second phase, and one paired. */
export function simVersions(start: EpochMs, secondPhaseAt: EpochMs | null): ExperimentVersion[] {
  const version = (experiment: string, design: 'split' | 'paired', weight: number): ExperimentVersion => ({
    stream: 'live', experiment, version: 1, predecessor: 0, phase: 1, definition: definition(experiment, design, weight),
    slots: new Int8Array(0), author: 'sim', reason: '', validFrom: epochMs(start - 3_600_000),
  });
  const split = version('split', 'split', 50);
  const versions = [split, version('paired', 'paired', 50)];
  if (secondPhaseAt === null) return versions;
  const next = {...split, version: 2, predecessor: 1, phase: 2, definition: definition('split', 'split', 20), validFrom: secondPhaseAt};
  return [...versions, next];
}

export function viewsAt(versions: readonly ExperimentVersion[], at: EpochMs): ExperimentView[] {
  const valid = versions.filter(({validFrom}) => validFrom <= at);
  const names = [...new Set(valid.map(({experiment}) => experiment))];
  return names.flatMap(name => {
    const history = valid.filter(({experiment}) => experiment === name);
    const newest = history.at(-1);
    if (newest === undefined) return [];
    const phases = history.map(({phase, validFrom}, index): PhaseSpan => {
      return {phase, validFrom, validTo: history[index + 1]?.validFrom ?? null, weights: {}};
    });
    return [{stream: newest.stream, experiment: name, version: newest.version, definition: newest.definition, phases}];
  });
}

export function simConfig(stream: Stream, versions: readonly ExperimentVersion[], now: () => EpochMs): ClosingConfig {
  const known = (): readonly ExperimentVersion[] => versions.filter(({validFrom}) => validFrom <= now());
  return {
    streams: () => [stream],
    readToEnd: () => Promise.resolve(),
    versions: known,
    viewsAt: (_, at) => viewsAt(known(), at),
    viewsOfAllVersions: () => versions.flatMap(({validFrom}) => viewsAt(versions, validFrom)),
  };
}
