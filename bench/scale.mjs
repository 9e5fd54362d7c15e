/**
 * How the worker's own cost (log to provisional slices, no warehouse) moves with
 * partitions, experiments, units and the ratio of window to slide; each row against the
 * first of its group, the rounds interleaved, a round to warm up left out.
 * `node bench/scale.mjs [events] [rounds] [group]`
 */
import {eventsOf, fill, measured, NO_WAREHOUSE, openEmbeddedLog, report, round, streamOf, viewsOf, withDirectory, work} from './lib/harness.mjs';

const [events = '200000', rounds = '3', only] = process.argv.slice(2);
const startTs = Date.now() - 3_600_000;
const BASE = {partitions: 6, experiments: 10, units: 100_000};
const GROUPS = {
  partitions: [1, 6, 16, 64],
  experiments: [10, 100, 1_000, 10_000],
  units: [10_000, 100_000, 1_000_000, 10_000_000],
};

await withDirectory(async directory => {
  const log = await openEmbeddedLog(directory);
  const rows = [];
  for (const [name, values] of Object.entries(GROUPS)) {
    if (only !== undefined && only !== name) continue;
    const runs = [];
    for (const value of values) {
      const {partitions, experiments, units} = {...BASE, [name]: value};
      const stream = streamOf(`${name}-${value}`, partitions);
      // A hint names the arm: the look-up of exposures is the warehouse's cost.
      const records = await fill(log, stream, eventsOf({count: Number(events), units, experiments, startTs, lengthMs: 100_000, design: 'paired'}));
      runs.push({value, stream, records, views: viewsOf(stream.name, experiments, {startTs, design: 'paired'}), cpu: [], rss: 0});
    }
    for (let turn = -1; turn < Number(rounds); turn += 1) {
      for (const run of runs) {
        const stream = {...run.stream, name: `${run.stream.name}-${turn}`};
        const {cpu, rssMiB} = await measured(() => work({log, warehouse: NO_WAREHOUSE, stream, views: run.views, records: run.records}));
        if (turn < 0) continue;
        run.cpu.push((cpu / run.records) * 1e6);
        run.rss = Math.max(run.rss, rssMiB);
      }
    }
    const [first] = runs;
    for (const {value, cpu, rss} of runs) {
      rows.push({what: name, value, us_cpu_per_event: round(median(cpu)), against_first: round(median(cpu) / median(first.cpu)), rss_mib: rss});
    }
  }
  await log.close();
  report('scale', rows, {events: Number(events), rounds: Number(rounds)});
});

function median(values) {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
}
