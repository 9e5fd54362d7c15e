import {unquantise} from '../../core/exact.ts';
import type {ClosedSlice} from '../../core/slices.ts';
import {LIVE_STREAM, workerGroup} from '../../core/streams.ts';
import {NO_METRICS, SILENT_LOGGER} from '../../core/telemetry.ts';
import {epochMs} from '../../core/units.ts';
import {runAudit} from '../../closing/audit.ts';
import {judge, type OracleAnswer} from './oracle.ts';
import {viewsAt} from './sim-experiments.ts';
import type {SimWorld} from './sim-world.ts';

const END_OF_TIME = epochMs(8_000_000_000_000);

export type Verification = {readonly errors: readonly string[]; readonly facts: number; readonly late: number; readonly slices: number};

/** The world in the end against the oracle: exact, or it is an error. */
export async function checkWorld(world: SimWorld): Promise<Verification> {
  const {stream, versions, history, warehouse} = world;
  const views = viewsAt(versions, END_OF_TIME);
  const answer = judge({
    history,
    views,
    sliceMs: stream.sliceMs,
    latenessMs: stream.latenessMs,
    maxAgeMs: stream.maxAgeMs ?? Number.POSITIVE_INFINITY,
  });
  const stored: ClosedSlice[] = [];
  for (const {experiment} of views) stored.push(...(await warehouse.closedSlices(stream.name, experiment)));
  const errors = [
    ...world.broken,
    ...(await offsetErrors(world)),
    ...(await factErrors(world, answer)),
    ...(await ledgerErrors(world, answer)),
    ...sliceErrors(stored, answer),
    ...(await auditErrors(world)),
  ];
  return {errors, facts: answer.facts.length, late: answer.late, slices: answer.slices.size};
}

async function offsetErrors({log, stream}: SimWorld): Promise<string[]> {
  const committed = await log.committed(stream.topic, workerGroup(LIVE_STREAM));
  const offsets = await log.offsets(stream.topic);
  return offsets.flatMap(({partition, end}) => {
    // A tick may have come after the last flush.
    const behind = end - (committed[partition] ?? 0n);
    return behind <= 3n && behind >= 0n ? [] : [`partition ${partition} ends at ${end}, committed ${committed[partition]}`];
  });
}

/** Fact ids, equal as sets. */
async function factErrors({warehouse, stream}: SimWorld, answer: OracleAnswer): Promise<string[]> {
  const stored = new Set<string>();
  for (let partition = 0; partition < stream.partitions; partition++) {
    const query = {stream: stream.name, logEpoch: 1, partition, belowOffset: 1_000_000n, from: epochMs(0)};
    for await (const outcomes of warehouse.openOutcomes(query)) {
      for (const {unitId, eventId, arrival} of outcomes) stored.add(`${unitId} ${eventId.join('.')} ${arrival.arrivalTs}`);
    }
  }
  const wanted = new Set(
    answer.facts.flatMap(({event, arrivalTs}) =>
      event.kind === 'outcome' ? [`${event.unitId} ${event.eventId.join('.')} ${arrivalTs}`] : [],
    ),
  );
  const missing = [...wanted].filter(id => !stored.has(id)).length;
  const extra = [...stored].filter(id => !wanted.has(id)).length;
  return missing + extra === 0 ? [] : [`${missing} outcomes missing, ${extra} too many, of ${wanted.size}`];
}

async function ledgerErrors({warehouse, stream, log}: SimWorld, answer: OracleAnswer): Promise<string[]> {
  const committed = (await log.offsets(stream.topic)).map(({partition, end}) => ({logEpoch: 1, partition, offset: end}));
  const errors: string[] = [];
  for (const books of await warehouse.ledger(stream.name, committed)) {
    const right = answer.ledger.get(books.partition);
    for (const name of ['appended', 'accepted', 'duplicate', 'conflict', 'deadLettered'] as const) {
      const wanted = right?.[name] ?? 0;
      if (books[name] !== wanted) errors.push(`partition ${books.partition}: ${name} is ${books[name]}, must be ${wanted}`);
    }
  }
  return errors;
}

function sliceErrors(stored: readonly ClosedSlice[], answer: OracleAnswer): string[] {
  const errors: string[] = [];
  const left = new Map(answer.slices);
  for (const row of stored) {
    if (row.n === 0) continue;
    const key = [row.experiment, row.sliceStart, row.phase, row.variant, row.metric, row.dimension, row.dimensionValue].join('/');
    const right = left.get(key);
    left.delete(key);
    if (right === undefined) {
      errors.push(`slice ${key} has n = ${row.n}, must not exist`);
      continue;
    }
    const sums = `${row.n} ${row.sumQ} ${row.sumSquaresQ} ${row.denominatorSumQ} ${row.extraWeight} ${row.extraSumQ} ${row.extraDenominatorSumQ} ${row.min} ${row.max}`;
    const wanted = `${right.n} ${right.sum} ${right.squares} ${right.denominator} ${right.extra.join(' ')} ${right.min} ${right.max}`;
    if (sums !== wanted) errors.push(`slice ${key} says ${sums}, must say ${wanted}`);
    const counted = [...row.histogram.values()].reduce((sum, n) => sum + n, 0);
    if (counted !== row.n) errors.push(`slice ${key} (mean ${unquantise(row.sumQ, row.scale) / row.n}) has ${counted} in its histogram`);
  }
  for (const key of left.keys()) errors.push(`slice ${key} is missing`);
  return errors;
}

async function auditErrors(world: SimWorld): Promise<string[]> {
  const {log, warehouse, stream} = world;
  const report = await runAudit({
    log, warehouse, stream, config: world.config(), slicesMax: null, logger: SILENT_LOGGER, metrics: NO_METRICS,
  });
  if (report.slices_checked === 0) return ['the audit checked no slice'];
  return report.details.map(detail => `audit: ${detail}`);
}
