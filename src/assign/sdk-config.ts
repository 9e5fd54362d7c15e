import type {AssignableDefinition, AssignableVersion} from './assign.ts';
import {LAYER_BYTES} from './layer.ts';
import {SLOTS} from './slots.ts';

/**
 * What a service needs to split its traffic: the current version of every
 * experiment that may meet a unit, small enough to be sent on each change.
 *
 * Slots are runs: [owner, length, owner, length, …]; a share of a layer is the
 * lengths of runs of slots it does not and does hold, in turn.
 */
export type SdkConfigDocument = {
  readonly revision: string;
  readonly experiments: readonly SdkExperimentDocument[];
};

export type SdkExperimentDocument = {
  readonly experiment: string;
  readonly version: number;
  readonly phase: number;
  readonly definition: AssignableDefinition;
  readonly slots: readonly number[];
  readonly layer_slots: readonly number[];
};

export type SdkConfig = {readonly revision: string; readonly experiments: ReadonlyMap<string, AssignableVersion>};

export const EMPTY_CONFIG: SdkConfig = {revision: '', experiments: new Map()};

/** @throws Error when it is no such document; the caller keeps the last good one. */
export function parseSdkConfig(document: unknown): SdkConfig {
  const {revision, experiments} = document as SdkConfigDocument;
  if (typeof revision !== 'string' || !Array.isArray(experiments)) throw new Error('the answer is no configuration');
  return {revision, experiments: new Map((experiments as SdkExperimentDocument[]).map(one => [one.experiment, versionOf(one)]))};
}

function versionOf({experiment, version, phase, definition, slots, layer_slots}: SdkExperimentDocument): AssignableVersion {
  const table = new Int8Array(SLOTS);
  let to = 0;
  for (let i = 0; i < slots.length; i += 2) {
    const length = slots[i + 1] ?? 0;
    table.fill(slots[i] ?? -1, to, to + length);
    to += length;
  }
  const isWhole = to === SLOTS && Number.isInteger(version) && Number.isInteger(phase) && Array.isArray(definition.variants);
  if (!isWhole) throw new Error(`the configuration of ${experiment} is not whole`);
  return {version, phase, definition, slots: table, layerSlots: layerOf(layer_slots)};
}

function layerOf(runs: readonly number[]): Uint8Array {
  const bitmap = new Uint8Array(runs.length === 0 ? 0 : LAYER_BYTES);
  let slot = 0;
  runs.forEach((length, index) => {
    for (const end = slot + length; slot < end; slot += 1) {
      if (index % 2 === 1) bitmap[slot >> 3] = (bitmap[slot >> 3] ?? 0) | (1 << (slot & 7));
    }
  });
  return bitmap;
}
