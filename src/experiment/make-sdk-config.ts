import type {SdkConfig, SdkConfigDocument, SdkExperimentDocument} from '../assign/sdk-config.ts';
import {SLOTS} from '../assign/slots.ts';
import {currentVersions, type ExperimentsState, type StoredVersion} from './state.ts';

/** What services of a stream may assign by. Drafts are there too: an override may already serve them to testers. */
const servedVersions = (state: ExperimentsState, stream: string): StoredVersion[] =>
  currentVersions(state, stream).filter(({definition, slots}) => definition.lifecycle !== 'archived' && slots.length > 0);

/** Changes exactly when something served does. */
const revisionOf = (versions: readonly StoredVersion[]): string =>
  versions.map(({experiment, version}) => `${experiment}@${version}`).sort().join(',');

/** The configuration as the server sends it. */
export function makeSdkConfig(state: ExperimentsState, stream: string): SdkConfigDocument {
  const versions = servedVersions(state, stream);
  return {revision: revisionOf(versions), experiments: versions.map(toSdkExperiment)};
}

/** The same for an SDK in the process of the registry: no detour over a document. */
export function sdkConfigOf(state: ExperimentsState, stream: string): SdkConfig {
  const versions = servedVersions(state, stream);
  return {revision: revisionOf(versions), experiments: new Map(versions.map(version => [version.experiment, version]))};
}

export function toSdkExperiment({experiment, version, phase, definition, slots, layerSlots}: StoredVersion): SdkExperimentDocument {
  const {variants, control, fallback, lifecycle, salt, layer, targeting, overrides, sampleRate} = definition;
  return {
    experiment, version, phase,
    definition: {variants, control, fallback, lifecycle, salt, layer, targeting, overrides, sampleRate},
    slots: ownerRuns(slots),
    layer_slots: bitRuns(layerSlots),
  };
}

function ownerRuns(slots: Int8Array): number[] {
  const runs: number[] = [];
  let length = 0;
  for (let slot = 0; slot < slots.length; slot += 1) {
    length += 1;
    if (slots[slot + 1] === slots[slot]) continue;
    runs.push(slots[slot] ?? -1, length);
    length = 0;
  }
  return runs;
}

function bitRuns(bitmap: Uint8Array): number[] {
  if (bitmap.length === 0) return [];
  const runs: number[] = [];
  let held = 0;
  let length = 0;
  for (let slot = 0; slot < SLOTS; slot += 1) {
    const bit = ((bitmap[slot >> 3] ?? 0) >> (slot & 7)) & 1;
    if (bit !== held) {
      runs.push(length);
      held = bit;
      length = 0;
    }
    length += 1;
  }
  return [...runs, length];
}
