/**
 * Closing: CPU per attributed outcome with three measures, in the embedded
 * engine, slice by slice and many slices in one request; spread over an hour also a
 * minute at a time, as a live stream closes. `node bench/closing.mjs [outcomes] [units] [slices of 10 s]`
 */
import {eventsOf, measured, openEmbeddedWarehouse, report, round, streamOf, viewsOf, withDirectory} from './lib/harness.mjs';

const [outcomes = '400000', units = '100000', slicesGiven = '60'] = process.argv.slice(2);
const SLICES = Number(slicesGiven);
const SLICE_MS = 10_000;
/** On the hour, so that all outcomes are in one. */
const startTs = Math.floor(Date.now() / 3_600_000 - 2) * 3_600_000;
const INSERT_ROWS = 50_000;

await withDirectory(async directory => {
  const warehouse = await openEmbeddedWarehouse(directory);
  const stream = streamOf('closing', 6);
  const views = viewsOf(stream.name, 2, {startTs});
  await warehouse.mirrorStream(stream);
  const attributed = await insert(warehouse, stream);
  const close = (fromSlice, throughSlice) => warehouse.closeSlices({stream, fromSlice, throughSlice, views, committed: []});
  const perSlice = attributed / SLICES;
  const rows = [];
  const at = slice => startTs + slice * SLICE_MS;
  const line = (what, {cpu, seconds}, count) => rows.push({what, us_cpu_per_outcome: round((cpu / count) * 1e6), cpu_s: round(cpu), seconds: round(seconds)});
  line('first slice (cold)', await measured(() => close(at(0), at(1))), perSlice);
  const singles = await measured(async () => {
    for (let slice = 1; slice < 10; slice += 1) await close(at(slice), at(slice + 1));
  });
  line('nine slices, one by one', singles, 9 * perSlice);
  line('fifty slices in one request', await measured(() => close(at(10), at(60))), 50 * perSlice);
  const minutes = async () => {
    for (let slice = 60; slice < 120; slice += 6) await close(at(slice), at(slice + 6));
  };
  if (SLICES >= 120) line('ten minutes, six slices a request', await measured(minutes), 60 * perSlice);
  report('closing', rows, {outcomes: attributed, units: Number(units)});
  await warehouse.close();
});

/** Straight into the tables, as a worker's flushes would. */
async function insert(warehouse, stream) {
  let outcomesSeen = 0;
  let rows = noRows();
  let offset = 0n;
  const flush = async () => {
    await warehouse.insertFacts({stream: stream.name, ...rows, deadLetters: []});
    rows = noRows();
  };
  const source = {count: Number(outcomes) + Number(units), units: Number(units), experiments: 2, startTs, lengthMs: SLICES * SLICE_MS};
  for (const event of eventsOf(source)) {
    const arrival = {logEpoch: 1, partition: Number(offset % 6n), offset, appendTs: event.eventTs, arrivalTs: event.eventTs};
    offset += 1n;
    if (event.kind === 'outcome') outcomesSeen += 1;
    rows[event.kind === 'outcome' ? 'outcomes' : 'exposures'].push({...event, arrival});
    rows.arrivals.push({...arrival, kind: event.kind, idHash: offset, payloadHash: offset, code: ''});
    if (rows.arrivals.length === INSERT_ROWS) await flush();
  }
  await flush();
  return outcomesSeen;
}

function noRows() {
  return {exposures: [], outcomes: [], arrivals: []};
}
