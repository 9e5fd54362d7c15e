/**
 * The plan past one machine, from measured costs: what a rate of events needs, and
 * how evenly units spread over partitions when there are many.
 * `node bench/plan.mjs [events per second] [partitions]`
 */
import {partitionOf} from '../dist/log/partitioner.js';
import {numbers, report, round} from './lib/harness.mjs';

const [rate = '1000000', partitions = '1000'] = process.argv.slice(2);
/** From bench/memory.mjs, bench/inserts.mjs and bench/closing.mjs; docs/PERFORMANCE.md has the runs. */
const COST = {
  /** µs of a worker's CPU per event, blocks for a server made and sent. */
  workerUs: 8.5,
  /** µs of the engine's CPU per event for its fact and its arrival. */
  insertUs: 2,
  /** µs of merging the same once. */
  mergeUs: 2.4,
  /** How often a row is merged on its way from 50 000 rows to a part of hundreds of millions, five to ten parts at a time. */
  merges: 5,
  /** µs of the engine's CPU per attributed outcome, slices closed many at once. */
  closeUs: 5.6,
  /** A process reads and decodes on one thread; beyond this share of a core it lags at every pause. */
  coreShare: 0.6,
  logBytes: 176,
  logReplicas: 3,
  factBytes: 75,
  factReplicas: 2,
};
const DAY_S = 86_400;

const events = Number(rate);
const cores = us => (events * us) / 1e6;
const workers = Math.ceil(cores(COST.workerUs) / COST.coreShare);
const shardCores = cores(COST.insertUs + COST.mergeUs * COST.merges + COST.closeUs);
const terabytes = bytes => round((events * DAY_S * bytes) / 1e12, 1);

const rows = [
  {what: 'worker processes', value: workers},
  {what: 'partitions (three a worker, room to grow)', value: workers * 3},
  {what: 'ClickHouse cores (inserts, merges, closing)', value: Math.ceil(shardCores)},
  {what: 'of them for merges', value: Math.ceil(cores(COST.mergeUs * COST.merges))},
  {what: 'ClickHouse shards of 16 cores', value: Math.ceil(shardCores / 16)},
  {what: 'log on disk, TB a day, replicas included', value: terabytes(COST.logBytes * COST.logReplicas)},
  {what: 'facts on disk, TB a day, replicas included', value: terabytes(COST.factBytes * COST.factReplicas)},
  ...spread(),
];
report('plan', rows, {events_per_s: events, cost: COST});

/** The fullest partition bounds the group: its rate against the mean, for even units and for a few loud ones. */
function spread() {
  const count = Number(partitions);
  const next = numbers(7);
  return [['even units', () => 1], ['units by a power law', () => Math.min(10_000, next() ** -0.7)]].map(([what, weightOf]) => {
    const load = new Float64Array(count);
    let total = 0;
    for (let unit = 0; unit < 2_000_000; unit += 1) {
      const weight = weightOf();
      load[partitionOf(`user-${unit}`, count)] += weight;
      total += weight;
    }
    return {what: `fullest of ${count} partitions against the mean, ${what}`, value: round(Math.max(...load) / (total / count))};
  });
}
