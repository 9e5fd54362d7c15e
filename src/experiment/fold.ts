import {decodeConfig} from '../avro/released.ts';
import type {ExperimentRecord} from '../avro/records.ts';
import {layerSlotCount, layersOverlap} from '../assign/layer.ts';
import {NO_OWNER, SLOTS, slotCounts} from '../assign/slots.ts';
import {canonicalJson} from '../core/canonical-json.ts';
import {messageOf} from '../core/errors.ts';
import type {ExperimentDefinition} from '../core/experiment.ts';
import type {Stream, StreamKind} from '../core/streams.ts';
import {type EpochMs, epochMs} from '../core/units.ts';
import {parseDefinition} from './definition.ts';
import {holdsLayerShare, transitionProblem} from './lifecycle.ts';
import {phaseChanges} from './phase.ts';
import {problemText} from './problems.ts';
import {
  currentOf, currentVersions, type ExperimentsState, experimentKey, type Refusal, type RefusalCode, type StoredVersion,
  streamKindOf,
} from './state.ts';

/** A record of the experiments topic as the log hands it over. */
export type LoggedConfig = {readonly offset: bigint; readonly timestamp: EpochMs; readonly value: Uint8Array};

/** Refusals kept to be looked at; the count goes on. */
const REFUSALS_MAX = 1_000;

class Refused extends Error {
  readonly code: RefusalCode;

  constructor(code: RefusalCode, reason: string) {
    super(reason);
    this.code = code;
  }
}

/**
 * What the topic says after one more record. Pure: every reader that has read
 * the same records has the same state, so nobody needs a lock to change an
 * experiment. Of several children of one version the first valid one in the log
 * wins; the others change nothing and are listed as refusals.
 */
export function foldRecord(state: ExperimentsState, record: LoggedConfig): ExperimentsState {
  const nextOffset = record.offset + 1n;
  const decoded = decodeConfig(record.value);
  if (!decoded.ok) {
    return refuse(state, {offset: record.offset, stream: '', experiment: '', version: 0, code: 'undecodable', reason: decoded.message});
  }
  const {event} = decoded;
  const [stream, experiment, version] =
    event.kind === 'stream' ? [event.stream.name, '', 0] : [event.stream, event.experiment, event.version];
  try {
    return event.kind === 'stream'
      ? {...withStream(state, event.stream), nextOffset}
      : {...withVersion(state, judge(state, event, record.timestamp)), nextOffset};
  } catch (error) {
    const code = error instanceof Refused ? error.code : 'malformed';
    return refuse(state, {offset: record.offset, stream, experiment, version, code, reason: messageOf(error)});
  }
}

function refuse(state: ExperimentsState, refusal: Refusal): ExperimentsState {
  return {
    ...state,
    nextOffset: refusal.offset + 1n,
    refusals: [...state.refusals.slice(-(REFUSALS_MAX - 1)), refusal],
    refusedCount: state.refusedCount + 1,
  };
}

/** The first announcement of a stream holds; the same again is fine, another one is refused. */
function withStream(state: ExperimentsState, stream: Stream): ExperimentsState {
  const known = state.streams.get(stream.name);
  if (known === undefined) return {...state, streams: new Map(state.streams).set(stream.name, stream)};
  if (canonicalJson(known) === canonicalJson(stream)) return state;
  throw new Refused('stream_changed', `stream ${stream.name} was announced otherwise, and streams never change`);
}

function withVersion(state: ExperimentsState, version: StoredVersion): ExperimentsState {
  const key = experimentKey(version.stream, version.experiment);
  const history = state.histories.get(key) ?? [];
  return {...state, histories: new Map(state.histories).set(key, [...history, version])};
}

/** The version that a record stands for. @throws Refused with the reason why it does not count. */
function judge(state: ExperimentsState, record: ExperimentRecord, timestamp: EpochMs): StoredVersion {
  const kind = streamKindOf(state, record.stream);
  if (kind === undefined) throw new Refused('unknown_stream', `stream ${record.stream} was not announced before`);
  const current = currentOf(state, record.stream, record.experiment);
  const currentVersion = current?.version ?? 0;
  if (record.predecessor !== currentVersion || record.version !== currentVersion + 1) {
    const by = current === undefined ? '' : ` by ${current.author}`;
    throw new Refused('stale_predecessor', `made from version ${record.predecessor}, but the current one is ${currentVersion}${by}`);
  }
  const definition = readDefinition(record);
  const problem = transitionProblem(current?.definition, definition);
  if (problem !== undefined) throw new Refused('illegal_transition', problem);
  checkPhase(record, expectedPhase(current, definition, kind));
  checkSlots(record, definition, kind);
  checkLayer(state, record, definition);
  return {
    stream: record.stream,
    experiment: record.experiment,
    version: record.version,
    predecessor: record.predecessor,
    phase: record.phase,
    definition,
    slots: sameBytes(current?.slots, record.slots) ?? record.slots,
    layerSlots: record.layerSlots,
    author: record.author,
    reason: record.reason,
    validFrom: validFromOf(record, {kind, timestamp, current}),
  };
}

/** Most changes leave the table alone; a history then holds it once. */
const sameBytes = (known: Int8Array | undefined, next: Int8Array): Int8Array | undefined =>
  known !== undefined && known.length === next.length && known.every((owner, slot) => owner === next[slot]) ? known : undefined;

function readDefinition(record: ExperimentRecord): ExperimentDefinition {
  let document: unknown;
  try {
    document = JSON.parse(record.definition);
  } catch (error) {
    throw new Refused('malformed', `its definition is not JSON: ${messageOf(error)}`);
  }
  // A newer process may know keys that this one does not: they must not split the readers.
  const parsed = parseDefinition(document, {ignoreUnknownKeys: true});
  if (!parsed.ok) throw new Refused('malformed', parsed.problems.map(problemText).join('; '));
  if (parsed.definition.experiment !== record.experiment) {
    throw new Refused('malformed', `its definition is of experiment ${parsed.definition.experiment}`);
  }
  return parsed.definition;
}

/** The phase the next version belongs to (DESIGN C2). Imports have one phase. */
export function expectedPhase(
  current: StoredVersion | undefined,
  next: ExperimentDefinition,
  kind: StreamKind,
): number {
  if (current === undefined) return 1;
  return kind === 'import' || phaseChanges(current.definition, next).length === 0 ? current.phase : current.phase + 1;
}

function checkPhase(record: ExperimentRecord, phase: number): void {
  if (record.phase !== phase) throw new Refused('malformed', `says phase ${record.phase}, but this change makes phase ${phase}`);
}

/** Whether a version of this definition carries a slot table: imports and unknown weights have none. */
export const hasSlots = ({hasWeights}: ExperimentDefinition, kind: StreamKind): boolean => hasWeights && kind !== 'import';

/** Within a layer the layer does the allocation. */
export const ownAllocation = ({layer, allocation}: ExperimentDefinition): number => (layer === null ? allocation : 1);

function checkSlots(record: ExperimentRecord, definition: ExperimentDefinition, kind: StreamKind): void {
  if (!hasSlots(definition, kind)) {
    if (record.slots.length > 0) throw new Refused('malformed', 'has a slot table, but its units are not assigned by slots');
    return;
  }
  if (record.slots.length !== SLOTS) throw new Refused('malformed', `has ${record.slots.length} slots instead of ${SLOTS}`);
  const counts = definition.variants.map(() => 0);
  for (const owner of record.slots) {
    if (owner !== NO_OWNER && counts[owner] === undefined) throw new Refused('malformed', `a slot belongs to variant ${owner}, which does not exist`);
    if (owner !== NO_OWNER) counts[owner] = (counts[owner] ?? 0) + 1;
  }
  const wanted = slotCounts(definition.variants, ownAllocation(definition));
  if (counts.some((count, owner) => count !== wanted[owner])) {
    throw new Refused('malformed', `has ${counts.join('/')} slots, but its weights ask for ${wanted.join('/')}`);
  }
}

function checkLayer(state: ExperimentsState, record: ExperimentRecord, definition: ExperimentDefinition): void {
  if (!holdsLayerShare(definition)) {
    if (record.layerSlots.length > 0) throw new Refused('malformed', 'holds slots of a layer, but is not running in one');
    return;
  }
  const wanted = Math.round(definition.allocation * SLOTS);
  if (layerSlotCount(record.layerSlots) !== wanted) {
    throw new Refused('malformed', `holds ${layerSlotCount(record.layerSlots)} slots of its layer instead of ${wanted}`);
  }
  for (const other of layerNeighbours(state, record.stream, definition)) {
    if (layersOverlap(other.layerSlots, record.layerSlots)) {
      throw new Refused('layer_taken', `holds slots of layer ${definition.layer} that belong to ${other.experiment}`);
    }
  }
}

/** The other experiments that hold slots of this one's layer. */
export function layerNeighbours(state: ExperimentsState, stream: string, {layer, experiment}: ExperimentDefinition): StoredVersion[] {
  return currentVersions(state, stream).filter(
    other => other.experiment !== experiment && other.definition.layer === layer && holdsLayerShare(other.definition),
  );
}

/** From when a version holds (DESIGN C8); never before its predecessor, whichever broker's clock stamped it. */
function validFromOf(
  record: ExperimentRecord,
  {kind, timestamp, current}: {kind: StreamKind; timestamp: EpochMs; current: StoredVersion | undefined},
): EpochMs {
  if (kind === 'import') return epochMs(0);
  const from = kind === 'simulation' ? record.validFrom : timestamp;
  if (from === null) throw new Refused('malformed', 'has no valid_from, which a simulation needs');
  return current === undefined || current.validFrom < from ? from : current.validFrom;
}
