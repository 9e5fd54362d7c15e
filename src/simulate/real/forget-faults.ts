import {rewind} from './data-faults.ts';
import {countEvents, type Fault, type FaultRun, startOf, type Verdict, verdictOf} from './fault.ts';
import {HistoryMaker} from './history.ts';
import {type Lab, LATENESS_MS, SLICE_MS} from './lab.ts';
import {quoted} from './own-sql.ts';

const PARTITIONS = 6;
const UNIT = 'forget-me';

/** Events of the unit before, during and after; copies of the old ones come again later. */
function makeHistory(seed: number, events: number): HistoryMaker {
  const make = new HistoryMaker(seed, PARTITIONS);
  const startTs = startOf(seed);
  const old = [];
  for (let serial = 0; serial < events; serial++) {
    const at = startTs + serial * 20;
    if (serial % 250 === 0) make.tickAll(at);
    const isOwn = serial % 10 === 0;
    const unitId = isOwn ? UNIT : `u${make.below(200)}`;
    const event = serial % 4 === 0 ? make.exposure({unitId, eventTs: at}) : make.outcome({unitId, eventTs: at});
    make.send(event, at);
    if (isOwn && serial < events / 2) old.push(event);
    const again = old[make.below(old.length)];
    if (serial > (events * 3) / 4 && serial % 20 === 1 && again !== undefined) make.send(again, at);
  }
  make.tickAll(startTs + events * 20 + SLICE_MS + LATENESS_MS + 1);
  return make;
}

/** Rows that still name the unit and should not. */
async function rowsLeft({sql}: Lab, stream: string, through: number): Promise<number> {
  const where = `WHERE stream = ${quoted(stream)} AND unit_id = ${quoted(UNIT)} AND toUnixTimestamp64Milli(arrival_ts) <= ${through}`;
  const [row] = await sql.rows(`SELECT (SELECT count() FROM exposures ${where}) + (SELECT count() FROM outcomes ${where})`);
  return Number(row?.[0]);
}

/** The bug: a fact of the forgotten unit comes back under another arrival, as from a worker without tombstones. */
async function resurrect({sql}: Lab, stream: string, differs: () => Promise<boolean>): Promise<Verdict['control']> {
  const columns = 'stream, event_id, unit_id, event_ts, item_id, variant_hint, measures, status, sample_rate, trace_id, attributes, append_ts';
  await sql.run(`INSERT INTO outcomes (${columns}, arrival_ts, log_epoch, partition, offset, version)
    SELECT ${columns.replace('event_id,', "unhex('019b8d6368a07018aedeeea07b568a04'),").replace('unit_id,', `${quoted(UNIT)},`)}, arrival_ts + INTERVAL 1 DAY, log_epoch, partition, offset, version
    FROM outcomes WHERE stream = ${quoted(stream)} LIMIT 1`);
  return {what: 'an erased fact stored once more as a new one', isCaught: await differs()};
}

const forget: Fault = {
  name: 'forget',
  title: 'assay forget of a unit under load, then a replay from offset 0',
  brokers: 1,
  run: async (run: FaultRun) => {
    const {lab, seed, isLong} = run;
    const make = makeHistory(seed, isLong ? 200_000 : 6_000);
    const stream = await lab.openStream(`forget-${seed}`, {startTs: startOf(seed), partitions: PARTITIONS});
    const half = Math.floor(make.records.length * 0.6);
    const workers = [lab.worker(stream), lab.worker(stream)];
    await lab.produce(stream, make.records.slice(0, half));
    const load = lab.produce(stream, make.records.slice(half), {perSecond: countEvents(make.records) / 30});
    const {code, through, text} = await lab.forget(stream, UNIT);
    await load;
    await lab.drained(stream);
    const forgotten = new Map([[UNIT, through]]);
    const moreErrors = code === 0 && through > 0 ? [] : [`assay forget ended with ${code}: ${text.slice(0, 300)}`];
    const before = await lab.settle(stream, make.records, {forgotten});
    for (const error of moreErrors) lab.note(`  forget: ${error}`);
    moreErrors.push(...before.errors.map(error => `before the replay: ${error}`));
    const left = await rowsLeft(lab, stream.name, through);
    await Promise.all(workers.map(worker => worker.stop()));
    await rewind(lab, {stream, planned: make.records});
    const again = lab.worker(stream);
    await lab.drained(stream);
    await again.stop();
    const settled = await lab.settle(stream, make.records, {forgotten});
    const back = await rowsLeft(lab, stream.name, through);
    if (left + back > 0) moreErrors.push(`${left} rows of the unit left, ${back} after the replay`);
    const control = await resurrect(lab, stream.name, settled.differs);
    return verdictOf(settled, {times: 1, control, moreErrors, figures: `${left} rows of the unit left, ${back} after the replay`});
  },
};

export const FORGET_FAULTS: readonly Fault[] = [forget];
