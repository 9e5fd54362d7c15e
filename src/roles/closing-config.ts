import type {ClosingConfig} from '../closing/closing-config.ts';
import type {ExperimentView} from '../core/experiment.ts';
import type {ExperimentRegistry} from '../experiment/registry.ts';
import {type ExperimentsState, type StoredVersion, versionAt, viewOf} from '../experiment/state.ts';

/** The experiments topic as the closer sees it. */
export function registryClosingConfig(registry: ExperimentRegistry): ClosingConfig {
  const viewsOf = (stream: string, pick: (history: readonly StoredVersion[]) => readonly StoredVersion[]): ExperimentView[] => {
    const state = registry.snapshot();
    return historiesOf(state, stream).flatMap(history =>
      pick(history).flatMap(({experiment, version}) => viewOf(state, {stream, experiment, version}) ?? []),
    );
  };
  return {
    streams: () => [...registry.snapshot().streams.values()],
    readToEnd: async () => void (await registry.caughtUp()),
    versions: stream => historiesOf(registry.snapshot(), stream).flat(),
    viewsAt: (stream, at) =>
      viewsOf(stream, history => {
        const version = versionAt(history, at);
        return version === undefined ? [] : [version];
      }),
    viewsOfAllVersions: stream => viewsOf(stream, history => history),
  };
}

/** The newest view of each experiment of a stream. */
export function currentViews(registry: ExperimentRegistry, stream: string): ExperimentView[] {
  const state = registry.snapshot();
  return historiesOf(state, stream).flatMap(history => {
    const experiment = history.at(-1)?.experiment;
    return experiment === undefined ? [] : (viewOf(state, {stream, experiment}) ?? []);
  });
}

const historiesOf = (state: ExperimentsState, stream: string): (readonly StoredVersion[])[] =>
  [...state.histories.values()].filter(history => history[0]?.stream === stream);
