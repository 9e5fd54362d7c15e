import {readFileSync} from 'node:fs';
import {ByteCache} from '../../dist/avro/byte-cache.js';
import {BodyReader} from '../../dist/avro/body-reader.js';
import {checkEvent} from '../../dist/avro/check-event.js';
import {DecodeFault} from '../../dist/avro/decode-fault.js';
import {NamePath} from '../../dist/avro/name-path.js';

const PHASE = 1;
const NOTHING = {};
const MEASURES_MAX = 12;

/**
 * The worker's codec for the job's record: a body without a header, by the
 * fields of its schema, through the same checked reader as Assay's own records.
 */
export function openPeerCodec(schemaPath) {
  const {fields} = JSON.parse(readFileSync(schemaPath, 'utf8'));
  const names = fields.map(({name}) => name).join();
  if (names !== 'event_id,experiment,variant,unit_id,ts,trace_id,measures') {
    throw new Error(`${schemaPath} has fields ${names}: this reader was written for another record`);
  }
  const reader = new BodyReader();
  const arms = new Map();
  let views = [];

  /** The hint object of an arm, made once; a new experiment or variant makes a view that knows it. */
  const armOf = (experiment, variant) => {
    const variants = arms.get(experiment) ?? arms.set(experiment, new Map()).get(experiment);
    const known = variants.get(variant);
    if (known !== undefined) return known;
    const hint = {[experiment]: variant};
    variants.set(variant, hint);
    views = [...arms].map(([name, found]) => viewOf(name, [...found.keys()]));
    return hint;
  };

  const read = bytes => {
    reader.open(bytes, 0);
    reader.field = 'event_id';
    const eventId = new Uint8Array(16);
    ulidInto(eventId, Buffer.from(reader.string(26)), 0);
    reader.field = 'experiment';
    const experiment = reader.name();
    reader.field = 'variant';
    const variant = reader.name();
    reader.field = 'unit_id';
    const unitId = reader.string(512);
    reader.field = 'ts';
    const eventTs = reader.long();
    reader.field = 'trace_id';
    const traceId = reader.string(256);
    reader.field = 'measures';
    const measures = reader.doubles(64);
    reader.close();
    return {kind: 'outcome', eventId, unitId, eventTs, itemId: null, variantHint: armOf(experiment, variant), measures, status: 'ok', sampleRate: 1, traceId, attributes: NOTHING};
  };

  const identity = new Uint8Array(16 + 512);
  const hints = new ByteCache(1_024);
  const root = NamePath.root();
  const glanced = {
    kind: 'outcome', eventTs: 0, bytes: identity, idAt: 0, unitAt: 16, unitEnd: 0,
    variantHint: NOTHING, measureNames: [], measureValues: new Float64Array(MEASURES_MAX), status: 'ok',
  };

  /** The hint of the two names that come next, which repeat from record to record. */
  const readHint = bytes => {
    const start = reader.position;
    reader.skipBytes();
    reader.skipBytes();
    const end = reader.position;
    const known = hints.get(bytes, start, end);
    if (known !== undefined) return known;
    reader.goBack(start);
    const hint = armOf(reader.name(), reader.name());
    hints.set(bytes.subarray(start, end), hint);
    return hint;
  };

  /** As Assay's own codec accepts its ordinary record: every field passed over and judged, none made. */
  const glance = ({bytes, from, to}, {arrivalTs}) => {
    reader.open(bytes, from, to);
    const idAt = reader.position + 1;
    if (!reader.skipAscii(26, 26)) return null;
    glanced.variantHint = readHint(bytes);
    const unitFrom = reader.position;
    if (!reader.skipAscii(1, 512)) return null;
    const unitEnd = reader.position;
    const unitAt = reader.textStart(unitFrom);
    const eventTs = reader.long();
    if (!reader.skipAscii(0, 256)) return null;
    const count = reader.long();
    if (count < 1 || count > MEASURES_MAX) return null;
    let path = root;
    for (let index = 0; index < count; index += 1) {
      path = path.next(reader);
      if (path === undefined) return null;
      const value = reader.double();
      if (!(Math.abs(value) < 1e15)) return null;
      glanced.measureValues[index] = value;
    }
    if (reader.long() !== 0 || !reader.isAtEnd()) return null;
    ulidInto(identity, bytes, idAt);
    const idTs = (identity[0] * 256 + identity[1]) * 2 ** 32 + identity[2] * 2 ** 24 + (identity[3] << 16) + (identity[4] << 8) + identity[5];
    if (Math.abs(idTs - eventTs) > 86_400_000 || eventTs < 0 || eventTs > arrivalTs + 60_000) return null;
    for (let at = unitAt; at < unitEnd; at += 1) identity[16 + at - unitAt] = bytes[at];
    glanced.eventTs = eventTs;
    glanced.unitEnd = 16 + unitEnd - unitAt;
    glanced.measureNames = path.names;
    return glanced;
  };

  return {
    glance: (place, context) => {
      try {
        return glance(place, context);
      } catch {
        return null;
      }
    },
    views: () => views,
    decode: bytes => {
      try {
        return {ok: true, event: read(bytes)};
      } catch (error) {
        if (!(error instanceof DecodeFault)) throw error;
        return {ok: false, code: error.code, message: error.message};
      }
    },
    check: checkEvent,
    encodeTick: () => {
      throw new Error('this stream has no ticks');
    },
  };
}

const METRICS = ['latency_ms', 'tokens', 'error'].map(key => ({
  key, aggregate: 'mean', measure: key, status: [], numerator: '', denominator: '', role: 'diagnostic', direction: 'lower',
  minEffect: 0, tolerance: 0, scale: 9, attributionMs: 0, dimensions: [],
}));

function viewOf(experiment, variants) {
  return {
    stream: 'peer',
    experiment,
    version: 1,
    definition: {experiment, design: 'paired', variants: variants.map(key => ({key, weight: 1})), metrics: METRICS},
    phases: [{phase: PHASE, validFrom: 0, validTo: null, weights: {}}],
  };
}

const CROCKFORD = new Uint8Array(128);
for (const [value, letter] of [...'0123456789ABCDEFGHJKMNPQRSTVWXYZ'].entries()) CROCKFORD[letter.charCodeAt(0)] = value;

/** 26 letters of base 32 (48 bits of time in the first ten, 80 of chance) are 16 bytes. */
function ulidInto(target, letters, from) {
  let at = 0;
  let held = 0;
  // The first letter holds three bits only.
  let bits = -2;
  for (let i = 0; i < 26; i += 1) {
    held = (held << 5) | CROCKFORD[letters[from + i] & 127];
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    target[at++] = held >>> bits;
    held &= (1 << bits) - 1;
  }
}
