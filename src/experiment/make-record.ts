import type {ExperimentRecord} from '../avro/records.ts';
import {deriveLayerSlots, layerSlotCount} from '../assign/layer.ts';
import {deriveSlots, SLOTS, type SlotTable} from '../assign/slots.ts';
import {AssayError} from '../core/errors.ts';
import type {ExperimentDefinition} from '../core/experiment.ts';
import type {EpochMs} from '../core/units.ts';
import {parseDefinition, requireDefinition} from './definition.ts';
import {expectedPhase, hasSlots, layerNeighbours, ownAllocation} from './fold.ts';
import {holdsLayerShare, transitionProblem} from './lifecycle.ts';
import {currentOf, type ExperimentsState, historyOf, type StoredVersion, streamKindOf} from './state.ts';
import {toDocument} from './to-document.ts';

/** A new version of an experiment: the whole definition, who and why. */
export type ExperimentChange = {
  readonly stream: string;
  readonly definition: ExperimentDefinition;
  readonly author: string;
  readonly reason: string;
  /** The version the author looked at (0: none). Left out: whatever is current when it is published. */
  readonly expectedVersion?: number;
  /** Virtual time from which it holds; simulation streams only. */
  readonly validFrom?: EpochMs;
};

/** Earlier tables that a gaining variant may take its slots back from. */
const SLOT_HISTORY_MAX = 16;

/**
 * The record that makes a change on top of a state.
 * @throws AssayError ASSAY_EXPERIMENT_INVALID or ASSAY_EXPERIMENT_CONFLICT.
 */
export function makeRecord(state: ExperimentsState, change: ExperimentChange): ExperimentRecord {
  const {stream, author, reason} = change;
  const document = toDocument(change.definition);
  const definition = requireDefinition(parseDefinition(document), `experiment ${change.definition.experiment}`);
  const {experiment} = definition;
  const kind = streamKindOf(state, stream);
  if (kind === undefined) throw invalid(experiment, `stream ${stream} was not announced`);
  const current = currentOf(state, stream, experiment);
  if (change.expectedVersion !== undefined && change.expectedVersion !== (current?.version ?? 0)) {
    throw conflict(change, current);
  }
  const problem = transitionProblem(current?.definition, definition);
  if (problem !== undefined) throw invalid(experiment, problem);
  if (kind === 'simulation' && change.validFrom === undefined) throw invalid(experiment, 'a version in a simulation needs validFrom');
  return {
    kind: 'experiment',
    stream,
    experiment,
    version: (current?.version ?? 0) + 1,
    predecessor: current?.version ?? 0,
    phase: expectedPhase(current, definition, kind),
    definition: JSON.stringify(document),
    slots: hasSlots(definition, kind)
      ? deriveSlots(definition.variants, ownAllocation(definition), tablesOf(historyOf(state, stream, experiment), definition))
      : new Int8Array(0),
    layerSlots: layerSlotsFor(state, {stream, definition, current}),
    author,
    reason,
    validFrom: change.validFrom ?? null,
  };
}

/** Distinct earlier tables, newest first. Under another salt slots hold other units, so nothing is kept. */
function tablesOf(history: readonly StoredVersion[], {salt}: ExperimentDefinition): SlotTable[] {
  const tables: SlotTable[] = [];
  for (const {definition, slots} of history.toReversed()) {
    if (tables.length === SLOT_HISTORY_MAX || definition.salt !== salt) break;
    if (tables.at(-1)?.slots !== slots) tables.push({variants: definition.variants, slots});
  }
  return tables;
}

function layerSlotsFor(
  state: ExperimentsState,
  {stream, definition, current}: {stream: string; definition: ExperimentDefinition; current: StoredVersion | undefined},
): Uint8Array {
  if (!holdsLayerShare(definition)) return new Uint8Array(0);
  const others = layerNeighbours(state, stream, definition);
  const previous = current?.definition.layer === definition.layer ? current.layerSlots : new Uint8Array(0);
  const slots = deriveLayerSlots(definition.allocation, previous, others.map(({layerSlots}) => layerSlots));
  if (slots !== undefined) return slots;
  const taken = others.map(other => `${other.experiment} ${layerSlotCount(other.layerSlots) / SLOTS}`).join(', ');
  throw invalid(definition.experiment, `layer ${definition.layer} has less than ${definition.allocation} left (taken: ${taken}); lower allocation`);
}

export const invalid = (experiment: string, message: string): AssayError =>
  new AssayError('ASSAY_EXPERIMENT_INVALID', `experiment ${experiment}: ${message}`);

/** Somebody else was first. */
export function conflict({definition, stream}: ExperimentChange, current: StoredVersion | undefined): AssayError {
  const newer = current === undefined ? 'there is no version yet' : `version ${current.version} by ${current.author} is newer (${current.reason})`;
  return new AssayError('ASSAY_EXPERIMENT_CONFLICT', `experiment ${definition.experiment} in stream ${stream}: ${newer}; look at it and try again`);
}
