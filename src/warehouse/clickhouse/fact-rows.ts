import type {Arrival, DeadLetterRow} from '../../core/facts.ts';
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

const NO_BUCKETS: NonNullable<ProvisionalSlice['extraBuckets']> = new Map();

export const PROVISIONAL_ROWS: RowEncoder<ProvisionalSlice> = {
  table: 'provisional_slices',
  columns: [
    'stream', 'experiment', 'slice_start', 'phase', 'variant', 'metric', 'dimension', 'dimension_value', 'log_epoch', 'partition',
    'last_offset', 'n', 'sum', 'm2', 'min', 'max', 'denominator_sum', 'histogram',
    'extra_weight', 'extra_sum', 'extra_denominator_sum', 'extra_buckets', 'extra_squares',
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
    writer.float64(slice.extraWeight);
    writer.float64(slice.extraSum);
    writer.float64(slice.extraDenominatorSum);
    const extra = slice.extraBuckets ?? NO_BUCKETS;
    for (const kind of ['weight', 'squares'] as const) {
      writer.map(extra, extra.size, (bucket, sums) => {
        writer.int16(bucket);
        writer.float64(sums[kind]);
      });
    }
  },
};
