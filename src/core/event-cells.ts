import {LIMITS} from './limits.ts';

/** The entries of a map in an event's bytes, four places each: key from and to, value from and to. */
export class EntryPlaces {
  count = 0;
  readonly places = new Int32Array(Math.max(LIMITS.attributesMax, LIMITS.measuresMax) * 4);

  push(keyAt: number, keyEnd: number, valueAt: number, valueEnd: number): void {
    const at = this.count * 4;
    const {places} = this;
    places[at] = keyAt;
    places[at + 1] = keyEnd;
    places[at + 2] = valueAt;
    places[at + 3] = valueEnd;
    this.count += 1;
  }
}

/**
 * Where the cells of one accepted event lie in its bytes, so that a sink can copy them
 * without a string or an object in between. Texts are UTF-8, numbers 64-bit floats, low
 * byte first; a text that is null begins at -1. One is filled again for each event:
 * what it says holds until the next one.
 *
 * Of an exposure `hints` and `measures` say nothing, of an outcome the fields marked so.
 */
export class EventCells {
  bytes: Uint8Array = new Uint8Array(0);
  eventTs = 0;
  /** 16 bytes. */
  idAt = 0;
  unitAt = 0;
  unitEnd = 0;
  itemAt = -1;
  itemEnd = -1;
  traceAt = 0;
  traceEnd = 0;
  sampleRateAt = 0;
  /** Place in OUTCOME_STATUSES or EXPOSURE_REASONS. */
  choice = 0;
  readonly hints = new EntryPlaces();
  readonly measures = new EntryPlaces();
  readonly attributes = new EntryPlaces();
  /** From here on of an exposure. */
  experimentAt = 0;
  experimentEnd = 0;
  variantAt = 0;
  variantEnd = 0;
  phase = 0;
  configVersion = 0;
  sessionAt = -1;
  sessionEnd = -1;
}
