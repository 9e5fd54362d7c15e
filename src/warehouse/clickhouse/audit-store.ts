import type {ExperimentDefinition, ExperimentView} from '../../core/experiment.ts';
import {type EpochMs, epochMs} from '../../core/units.ts';
import type {AuditRequest, AuditResult, ClosingStore} from '../warehouse.ts';
import {CLOSING_LIMITS} from './closing-limits.ts';
import type {SqlConnection} from './connection.ts';
import {loadQuery} from './query-file.ts';
import {FINAL_WITHIN_PARTITIONS, recomputeParams, recomputeSql, withFresh} from './slice-recompute.ts';

type Mismatch = AuditResult['mismatches'][number];
type SliceToAudit = {readonly start: EpochMs; readonly revisionCuts: readonly EpochMs[]};
type Versions = Readonly<Record<string, number>>;
type Marker = {readonly kind: string; readonly from: EpochMs; readonly through: EpochMs; readonly cut: EpochMs; readonly versions: Versions};
/** What is recomputed in one go: a range of slices under their own cuts, or some slices under a revision's. */
type Check = {readonly from: EpochMs; readonly through: EpochMs; readonly cut: EpochMs | null; readonly slices: readonly EpochMs[]; readonly versions: Versions};

/**
 * Recomputes stored slices from facts with the query that made them, at the cut and under the
 * config versions they were made with, and compares every column. Slices that held a unit
 * forgotten after their cut cannot be checked and are not counted as checked.
 */
export class ClickHouseAuditStore implements Pick<ClosingStore, 'auditSlices'> {
  readonly #connection: SqlConnection;

  constructor(connection: SqlConnection) {
    this.#connection = connection;
  }

  async auditSlices(request: AuditRequest): Promise<AuditResult> {
    const slices = await this.#slicesToAudit(request);
    const from = slices.reduce((least, {start}) => Math.min(least, start), Number.MAX_SAFE_INTEGER);
    if (slices.length === 0) return {slicesChecked: 0, mismatches: [], duplicateKeys: await this.#duplicateKeys(request.stream.name, 0)};
    const markers = await this.#markersSince(request.stream.name, from);
    const forgotten = await this.#forgottenSince(request, from);
    const viewsAt = await this.#viewsByVersion(request);
    const unchecked = new Set<number>();
    const mismatches: Mismatch[] = [];
    for (const check of [...closingChecks(markers, from), ...revisionChecks(markers, slices, request.stream.sliceMs)]) {
      const views = viewsAt(check.versions);
      for (const found of await this.#mismatches(request, views, check)) {
        const cut = check.cut ?? found.sliceStart + request.stream.sliceMs + request.stream.latenessMs;
        if ((forgotten.get(found.sliceStart) ?? 0) > cut) unchecked.add(found.sliceStart);
        else mismatches.push(found.mismatch);
      }
    }
    return {
      slicesChecked: slices.filter(({start}) => !unchecked.has(start)).length,
      mismatches: mismatches.slice(0, CLOSING_LIMITS.mismatchesSpelledOut),
      duplicateKeys: await this.#duplicateKeys(request.stream.name, request.slicesMax === null ? 0 : from),
    };
  }

  async #slicesToAudit({stream, slicesMax}: AuditRequest): Promise<SliceToAudit[]> {
    type Row = {slice_start_ms: string; revision_cuts: readonly string[]};
    const params = {stream: stream.name, slices_max: slicesMax ?? Number.MAX_SAFE_INTEGER};
    const rows = await this.#connection.select<Row>(loadQuery('slices-to-audit'), params);
    return rows.map(row => ({start: epochMs(Number(row.slice_start_ms)), revisionCuts: row.revision_cuts.map(cut => epochMs(Number(cut)))}));
  }

  async #markersSince(stream: string, from: number): Promise<Marker[]> {
    type Row = {kind: string; from_ms: string; through_ms: string; cut_ms: string; config_versions: Versions};
    const rows = await this.#connection.select<Row>(loadQuery('closings-since'), {stream, from_ms: from});
    return rows.map(row => ({
      kind: row.kind,
      from: epochMs(Number(row.from_ms)),
      through: epochMs(Number(row.through_ms)),
      cut: epochMs(Number(row.cut_ms)),
      versions: row.config_versions,
    }));
  }

  async #forgottenSince({stream}: AuditRequest, from: number): Promise<ReadonlyMap<number, number>> {
    type Row = {slice_start_ms: string; forgotten_ms: string};
    const params = {stream: stream.name, from_ms: from, slice_ms: stream.sliceMs};
    const rows = await this.#connection.select<Row>(loadQuery('slices-forgotten'), params, FINAL_WITHIN_PARTITIONS);
    return new Map(rows.map(row => [Number(row.slice_start_ms), Number(row.forgotten_ms)]));
  }

  /** Today's views with the definitions of the versions asked for; experiments without one are left out. */
  async #viewsByVersion({stream, views}: AuditRequest): Promise<(versions: Versions) => ExperimentView[]> {
    type Row = {experiment: string; version: number; definition: string};
    const rows = await this.#connection.select<Row>(loadQuery('experiment-definitions'), {stream: stream.name});
    const definitions = new Map(rows.map(row => [`${row.experiment}/${row.version}`, row.definition]));
    return versions =>
      views.flatMap(view => {
        const version = versions[view.experiment];
        if (version === undefined) return [];
        if (version === view.version) return [view];
        const definition = definitions.get(`${view.experiment}/${version}`);
        return definition === undefined ? [] : [{...view, version, definition: JSON.parse(definition) as ExperimentDefinition}];
      });
  }

  async #mismatches(request: AuditRequest, views: readonly ExperimentView[], check: Check): Promise<{sliceStart: number; mismatch: Mismatch}[]> {
    type Row = {slice: string; slice_start_ms: string; stored: string; recomputed: string};
    const {from, through, cut, slices} = check;
    const params = {...recomputeParams({stream: request.stream, views, from, through, cut, slices}), as_of_ms: cut ?? 0};
    const recompute = await recomputeSql(this.#connection, {stream: request.stream, views});
    const rows = await this.#connection.select<Row>(withFresh(recompute, 'slices-mismatched'), params, FINAL_WITHIN_PARTITIONS);
    return rows.map(({slice, slice_start_ms, stored, recomputed}) => ({
      sliceStart: Number(slice_start_ms),
      mismatch: {slice: cut === null ? slice : `${slice} as of ${cut}`, stored, recomputed},
    }));
  }

  async #duplicateKeys(stream: string, from: number): Promise<number> {
    const [row] = await this.#connection.select<{keys: string}>(loadQuery('facts-duplicated'), {stream, from_ms: from}, FINAL_WITHIN_PARTITIONS);
    return Number(row?.keys ?? 0);
  }
}

/** Ranges that closed under the same config versions, one after the other. */
function closingChecks(markers: readonly Marker[], from: number): Check[] {
  const checks: Check[] = [];
  for (const marker of markers.filter(({kind}) => kind === 'close')) {
    const last = checks.at(-1);
    const start = epochMs(Math.max(marker.from, from));
    const isSame = last !== undefined && last.through >= start && sameVersions(last.versions, marker.versions);
    if (isSame) checks[checks.length - 1] = {...last, through: epochMs(Math.max(last.through, marker.through))};
    else checks.push({from: start, through: marker.through, cut: null, slices: [], versions: marker.versions});
  }
  return checks;
}

function revisionChecks(markers: readonly Marker[], slices: readonly SliceToAudit[], sliceMs: number): Check[] {
  return markers.flatMap(({kind, cut, versions}) => {
    if (kind !== 'revise') return [];
    const revised = slices.filter(({revisionCuts}) => revisionCuts.includes(cut)).map(({start}) => start);
    if (revised.length === 0) return [];
    const from = epochMs(Math.min(...revised));
    return [{from, through: epochMs(Math.max(...revised) + sliceMs), cut, slices: revised, versions}];
  });
}

const sameVersions = (a: Versions, b: Versions): boolean =>
  Object.keys(a).length === Object.keys(b).length && Object.entries(a).every(([experiment, version]) => b[experiment] === version);
