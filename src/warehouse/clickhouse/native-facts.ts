import {assert} from '../../core/assert.ts';
import type {EventCells} from '../../core/event-cells.ts';
import {EXPOSURE_REASONS, OUTCOME_STATUSES} from '../../core/events.ts';
import {type Arrival, ARRIVAL_KINDS, type ArrivalColumns, type ArrivalRow, type ExposureFact, type OutcomeFact, type Taken} from '../../core/facts.ts';
import {FixedColumn, MapColumn, type NativeColumn, nativeBlock, ShortColumn, TextColumn, WordColumn} from './native-column.ts';
import {ChoiceColumn, ConstantColumn, DictionaryColumn} from './native-dictionary.ts';

const ID_BYTES = 16;
const DOUBLE_BYTES = 8;
const TIME = "DateTime64(3, 'UTC')";

/** Rows of one table in the making. One is filled, taken as a block, cleared and filled again. */
export abstract class TableColumns {
  abstract readonly table: string;
  rows = 0;
  protected abstract readonly columns: Readonly<Record<string, NativeColumn>>;
  #stream: ConstantColumn | undefined;

  get names(): readonly string[] {
    return ['stream', ...Object.keys(this.columns)];
  }

  block(stream: string): readonly Uint8Array[] {
    this.#stream = new ConstantColumn(stream);
    this.#stream.rows = this.rows;
    return nativeBlock({stream: this.#stream, ...this.columns}, this.rows);
  }

  clear(): void {
    this.rows = 0;
    for (const column of Object.values(this.columns)) column.clear();
  }
}

/** Where and when the log took a row. */
class PositionColumns {
  readonly columns = {
    append_ts: new WordColumn(TIME),
    arrival_ts: new WordColumn(TIME),
    log_epoch: new ShortColumn(),
    partition: new ShortColumn(),
    offset: new WordColumn('UInt64'),
  };

  push({appendTs, arrivalTs, logEpoch, partition, offsetLow, offsetHigh}: Taken): void {
    const {columns} = this;
    columns.append_ts.pushWhole(appendTs);
    columns.arrival_ts.pushWhole(arrivalTs);
    columns.log_epoch.push(logEpoch);
    columns.partition.push(partition);
    columns.offset.pushTwo(offsetLow, offsetHigh);
  }
}

/**
 * What ReplacingMergeTree keeps the largest of, so it is the complement; words from the lowest:
 *
 *     ~( arrival_ts 48 bits │ log_epoch 16 │ partition 16 │ offset 48 )
 */
export function pushVersion(column: WordColumn, {arrivalTs, logEpoch, partition, offsetLow, offsetHigh}: Taken): void {
  assert(offsetHigh >= 0 && offsetHigh < 2 ** 16, 'an offset has at most 48 bits');
  assert(arrivalTs >= 0 && arrivalTs < 2 ** 48, 'an arrival time has at most 48 bits');
  column.pushTwo(~offsetLow, ~((partition << 16) | offsetHigh));
  // The shift is one of 32 bits: the lowest 16 of the time remain.
  column.pushTwo(~((arrivalTs << 16) | logEpoch), ~Math.floor(arrivalTs / 2 ** 16));
}

/** What both kinds of facts have, whether they come as cells or as objects. */
abstract class FactColumns<Fact extends ExposureFact | OutcomeFact> extends TableColumns {
  protected readonly head = {event_id: new FixedColumn('FixedString(16)'), unit_id: new TextColumn(), event_ts: new WordColumn(TIME)};
  protected readonly tail = {
    item_id: new TextColumn('Nullable(String)'),
    sample_rate: new FixedColumn('Float64'),
    trace_id: new TextColumn(),
    attributes: new MapColumn(new TextColumn(), (values, value) => values.pushText(String(value))),
  };
  protected readonly position = new PositionColumns();
  protected readonly version = new WordColumn('UInt128');

  pushCells(cells: EventCells, taken: Taken): void {
    const {bytes, idAt, itemAt, sampleRateAt} = cells;
    this.head.event_id.push(bytes, idAt, idAt + ID_BYTES);
    this.head.unit_id.push(bytes, cells.unitAt, cells.unitEnd);
    this.head.event_ts.pushWhole(cells.eventTs);
    if (itemAt < 0) this.tail.item_id.pushNull();
    else this.tail.item_id.push(bytes, itemAt, cells.itemEnd);
    this.tail.sample_rate.push(bytes, sampleRateAt, sampleRateAt + DOUBLE_BYTES);
    this.tail.trace_id.push(bytes, cells.traceAt, cells.traceEnd);
    this.tail.attributes.push(bytes, cells.attributes);
    this.pushOwnCells(cells);
    this.#pushTaken(taken);
  }

  pushFact(fact: Fact): void {
    assert(fact.eventId.length === ID_BYTES, `an event id of ${fact.eventId.length} bytes`);
    this.head.event_id.push(fact.eventId, 0, ID_BYTES);
    this.head.unit_id.pushText(fact.unitId);
    this.head.event_ts.pushWhole(fact.eventTs);
    this.tail.item_id.pushNullable(fact.itemId);
    this.tail.sample_rate.pushDouble(fact.sampleRate);
    this.tail.trace_id.pushText(fact.traceId);
    this.tail.attributes.pushRecord(fact.attributes);
    this.pushOwn(fact);
    this.#pushTaken(takenOf(fact.arrival));
  }

  protected abstract pushOwnCells(cells: EventCells): void;
  protected abstract pushOwn(fact: Fact): void;

  #pushTaken(taken: Taken): void {
    this.position.push(taken);
    pushVersion(this.version, taken);
    this.rows++;
  }
}

export class ExposureColumns extends FactColumns<ExposureFact> {
  readonly table = 'exposures';
  readonly #own = {
    experiment: new DictionaryColumn(),
    variant: new DictionaryColumn(),
    phase: new WordColumn('UInt32'),
    config_version: new WordColumn('UInt32'),
    reason: new ChoiceColumn(EXPOSURE_REASONS),
    session_id: new TextColumn('Nullable(String)'),
  };
  protected readonly columns = {...this.head, ...this.#own, ...this.tail, ...this.position.columns, version: this.version};

  protected pushOwnCells(cells: EventCells): void {
    const {bytes, sessionAt} = cells;
    const own = this.#own;
    own.experiment.push(bytes, cells.experimentAt, cells.experimentEnd);
    own.variant.push(bytes, cells.variantAt, cells.variantEnd);
    own.phase.push(cells.phase);
    own.config_version.push(cells.configVersion);
    own.reason.push(cells.choice);
    if (sessionAt < 0) own.session_id.pushNull();
    else own.session_id.push(bytes, sessionAt, cells.sessionEnd);
  }

  protected pushOwn({experiment, variant, phase, configVersion, reason, sessionId}: ExposureFact): void {
    const own = this.#own;
    own.experiment.pushText(experiment);
    own.variant.pushText(variant);
    own.phase.push(phase);
    own.config_version.push(configVersion);
    own.reason.pushText(reason);
    own.session_id.pushNullable(sessionId);
  }
}

export class OutcomeColumns extends FactColumns<OutcomeFact> {
  readonly table = 'outcomes';
  readonly #own = {
    variant_hint: new MapColumn(new TextColumn(), (values, value) => values.pushText(String(value))),
    measures: new MapColumn(new FixedColumn('Float64'), (values, value) => values.pushDouble(Number(value))),
    status: new ChoiceColumn(OUTCOME_STATUSES),
  };
  protected readonly columns = {...this.head, ...this.#own, ...this.tail, ...this.position.columns, version: this.version};

  protected pushOwnCells({bytes, hints, measures, choice}: EventCells): void {
    this.#own.variant_hint.push(bytes, hints);
    this.#own.measures.push(bytes, measures);
    this.#own.status.push(choice);
  }

  protected pushOwn({variantHint, measures, status}: OutcomeFact): void {
    this.#own.variant_hint.pushRecord(variantHint);
    this.#own.measures.pushRecord(measures);
    this.#own.status.pushText(status);
  }
}

/** Arrivals that come as columns are taken over a column at a time. */
export class ArrivalTableColumns extends TableColumns {
  readonly table = 'arrivals';
  readonly #own = {
    kind: new ChoiceColumn(ARRIVAL_KINDS),
    id_hash: new WordColumn('UInt64'),
    payload_hash: new WordColumn('UInt64'),
    code: new DictionaryColumn(),
  };
  readonly #position = new PositionColumns();
  protected readonly columns = {...this.#own, ...this.#position.columns};

  pushColumns(part: ArrivalColumns): void {
    const {kind, code, id_hash, payload_hash} = this.#own;
    const noCode = code.keyOfText('');
    const taken = takenOf({logEpoch: part.logEpoch, partition: part.partition});
    const [offsets, idHashes, payloadHashes] = [part.offsets, part.idHashes, part.payloadHashes].map(halvesOf) as [Uint32Array, Uint32Array, Uint32Array];
    for (let row = 0; row < part.length; row++) {
      const at = row * 2;
      kind.push(part.kinds[row] as number);
      id_hash.pushTwo(idHashes[at] as number, idHashes[at + 1] as number);
      payload_hash.pushTwo(payloadHashes[at] as number, payloadHashes[at + 1] as number);
      code.pushKey(part.codes.size === 0 ? noCode : code.keyOfText(part.codes.get(row) ?? ''));
      taken.appendTs = part.appendTs[row] as number;
      taken.arrivalTs = part.arrivalTs[row] as number;
      taken.offsetLow = offsets[at] as number;
      taken.offsetHigh = offsets[at + 1] as number;
      this.#position.push(taken);
    }
    this.rows += part.length;
  }

  pushRow(row: ArrivalRow): void {
    this.#own.kind.pushText(row.kind);
    pushBigint(this.#own.id_hash, row.idHash);
    pushBigint(this.#own.payload_hash, row.payloadHash);
    this.#own.code.pushText(row.code);
    this.#position.push(takenOf(row));
    this.rows++;
  }
}

const halvesOf = (column: BigInt64Array | BigUint64Array): Uint32Array => new Uint32Array(column.buffer, column.byteOffset, column.length * 2);

function pushBigint(column: WordColumn, value: bigint): void {
  column.pushTwo(Number(value & 0xffff_ffffn), Number(value >> 32n));
}

function takenOf({logEpoch, partition, offset = 0n, appendTs = 0, arrivalTs = 0}: Pick<Arrival, 'logEpoch' | 'partition'> & Partial<{offset: bigint; appendTs: number; arrivalTs: number}>): Taken {
  return {logEpoch, partition, offsetLow: Number(offset & 0xffff_ffffn), offsetHigh: Number(offset >> 32n), appendTs, arrivalTs};
}
