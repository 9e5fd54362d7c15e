import type {ExperimentVersion, ExperimentView, PhaseSpan} from '../core/experiment.ts';
import {LIVE_STREAM, type Stream, type StreamKind} from '../core/streams.ts';

/** A version with the layer's slots it holds: one bit each, empty without a share of a layer. */
export type StoredVersion = ExperimentVersion & {readonly layerSlots: Uint8Array};

/** Why a record of the experiments topic changed nothing. */
export type RefusalCode =
  | 'undecodable'
  | 'malformed'
  | 'unknown_stream'
  | 'stream_changed'
  | 'stale_predecessor'
  | 'illegal_transition'
  | 'layer_taken';

export type Refusal = {
  readonly offset: bigint;
  readonly stream: string;
  readonly experiment: string;
  readonly version: number;
  readonly code: RefusalCode;
  readonly reason: string;
};

/** What all records up to `nextOffset` add up to. Never changed in place. */
export type ExperimentsState = {
  readonly nextOffset: bigint;
  readonly streams: ReadonlyMap<string, Stream>;
  /** By `experimentKey`; the accepted versions, oldest first, never empty. */
  readonly histories: ReadonlyMap<string, readonly StoredVersion[]>;
  /** The newest refusals. */
  readonly refusals: readonly Refusal[];
  readonly refusedCount: number;
};

export const EMPTY_STATE: ExperimentsState = {
  nextOffset: 0n,
  streams: new Map(),
  histories: new Map(),
  refusals: [],
  refusedCount: 0,
};

export const experimentKey = (stream: string, experiment: string): string => `${stream}\u0000${experiment}`;

/** The accepted versions, oldest first; [] for an experiment that is not there. */
export const historyOf = (state: ExperimentsState, stream: string, experiment: string): readonly StoredVersion[] =>
  state.histories.get(experimentKey(stream, experiment)) ?? [];

export const currentOf = (state: ExperimentsState, stream: string, experiment: string): StoredVersion | undefined =>
  historyOf(state, stream, experiment).at(-1);

/** The current versions of a stream, or of all streams. */
export function currentVersions(state: ExperimentsState, stream?: string): StoredVersion[] {
  return [...state.histories.values()].flatMap(history => {
    const current = history.at(-1);
    return current === undefined || (stream !== undefined && current.stream !== stream) ? [] : [current];
  });
}

/** The stream that alone holds an experiment of this name, if one does. */
export function onlyStreamHolding(state: ExperimentsState, experiment: string): string | undefined {
  const [only, ...others] = streamsHolding(state, experiment);
  return others.length === 0 ? only : undefined;
}

/** The streams that hold an experiment of this name. */
export const streamsHolding = (state: ExperimentsState, experiment: string): string[] =>
  currentVersions(state).flatMap(version => (version.experiment === experiment ? [version.stream] : []));

/** The live stream needs no announcement: services publish to it before anybody can. */
export function streamKindOf(state: ExperimentsState, stream: string): StreamKind | undefined {
  return state.streams.get(stream)?.kind ?? (stream === LIVE_STREAM ? 'live' : undefined);
}

/**
 * One version's definition (the newest, unless asked) and all phases up to that
 * version. undefined when there is no such version.
 */
export function viewOf(
  state: ExperimentsState,
  {stream, experiment, version}: {readonly stream: string; readonly experiment: string; readonly version?: number},
): ExperimentView | undefined {
  const history = historyOf(state, stream, experiment);
  const shown = version === undefined ? history.at(-1) : history.find(other => other.version === version);
  if (shown === undefined) return undefined;
  const starts = history.filter(
    (other, index) => other.version <= shown.version && other.phase !== history[index - 1]?.phase,
  );
  const phases = starts.map((start, index): PhaseSpan => ({
    phase: start.phase,
    validFrom: start.validFrom,
    validTo: starts[index + 1]?.validFrom ?? null,
    weights: weightsOf(lastOfPhase(history, start.phase, shown.version) ?? start),
  }));
  return {stream, experiment, version: shown.version, definition: shown.definition, phases};
}

/** A draft's weights may still change within phase 1, so the newest version of a phase says them. */
function lastOfPhase(history: readonly StoredVersion[], phase: number, versionMax: number): StoredVersion | undefined {
  return history.findLast(other => other.phase === phase && other.version <= versionMax);
}

function weightsOf({definition}: ExperimentVersion): Record<string, number> {
  if (!definition.hasWeights) return {};
  return Object.fromEntries(definition.variants.map(({key, weight}) => [key, weight]));
}

/** The version that holds at an instant of its stream; undefined before the first. */
export function versionAt(history: readonly StoredVersion[], at: number): StoredVersion | undefined {
  return history.findLast(({validFrom}) => validFrom <= at);
}
