import type {LogRecord, RawRecord} from '../log/event-log.ts';

const BYTES_MIN = 32 * 1024;
/** Between values that lie behind each other are the next record's key and headers, mostly a few bytes. */
const GAP_BYTES_MAX = 128;

/** Bytes of one batch of the log from `from` to `to`, copied to `at`; in the next batch they may be others. */
type CopiedRun = {readonly batch: readonly LogRecord[] | null; readonly source: Uint8Array | null; readonly from: number; readonly to: number; readonly copy: Buffer<ArrayBuffer>; readonly at: number};
const NO_RUN: CopiedRun = {batch: null, source: null, from: 0, to: 0, copy: Buffer.alloc(0), at: 0};

/** Records in memory of our own, where the log's is another's too: a few of them would hold all of it. */
export class RecordCopies {
  #bytes: Buffer<ArrayBuffer> = Buffer.alloc(0);
  #length = 0;
  #run: CopiedRun = NO_RUN;

  /** The record at `index` in memory that may be kept. Those behind it that lie there too are copied with it. */
  keep(records: readonly LogRecord[], index: number): RawRecord {
    const record = records[index] as LogRecord;
    const raw = record.raw ?? {offsetNumber: Number(record.offset), bytes: record.value, from: 0, to: record.value.byteLength, isShared: true};
    if (raw.isShared !== true) return raw;
    const {offsetNumber, from, to} = raw;
    if (!this.#holds(raw, records)) this.#run = this.#copy(raw, records, index);
    const run = this.#run;
    const moved = run.at - run.from;
    return {offsetNumber, bytes: run.copy, from: from + moved, to: to + moved};
  }

  /** Copies may be written over from here on. */
  reset(): void {
    this.#length = 0;
    this.#run = NO_RUN;
  }

  #holds({bytes, from, to}: RawRecord, records: readonly LogRecord[]): boolean {
    const {batch, source, from: start, to: end} = this.#run;
    return records === batch && bytes === source && from >= start && to <= end;
  }

  /** A call to copy costs more than the bytes of a record. */
  #copy({bytes: source, from, to: end}: RawRecord, records: readonly LogRecord[], index: number): CopiedRun {
    let to = end;
    for (let next = records[index + 1]?.raw, after = index + 1; next?.bytes === source; next = records[++after]?.raw) {
      if (next.from < to || next.from - to > GAP_BYTES_MAX) break;
      to = next.to;
    }
    const length = to - from;
    if (this.#length + length > this.#bytes.length) {
      this.#bytes = Buffer.allocUnsafeSlow(Math.max(BYTES_MIN, length, this.#bytes.length * 2));
      this.#length = 0;
    }
    const run = {batch: records, source, from, to, copy: this.#bytes, at: this.#length};
    this.#bytes.set(source.subarray(from, to), this.#length);
    this.#length += length;
    return run;
  }
}
