/**
 * A verdict over many outcomes: all three metrics against one hand-written query that deduplicates, joins and sums the
 * same units, in one run on the same facts; then looks at a running experiment, each after some more events.
 * `node bench/stats/verdict.mjs [outcomes] [units] [new outcomes a look]`, after a build.
 */
import {join} from 'node:path';
import {analyzeExperiment} from '../../dist/analyze/analyze-experiment.js';
import {SYSTEM_CLOCK} from '../../dist/roles/system.js';
import {connectionsOf} from '../../dist/warehouse/chdb/chdb-connections.js';
import {openChdbEngine} from '../../dist/warehouse/chdb/chdb-engine.js';
import {makeClickHouseWarehouse} from '../../dist/warehouse/clickhouse/clickhouse-warehouse.js';
import {makeSemanticStores} from '../../dist/warehouse/clickhouse/semantic-stores.js';
import {measured, report, round, streamOf, withDirectory} from '../lib/harness.mjs';

const [outcomes, units, fresh] = [['10000000', 0], ['1000000', 1], ['10000', 2]].map(([usual, at]) => Number(process.argv[at + 2] ?? usual));
const START = Date.UTC(2026, 0, 1);
const SPAN_MS = 20 * 86_400_000;
const LOOKS = 3;
/** Of runs one after the other, after one of each; the ratio in the middle is told. */
const PAIRS = 5;
/** Ten of them stay well below the memory of one query. */
const INSERTED_AT_ONCE = 1_000_000;

const metric = given => ({
  measure: '', status: [], numerator: '', denominator: '', minEffect: 0, tolerance: 0, scale: 9, attributionMs: 604_800_000, dimensions: [], ...given,
});
const VIEW = {
  stream: 'bench', experiment: 'answers', version: 1,
  definition: {
    experiment: 'answers', hypothesis: '', owner: '', design: 'split', unit: 'user', variants: [{key: 'a', weight: 1}, {key: 'b', weight: 1}],
    hasWeights: true, control: 'a', fallback: 'a', allocation: 1, layer: null, salt: 'answers', targeting: {}, overrides: [], sampleRate: 1,
    metrics: [
      metric({key: 'judge_score', aggregate: 'mean', measure: 'score', role: 'goal', direction: 'higher'}),
      metric({key: 'latency_p95', aggregate: 'p95', measure: 'latency_ms', role: 'guardrail', direction: 'lower'}),
      metric({key: 'error_rate', aggregate: 'share', status: ['server_error'], role: 'guardrail', direction: 'lower'}),
    ],
    analysis: {alpha: 0.05, correction: 'holm', lookEveryMs: 60_000, minN: 200, minRunMs: 0, maxN: null, maxRunMs: null, pairCoverageMin: 0.8, srmAlpha: 0.001, crossoverMax: 0.01, tuningN: 5_000},
    guards: [], canary: null, lifecycle: 'running',
  },
  phases: [{phase: 1, validFrom: START, validTo: null, weights: {a: 1, b: 1}}],
};

const HAND_WRITTEN = `
WITH units AS (
  SELECT unit_id, any(variant) AS variant, min(event_ts) AS first_ts
  FROM exposures FINAL
  WHERE stream = 'bench' AND experiment = 'answers'
  GROUP BY unit_id
)
SELECT variant, count() AS n, sum(score), sum(score * score), sum(latency), sum(latency * latency), sum(errors), sum(errors * errors), sum(errors * answers), sum(answers)
FROM (
  SELECT unit_id, variant, count() AS answers, sum(measures['score']) AS score, sum(measures['latency_ms']) AS latency, sum(status = 'server_error') AS errors
  FROM outcomes FINAL
  INNER JOIN units USING (unit_id)
  WHERE stream = 'bench' AND outcomes.event_ts >= first_ts
  GROUP BY unit_id, variant
)
GROUP BY variant`;

await withDirectory(async directory => {
  const engine = await openChdbEngine({directory: join(directory, 'warehouse')});
  const connections = await connectionsOf(engine, () => engine.close());
  const warehouse = makeClickHouseWarehouse({connections, clock: SYSTEM_CLOCK, holder: null, access: 'tables'}, makeSemanticStores(connections));
  await warehouse.migrate();
  await warehouse.mirrorStream(streamOf('bench', 6));
  const {closing} = connections;
  await insertExposures(closing, {from: 0, count: units, startMs: START, spanMs: SPAN_MS});
  for (let from = 0; from < outcomes; from += INSERTED_AT_ONCE) {
    const count = Math.min(INSERTED_AT_ONCE, outcomes - from);
    const at = number => Math.floor((number / outcomes) * SPAN_MS);
    await insertOutcomes(closing, {from, count, startMs: START + at(from), spanMs: at(from + count) - at(from), units});
  }
  const rows = [];
  const line = (what, {cpu, seconds, rssMiB}) => rows.push({what, cpu_s: round(cpu), seconds: round(seconds), rss_mib: rssMiB});
  const analyze = (cut, live) => analyzeExperiment({warehouse, clock: SYSTEM_CLOCK, versions: {assay: '', node: '', engine: ''}, stream: 'bench', view: VIEW, cut, live});
  const hand = () => connections.stats.select(HAND_WRITTEN, {}, {do_not_merge_across_partitions_select_final: 1});
  let cut = START + SPAN_MS + 1_000;
  await hand();
  await analyze(cut, false);
  const pairs = [];
  for (let pair = 0; pair < PAIRS; pair += 1) {
    pairs.push({single: await measured(hand), whole: await measured(() => analyze(cut, false))});
    line('one hand-written query', pairs.at(-1).single);
    line('verdict, recounted from facts', pairs.at(-1).whole);
  }
  const ratio = of => pairs.map(({single, whole}) => of(whole) / of(single)).sort((a, b) => a - b)[Math.floor(PAIRS / 2)];
  line('first look at the running experiment', await measured(() => analyze(cut, true)));
  let seen = {units, outcomes};
  const looks = [];
  for (let look = 0; look < LOOKS; look += 1) {
    const some = Math.ceil(fresh / 20);
    await insertExposures(closing, {from: seen.units, count: some, startMs: cut + 1, spanMs: 60_000});
    await insertOutcomes(closing, {from: seen.outcomes, count: fresh, startMs: cut + 1, spanMs: 60_000, units: seen.units + some});
    seen = {units: seen.units + some, outcomes: seen.outcomes + fresh};
    cut += 61_000;
    const taken = await measured(() => analyze(cut, true));
    looks.push(taken.result);
    line(`look ${look + 1}: ${fresh} outcomes, ${some} units more`, taken);
  }
  const again = await analyze(cut, false);
  const isSame = again.every((row, at) => row.evidence_digest === looks.at(-1)[at].evidence_digest);
  if (!isSame) throw new Error('the last look and a recount differ');
  report('verdict', rows, {outcomes, units, verdict_against_hand: round(ratio(({seconds}) => seconds)), verdict_cpu_against_hand: round(ratio(({cpu}) => cpu)), last_look_equals_recount: isSame});
  await warehouse.close();
});

/** Bytes of an id: the time first, as in every event id. */
function idOf(salt) {
  return `toFixedString(concat(reverse(reinterpretAsFixedString(toUInt64(ms) * 65536)), reinterpretAsFixedString(sipHash64('${salt}', number))), 16)`;
}

function insertExposures(sql, {from, count, startMs, spanMs}) {
  return sql.command(`
    INSERT INTO exposures (stream, event_id, unit_id, experiment, variant, phase, event_ts, config_version, reason, sample_rate, append_ts, arrival_ts, log_epoch, partition, offset, version)
    SELECT 'bench', ${idOf('e')}, concat('user-', toString(number)), 'answers', if(cityHash64(number, 'v') % 2 = 0, 'a', 'b'), 1,
      fromUnixTimestamp64Milli(toInt64(ms), 'UTC') AS at, 1, 'assigned', 1, at, at, 1, number % 6, number, bitNot(toUInt128(number))
    FROM (SELECT number, ${startMs} + intDiv((number - ${from}) * ${spanMs}, ${count}) AS ms FROM numbers(${from}, ${count}))`);
}

/** A unit answers only after its exposure. */
function insertOutcomes(sql, {from, count, startMs, spanMs, units: known}) {
  return sql.command(`
    INSERT INTO outcomes (stream, event_id, unit_id, event_ts, measures, status, sample_rate, append_ts, arrival_ts, log_epoch, partition, offset, version)
    SELECT 'bench', ${idOf('o')}, concat('user-', toString(unit)), fromUnixTimestamp64Milli(toInt64(ms), 'UTC') AS at,
      map('score', round(rand(1) / 4294967296, 2), 'latency_ms', round(exp(6 + randCanonical(3)), 1), 'cost_usd', 0.001), if(rand(2) % 50 = 0, 'server_error', 'ok'),
      1, at, at, 1, number % 6, 100000000 + number, bitNot(toUInt128(100000000 + number))
    FROM (
      SELECT number, cityHash64(number) % ${known} AS unit,
        greatest(${startMs} + intDiv((number - ${from}) * ${spanMs}, ${count}), if(unit < ${units}, ${START} + intDiv(unit * ${SPAN_MS}, ${units}) + 1, 0)) AS ms
      FROM numbers(${from}, ${count})
    )`);
}
