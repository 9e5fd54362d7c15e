import {encodeExposure, encodeOutcome} from '../../avro/released.ts';
import type {DeadLetterCode} from '../../core/events.ts';
import {type Fault, startOf, tamper, verdictOf} from './fault.ts';
import {HistoryMaker} from './history.ts';
import {LATENESS_MS, SLICE_MS} from './lab.ts';

type Poison = {readonly code: DeadLetterCode; readonly make: (make: HistoryMaker, at: {readonly unitId: string; readonly eventTs: number}) => Uint8Array};

const withMeasure = (value: number): Poison => ({
  code: 'measure_out_of_range',
  make: (make, at) => encodeOutcome({...make.outcome(at), measures: {score: value}}),
});

const POISONS: readonly Poison[] = [
  {code: 'undecodable', make: make => make.rng.bytes(make.below(200))},
  {code: 'undecodable', make: make => new Uint8Array(1 + make.below(64))},
  {code: 'undecodable', make: (make, at) => cut(encodeOutcome(make.outcome(at)), 10 + make.below(20))},
  {code: 'undecodable', make: (make, at) => cut(encodeExposure(make.exposure(at)), 10 + make.below(20))},
  {code: 'unknown_schema', make: (make, at) => fingerprintOf(encodeOutcome(make.outcome(at)), make)},
  withMeasure(Number.NaN),
  withMeasure(Number.POSITIVE_INFINITY),
  withMeasure(Number.NEGATIVE_INFINITY),
  withMeasure(1e15),
  withMeasure(-1e300),
  {code: 'schema_invalid', make: (make, at) => encodeOutcome({...make.outcome(at), unitId: ''})},
  {code: 'schema_invalid', make: (make, at) => encodeExposure({...make.exposure(at), phase: 0})},
  {code: 'schema_invalid', make: (make, at) => encodeExposure({...make.exposure(at), variant: ''})},
  {code: 'schema_invalid', make: (make, at) => encodeOutcome({...make.outcome(at), sampleRate: Number.NaN})},
  {code: 'schema_invalid', make: (make, at) => encodeOutcome({...make.outcome(at), sampleRate: 0})},
];

/** A record may be refused when it is encoded; then it is no poison. */
function tryMake(poison: Poison, make: HistoryMaker, at: {readonly unitId: string; readonly eventTs: number}): Uint8Array | undefined {
  try {
    return poison.make(make, at);
  } catch {
    return undefined;
  }
}

const cut = (bytes: Uint8Array, keep: number): Uint8Array => bytes.slice(0, Math.min(keep, bytes.length - 1));

function fingerprintOf(bytes: Uint8Array, make: HistoryMaker): Uint8Array {
  const copy = bytes.slice();
  copy.set(make.rng.bytes(8), 2);
  return copy;
}

/** Strings near the brokers' limit: far beyond what an event may be. */
const HUGE_BYTES = 850 * 1024;

const poison: Fault = {
  name: 'poison',
  title: 'poison: random bytes, cut records, unknown schemas, NaN, ∞, huge strings, strange but valid text',
  brokers: 1,
  run: async run => {
    const {lab, seed, isLong} = run;
    const startTs = startOf(seed);
    const stream = await lab.openStream(`poison-${seed}`, {startTs, partitions: 6});
    const make = new HistoryMaker(seed, 6);
    const count = isLong ? 100_000 : 10_000;
    let times = 0;
    for (let serial = 0; serial < count; serial++) {
      const at = startTs + serial * 20;
      if (serial % 500 === 0) make.tickAll(at);
      const unitId = `u${make.below(300)}`;
      const chosen = POISONS[serial % POISONS.length];
      const bytes = chosen === undefined ? undefined : tryMake(chosen, make, {unitId, eventTs: at});
      if (chosen !== undefined && bytes !== undefined) {
        make.sendDead(unitId, bytes, {at, code: chosen.code});
        times++;
      }
      if (serial % 4 === 0) sendStrange(make, serial, at);
      else if (serial % 4 === 1) make.send(make.exposure({unitId, eventTs: at}), at);
      else make.send(make.outcome({unitId, eventTs: at}), at);
      if (serial % 1_000 === 500) make.sendDead(unitId, encodeOutcome({...make.outcome({unitId, eventTs: at}), traceId: 'x'.repeat(HUGE_BYTES)}), {at, code: 'oversized'});
    }
    make.tickAll(startTs + count * 20 + SLICE_MS + LATENESS_MS + 1);
    const worker = lab.worker(stream);
    await lab.produce(stream, make.records);
    await lab.drained(stream);
    const code = await worker.stop();
    const settled = await lab.settle(stream, make.records);
    const moreErrors = code === 0 ? [] : [`the worker ended with ${code}`];
    return verdictOf(settled, {times, control: await tamper(lab, stream, settled), moreErrors});
  },
};

/** Text that is valid and breaks what quotes, escapes or splits badly. */
const STRANGE = ["'; DROP TABLE outcomes; --", 'tab\there', 'line\nbreak', 'null\u0000byte', '\\N', '"quoted"', 'emoji 🙂', '{"json":1}', '\u202eright to left', 'é', '__proto__', 'constructor', ' '];
const strange = (serial: number): string => STRANGE[serial % STRANGE.length] ?? '';

/** One name is refused wherever it is a key: it would change the object it is put into. */
function sendStrange(make: HistoryMaker, serial: number, at: number): void {
  const name = strange(serial + 1);
  const outcome = make.outcome({unitId: strange(serial), eventTs: at, attributes: {[name]: strange(serial)}});
  if (name === '__proto__') make.sendDead(outcome.unitId, encodeOutcome(outcome), {at, code: 'schema_invalid'});
  else make.send(outcome, at);
}

export const POISON_FAULTS: readonly Fault[] = [poison];
