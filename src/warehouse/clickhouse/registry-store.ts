import type {ExperimentVersion} from '../../core/experiment.ts';
import type {Stream, StreamKind} from '../../core/streams.ts';
import {durationMs} from '../../core/units.ts';
import type {ClosingStore} from '../warehouse.ts';
import type {SqlConnection} from './connection.ts';
import type {RowEncoder} from './fact-rows.ts';
import {insertRows} from './row-insert.ts';

const VERSION_ROWS: RowEncoder<ExperimentVersion> = {
  table: 'experiment_versions',
  columns: [
    'stream', 'experiment', 'version', 'predecessor', 'phase', 'lifecycle', 'design', 'control', 'variants', 'has_weights', 'definition',
    'author', 'reason', 'valid_from',
  ],
  write: (writer, version) => {
    const {definition} = version;
    writer.string(version.stream);
    writer.string(version.experiment);
    writer.uint32(version.version);
    writer.uint32(version.predecessor);
    writer.uint32(version.phase);
    writer.string(definition.lifecycle);
    writer.string(definition.design);
    writer.string(definition.control);
    const weights = definition.variants.map(({key, weight}) => [key, weight] as const);
    writer.map(weights, weights.length, (key, weight) => {
      writer.string(key);
      writer.float64(weight);
    });
    writer.bool(definition.hasWeights);
    writer.string(JSON.stringify(definition));
    writer.string(version.author);
    writer.string(version.reason);
    writer.dateTime64(version.validFrom);
  },
};

const STREAM_ROWS: RowEncoder<Stream> = {
  table: 'streams',
  columns: ['stream', 'kind', 'topic', 'lateness_ms', 'slice_ms', 'max_age_ms', 'partitions'],
  write: (writer, stream) => {
    writer.string(stream.name);
    writer.string(stream.kind);
    writer.string(stream.topic);
    writer.uint64(stream.latenessMs);
    writer.uint64(stream.sliceMs);
    writer.nullable(stream.maxAgeMs, ms => writer.uint64(ms));
    writer.uint16(stream.partitions);
  },
};

/** Mirrors of the experiments topic, for the views. The topic is the truth. */
export class ClickHouseRegistryStore implements Pick<ClosingStore, 'mirrorVersions' | 'mirrorStream' | 'streams'> {
  readonly #connection: SqlConnection;

  constructor(connection: SqlConnection) {
    this.#connection = connection;
  }

  mirrorVersions(versions: readonly ExperimentVersion[]): Promise<void> {
    return insertRows(this.#connection, VERSION_ROWS, {rows: versions, stream: ''});
  }

  mirrorStream(stream: Stream): Promise<void> {
    return insertRows(this.#connection, STREAM_ROWS, {rows: [stream], stream: ''});
  }

  async streams(): Promise<Stream[]> {
    const rows = await this.#connection.select<StreamRow>('SELECT * FROM streams FINAL ORDER BY stream');
    return rows.map(toStream);
  }
}

type StreamRow = {
  readonly stream: string;
  readonly kind: StreamKind;
  readonly topic: string;
  readonly lateness_ms: string;
  readonly slice_ms: string;
  readonly max_age_ms: string | null;
  readonly partitions: number;
};

const toStream = (row: StreamRow): Stream => ({
  name: row.stream,
  kind: row.kind,
  topic: row.topic,
  latenessMs: durationMs(Number(row.lateness_ms)),
  sliceMs: durationMs(Number(row.slice_ms)),
  maxAgeMs: row.max_age_ms === null ? null : durationMs(Number(row.max_age_ms)),
  partitions: row.partitions,
});
