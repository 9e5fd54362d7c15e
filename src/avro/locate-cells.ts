import type {EntryPlaces, EventCells} from '../core/event-cells.ts';
import type {BodyReader} from './body-reader.ts';

/** Walk an accepted record and note where its cells lie: what decoding does, without making anything. */
export const LOCATORS: Readonly<Record<string, (reader: BodyReader, cells: EventCells) => void>> = {
  'exposure.v1': locateExposure,
  'outcome.v1': locateOutcome,
};

const ID_BYTES = 16;
const DOUBLE_BYTES = 8;

function locateExposure(reader: BodyReader, cells: EventCells): void {
  locateHead(reader, cells);
  cells.experimentAt = textAt(reader);
  cells.experimentEnd = reader.position;
  cells.variantAt = textAt(reader);
  cells.variantEnd = reader.position;
  cells.phase = reader.long();
  locateUnit(reader, cells);
  cells.configVersion = reader.long();
  cells.choice = reader.long();
  locateItem(reader, cells);
  cells.sessionAt = reader.long() === 0 ? -1 : textAt(reader);
  cells.sessionEnd = reader.position;
  locateTail(reader, cells);
}

function locateOutcome(reader: BodyReader, cells: EventCells): void {
  locateHead(reader, cells);
  locateUnit(reader, cells);
  locateItem(reader, cells);
  locateTexts(reader, cells.hints);
  locateNumbers(reader, cells.measures);
  cells.choice = reader.long();
  locateTail(reader, cells);
}

function locateHead(reader: BodyReader, cells: EventCells): void {
  cells.bytes = reader.bytes;
  cells.idAt = reader.position;
  reader.skip(ID_BYTES);
}

function locateUnit(reader: BodyReader, cells: EventCells): void {
  cells.unitAt = textAt(reader);
  cells.unitEnd = reader.position;
  cells.eventTs = reader.long();
}

function locateItem(reader: BodyReader, cells: EventCells): void {
  cells.itemAt = reader.long() === 0 ? -1 : textAt(reader);
  cells.itemEnd = reader.position;
}

function locateTail(reader: BodyReader, cells: EventCells): void {
  cells.sampleRateAt = reader.position;
  reader.skip(DOUBLE_BYTES);
  cells.traceAt = textAt(reader);
  cells.traceEnd = reader.position;
  locateTexts(reader, cells.attributes);
}

function locateTexts(reader: BodyReader, entries: EntryPlaces): void {
  entries.count = 0;
  for (let count = reader.blockCount(); count > 0; count = reader.blockCount()) {
    for (let index = 0; index < count; index += 1) {
      const keyAt = textAt(reader);
      const keyEnd = reader.position;
      const valueAt = textAt(reader);
      entries.push(keyAt, keyEnd, valueAt, reader.position);
    }
  }
}

function locateNumbers(reader: BodyReader, entries: EntryPlaces): void {
  entries.count = 0;
  for (let count = reader.blockCount(); count > 0; count = reader.blockCount()) {
    for (let index = 0; index < count; index += 1) {
      const keyAt = textAt(reader);
      const keyEnd = reader.position;
      const valueAt = keyEnd;
      reader.skip(DOUBLE_BYTES);
      entries.push(keyAt, keyEnd, valueAt, reader.position);
    }
  }
}

/** Passes over a text. @returns where its characters begin; they end at the reader's position */
function textAt(reader: BodyReader): number {
  const at = reader.position;
  reader.skipBytes();
  return reader.textStart(at);
}
