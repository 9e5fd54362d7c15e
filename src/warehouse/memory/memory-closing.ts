import type {ExperimentVersion, ExperimentView} from '../../core/experiment.ts';
import type {ClosedSlice} from '../../core/slices.ts';
import type {Stream} from '../../core/streams.ts';
import {type EpochMs, epochMs, sliceStartOf} from '../../core/units.ts';
import type {
  AuditRequest, AuditResult, CloseRequest, ClosingResult, ClosingState, ClosingStore, CommittedOffset, LedgerPartition,
  ReviseRequest,
} from '../warehouse.ts';
import {ledgerOf} from './memory-ledger.ts';
import type {MemoryState} from './memory-state.ts';
import {emptied, recomputeSlice, sliceContent, sliceKeyText} from './recompute-slices.ts';
import type {StreamStore} from './stream-store.ts';

export class MemoryClosing implements ClosingStore {
  readonly #state: MemoryState;

  constructor(state: MemoryState) {
    this.#state = state;
  }

  async progress(stream: string, committed: readonly CommittedOffset[]): Promise<(EpochMs | null)[]> {
    await this.#state.called('progress');
    const highs = committed.map((): EpochMs | null => null);
    for (const {logEpoch, partition, offset, arrivalTs} of this.#state.stream(stream).arrivals.values()) {
      const index = committed.findIndex(at => at.partition === partition && at.logEpoch === logEpoch);
      if (offset >= (committed[index]?.offset ?? 0n)) continue;
      highs[index] = epochMs(Math.max(highs[index] ?? arrivalTs, arrivalTs));
    }
    return highs;
  }

  async closingState(stream: string): Promise<ClosingState> {
    await this.#state.called('closingState');
    const store = this.#state.stream(stream);
    let closedThrough: EpochMs | null = null;
    let revisedCut: EpochMs | null = null;
    for (const {kind, through, cut} of store.closings) {
      if (kind === 'close' && (closedThrough === null || through > closedThrough)) closedThrough = through;
      if (kind === 'revise' && (revisedCut === null || cut > revisedCut)) revisedCut = cut;
    }
    const record = this.#state.streamRecords.get(stream);
    const starts = record === undefined ? [] : occupied(store, record);
    const last = starts.at(-1);
    return {
      closedThrough,
      revisedCut,
      firstSliceStart: starts[0] ?? null,
      lastSliceEnd: last === undefined || record === undefined ? null : epochMs(last + record.sliceMs),
    };
  }

  async closeSlices({stream, fromSlice, throughSlice, views, committed}: CloseRequest): Promise<ClosingResult> {
    await this.#state.called('closeSlices');
    const store = this.#state.stream(stream.name);
    const starts = occupied(store, stream).filter(start => start >= fromSlice && start < throughSlice);
    let rows = 0;
    for (const sliceStart of starts) {
      const cut = epochMs(sliceStart + stream.sliceMs + stream.latenessMs);
      const closed = this.#recompute(store, {stream, sliceStart, cut, views, isRevision: false});
      for (const row of closed) store.slices.set(rowKey(row), row);
      rows += closed.length;
    }
    await this.#state.called('closeSlices marker');
    const cut = epochMs(throughSlice + stream.latenessMs);
    store.closings.push({kind: 'close', from: fromSlice, through: throughSlice, cut, versions: versionsOf(views), committed});
    return {slices: (throughSlice - fromSlice) / stream.sliceMs, rows};
  }

  async reviseSlices({stream, sinceCut, cut, closedThrough, views, committed}: ReviseRequest): Promise<ClosingResult> {
    await this.#state.called('reviseSlices');
    const store = this.#state.stream(stream.name);
    if (isOvertaken(store, sinceCut)) return {slices: 0, rows: 0};
    const changed: ClosedSlice[] = [];
    const starts = touched(store, {stream, sinceCut, cut}).filter(start => start + stream.sliceMs <= closedThrough);
    for (const sliceStart of starts) {
      const fresh = this.#recompute(store, {stream, sliceStart, cut, views, isRevision: true});
      const stored = latest(store, row => row.sliceStart === sliceStart && row.cut <= cut);
      for (const row of fresh) {
        const known = stored.get(sliceKeyText(row));
        if (known === undefined || sliceContent(known) !== sliceContent(row)) changed.push(row);
        stored.delete(sliceKeyText(row));
      }
      for (const row of stored.values()) {
        const version = views.find(({experiment}) => experiment === row.experiment)?.version ?? row.configVersion;
        if (row.n > 0) changed.push(emptied(row, cut, version));
      }
    }
    for (const row of changed) store.slices.set(rowKey(row), row);
    await this.#state.called('reviseSlices marker');
    // Without a marker the rows just written count for nobody.
    if (isOvertaken(store, sinceCut)) return {slices: 0, rows: 0};
    store.closings.push({kind: 'revise', from: sinceCut, through: closedThrough, cut, versions: versionsOf(views), committed});
    return {slices: new Set(changed.map(({sliceStart}) => sliceStart)).size, rows: changed.length};
  }

  async ledger(stream: string, committed: readonly CommittedOffset[]): Promise<LedgerPartition[]> {
    await this.#state.called('ledger');
    const views = this.#state.newestViews(stream);
    return ledgerOf(this.#state.stream(stream), {committed, views, place: this.#state.place});
  }

  async auditSlices({stream, views, slicesMax}: AuditRequest): Promise<AuditResult> {
    await this.#state.called('auditSlices');
    const store = this.#state.stream(stream.name);
    const closedThrough = Math.max(...store.closings.filter(({kind}) => kind === 'close').map(({through}) => through));
    const starts = occupied(store, stream).filter(start => start + stream.sliceMs <= closedThrough);
    const checked = slicesMax === null ? starts : starts.slice(-slicesMax);
    const unverifiable = new Set<EpochMs>();
    const mismatches = checked.flatMap(start => {
      const found = this.#auditSlice(store, {stream, sliceStart: start, views});
      if (found.length > 0 && cutOf(store, stream, start) <= (store.forgottenSlices.get(start) ?? Number.NEGATIVE_INFINITY)) unverifiable.add(start);
      return unverifiable.has(start) ? [] : found;
    });
    const identities = [...store.exposures.all(), ...store.outcomes.all()].map(fact => {
      return `${fact.kind}\0${fact.unitId}\0${Buffer.from(fact.eventId).toString('hex')}`;
    });
    return {slicesChecked: checked.length - unverifiable.size, mismatches, duplicateKeys: identities.length - new Set(identities).size};
  }

  async closedSlices(stream: string, experiment: string): Promise<ClosedSlice[]> {
    await this.#state.called('closedSlices');
    return [...latest(this.#state.stream(stream), row => row.experiment === experiment).values()];
  }

  async mirrorVersions(versions: readonly ExperimentVersion[]): Promise<void> {
    await this.#state.called('mirrorVersions');
    for (const version of versions) {
      this.#state.versions.set(`${version.stream}\0${version.experiment}\0${version.version}`, version);
    }
  }

  async mirrorStream(stream: Stream): Promise<void> {
    await this.#state.called('mirrorStream');
    this.#state.streamRecords.set(stream.name, stream);
  }

  async streams(): Promise<Stream[]> {
    await this.#state.called('streams');
    return [...this.#state.streamRecords.values()];
  }

  #recompute(
    store: StreamStore,
    at: {stream: Stream; sliceStart: EpochMs; cut: EpochMs; views: readonly ExperimentView[]; isRevision: boolean},
  ): ClosedSlice[] {
    return recomputeSlice(store, {...at, sliceMs: at.stream.sliceMs, place: this.#state.place});
  }

  /** The slice as it was last written, against the facts under that same cut and those versions. */
  #auditSlice(
    store: StreamStore,
    {stream, sliceStart, views}: {stream: Stream; sliceStart: EpochMs; views: readonly ExperimentView[]},
  ): AuditResult['mismatches'][number][] {
    const stored = latest(store, row => row.sliceStart === sliceStart);
    const ownCut = epochMs(sliceStart + stream.sliceMs + stream.latenessMs);
    const cut = cutOf(store, stream, sliceStart);
    const marker = store.closings.findLast(({kind, from, through, cut: markerCut}) => {
      if (cut > ownCut) return kind === 'revise' && markerCut === cut;
      return kind === 'close' && from <= sliceStart && sliceStart < through;
    });
    const valid = views.filter(({experiment, version}) => (marker?.versions.get(experiment) ?? version) === version);
    const recomputed = new Map(
      this.#recompute(store, {stream, sliceStart, cut, views: valid, isRevision: false}).map(row => [sliceKeyText(row), row]),
    );
    const keys = new Set([...stored.keys(), ...recomputed.keys()]);
    return [...keys].flatMap(key => {
      const before = describe(stored.get(key));
      const after = describe(recomputed.get(key));
      return before === after ? [] : [{slice: key.replaceAll('\0', '/'), stored: before, recomputed: after}];
    });
  }
}

/** The cut a slice was last written under. */
function cutOf(store: StreamStore, {sliceMs, latenessMs}: Stream, sliceStart: EpochMs): EpochMs {
  const stored = latest(store, row => row.sliceStart === sliceStart);
  return [...stored.values()].reduce((max, row) => epochMs(Math.max(max, row.cut)), epochMs(sliceStart + sliceMs + latenessMs));
}

const describe = (row: ClosedSlice | undefined): string => (row === undefined || row.n === 0 ? 'nothing' : sliceContent(row));

const rowKey = (row: ClosedSlice): string => `${sliceKeyText(row)}\0${row.isRevision}\0${row.cut}`;

const versionsOf = (views: readonly ExperimentView[]): Map<string, number> =>
  new Map(views.map(({experiment, version}) => [experiment, version]));

/** Starts of the slices that hold an outcome, ascending. */
function occupied(store: StreamStore, {sliceMs}: Stream): EpochMs[] {
  const starts = new Set(store.outcomes.all().map(({eventTs}) => sliceStartOf(eventTs, sliceMs)));
  return [...starts].sort((a, b) => a - b);
}

/** Slices that a fact of (sinceCut, cut] can change: of such an outcome, and of the outcomes of an exposed unit. */
function touched(store: StreamStore, {stream, sinceCut, cut}: {stream: Stream; sinceCut: EpochMs; cut: EpochMs}): EpochMs[] {
  const isNew = (arrivalTs: EpochMs): boolean => arrivalTs > sinceCut && arrivalTs <= cut;
  const units = new Set(store.exposures.all().filter(e => isNew(e.arrival.arrivalTs)).map(({unitId}) => unitId));
  const starts = new Set<EpochMs>();
  for (const {eventTs, unitId, arrival} of store.outcomes.all()) {
    if (isNew(arrival.arrivalTs) || units.has(unitId)) starts.add(sliceStartOf(eventTs, stream.sliceMs));
  }
  return [...starts].sort((a, b) => a - b);
}

/**
 * Whether another closer revised since `sinceCut` was read. What this one knows is old
 * then: a key that it does not see vanish could come back by a row of its lower cut.
 */
const isOvertaken = (store: StreamStore, sinceCut: EpochMs): boolean =>
  store.closings.some(({kind, cut}) => kind === 'revise' && cut > sinceCut);

/** The newest row of each key; a revision counts from its marker on. */
function latest(store: StreamStore, where: (row: ClosedSlice) => boolean): Map<string, ClosedSlice> {
  const rows = new Map<string, ClosedSlice>();
  const revised = new Set(store.closings.filter(({kind}) => kind === 'revise').map(({cut}) => cut));
  for (const row of store.slices.values()) {
    if (!where(row) || (row.isRevision && !revised.has(row.cut))) continue;
    const key = sliceKeyText(row);
    const known = rows.get(key);
    if (known === undefined || row.cut > known.cut) rows.set(key, row);
  }
  return rows;
}
