import {assert} from '../../core/assert.ts';
import type {Arrival, ArrivalRow, DeadLetterRow, ExposureFact, OutcomeFact} from '../../core/facts.ts';
import type {ProvisionalSlice} from '../../core/slices.ts';
import type {RowBinaryWriter} from './row-binary.ts';

/** How facts lie in their tables: the columns of an insert and the function that writes one row of them. */
export type RowEncoder<Row> = {
  readonly table: string;
  readonly columns: readonly string[];
  readonly write: (writer: RowBinaryWriter, row: Row, stream: string) => void;
};

const ARRIVAL_COLUMNS = ['append_ts', 'arrival_ts', 'log_epoch', 'partition', 'offset'] as const;

function writeArrival(writer: RowBinaryWriter, arrival: Arrival): void {
  writer.dateTime64(arrival.appendTs);
  writer.dateTime64(arrival.arrivalTs);
  writer.uint16(arrival.logEpoch);
  writer.uint16(arrival.partition);
  writer.uint64(arrival.offset);
}

const OFFSET_END = 1n << 48n;
const ALL_ONES = (1n << 128n) - 1n;

/**
 * What ReplacingMergeTree keeps the largest of, so it is the complement:
 *
 *     ~( arrival_ts 48 bits │ log_epoch 16 │ partition 16 │ offset 48 )
 */
export function factVersion({arrivalTs, logEpoch, partition, offset}: Arrival): bigint {
  assert(offset >= 0n && offset < OFFSET_END, 'an offset has at most 48 bits');
  assert(arrivalTs >= 0 && arrivalTs < 2 ** 48, 'an arrival time has at most 48 bits');
  const high = (BigInt(arrivalTs) << 16n) | BigInt(logEpoch);
  const low = (BigInt(partition) << 48n) | offset;
  return ALL_ONES ^ ((high << 64n) | low);
}

export const EXPOSURE_ROWS: RowEncoder<ExposureFact> = {
  table: 'exposures',
  columns: [
    'stream', 'event_id', 'unit_id', 'experiment', 'variant', 'phase', 'event_ts', 'config_version', 'reason', 'item_id',
    'session_id', 'sample_rate', 'trace_id', 'attributes', ...ARRIVAL_COLUMNS, 'version',
  ],
  write: (writer, fact, stream) => {
    writer.string(stream);
    writer.fixed(fact.eventId, 16);
    writer.string(fact.unitId);
    writer.string(fact.experiment);
    writer.string(fact.variant);
    writer.uint32(fact.phase);
    writer.dateTime64(fact.eventTs);
    writer.uint32(fact.configVersion);
    writer.string(fact.reason);
    writer.nullableString(fact.itemId);
    writer.nullableString(fact.sessionId);
    writer.float64(fact.sampleRate);
    writer.string(fact.traceId);
    writer.record(fact.attributes, value => writer.string(value));
    writeArrival(writer, fact.arrival);
    writer.uint128(factVersion(fact.arrival));
  },
};

export const OUTCOME_ROWS: RowEncoder<OutcomeFact> = {
  table: 'outcomes',
  columns: [
    'stream', 'event_id', 'unit_id', 'event_ts', 'item_id', 'variant_hint', 'measures', 'status', 'sample_rate', 'trace_id',
    'attributes', ...ARRIVAL_COLUMNS, 'version',
  ],
  write: (writer, fact, stream) => {
    writer.string(stream);
    writer.fixed(fact.eventId, 16);
    writer.string(fact.unitId);
    writer.dateTime64(fact.eventTs);
    writer.nullableString(fact.itemId);
    writer.record(fact.variantHint, value => writer.string(value));
    writer.record(fact.measures, value => writer.float64(value));
    writer.string(fact.status);
    writer.float64(fact.sampleRate);
    writer.string(fact.traceId);
    writer.record(fact.attributes, value => writer.string(value));
    writeArrival(writer, fact.arrival);
    writer.uint128(factVersion(fact.arrival));
  },
};

export const DEAD_LETTER_ROWS: RowEncoder<DeadLetterRow> = {
  table: 'dead_letters',
  columns: ['stream', 'last_offset', 'code', 'message', 'key', 'value', ...ARRIVAL_COLUMNS],
  write: (writer, row, stream) => {
    writer.string(stream);
    writer.uint64(row.lastOffset);
    writer.string(row.code);
    writer.string(row.message);
    writer.nullableString(row.key);
    writer.blob(row.value);
    writeArrival(writer, row);
  },
};

export const ARRIVAL_ROWS: RowEncoder<ArrivalRow> = {
  table: 'arrivals',
  columns: ['stream', 'kind', 'id_hash', 'payload_hash', 'code', ...ARRIVAL_COLUMNS],
  write: (writer, row, stream) => {
    writer.string(stream);
    writer.string(row.kind);
    writer.uint64(row.idHash);
    writer.uint64(row.payloadHash);
    writer.string(row.code);
    writeArrival(writer, row);
  },
};

export const PROVISIONAL_ROWS: RowEncoder<ProvisionalSlice> = {
  table: 'provisional_slices',
  columns: [
    'stream', 'experiment', 'slice_start', 'phase', 'variant', 'metric', 'dimension', 'dimension_value', 'log_epoch', 'partition',
    'last_offset', 'n', 'sum', 'm2', 'min', 'max', 'denominator_sum', 'histogram',
  ],
  write: (writer, slice, stream) => {
    writer.string(stream);
    writer.string(slice.experiment);
    writer.dateTime64(slice.sliceStart);
    writer.uint32(slice.phase);
    writer.string(slice.variant);
    writer.string(slice.metric);
    writer.string(slice.dimension);
    writer.string(slice.dimensionValue);
    writer.uint16(slice.logEpoch);
    writer.uint16(slice.partition);
    writer.uint64(slice.lastOffset);
    writer.uint64(slice.n);
    writer.float64(slice.sum);
    writer.float64(slice.m2);
    writer.float64(slice.min);
    writer.float64(slice.max);
    writer.float64(slice.denominatorSum);
    writer.map(slice.histogram, slice.histogram.size, (bucket, count) => {
      writer.int16(bucket);
      writer.uint64(count);
    });
  },
};
