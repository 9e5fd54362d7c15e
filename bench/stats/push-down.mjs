/**
 * Paired tests in the engine against scipy on arrays that are in memory already, in one run on the same pairs:
 * differences in cents (so that |d| repeats) and continuous ones. `node bench/stats/push-down.mjs [pairs] [rounds]`,
 * after a build; needs python3 with numpy and scipy.
 */
import {spawnSync} from 'node:child_process';
import {fileURLToPath} from 'node:url';
import {join} from 'node:path';
import {wilcoxonFromRankSums, wilcoxonSignedRank} from '../../dist/stats/wilcoxon-signed-rank.js';
import {pairedT} from '../../dist/stats/paired-t.js';
import {momentsOfSteps} from '../../dist/analyze/exact-moments.js';
import {DISTINCT_VALUES_MAX} from '../../dist/analyze/load-inputs.js';
import {gridDigits} from '../../dist/warehouse/exact-groups.js';
import {openChdbEngine} from '../../dist/warehouse/chdb/chdb-engine.js';
import {loadMigrations, migrate} from '../../dist/warehouse/clickhouse/migrations.js';
import {gridParams, PairStore, stepsWritten} from '../../dist/warehouse/clickhouse/pair-store.js';
import {SYSTEM_CLOCK} from '../../dist/roles/system.js';
import {measured, report, round, withDirectory} from '../lib/harness.mjs';

const [pairs = '10000000', rounds = '2'] = process.argv.slice(2);
const DOUBLES = 'control Float64 CODEC(NONE), variant Float64 CODEC(NONE), cluster UInt128';
const KINDS = [
  {kind: 'repeating', control: 'round(randCanonical(1) * 4000, 2)', variant: 'round(randCanonical(2) * 4000 + 1, 2)'},
  {kind: 'continuous', control: 'randNormal(100, 20, 1)', variant: 'randNormal(100.01, 20, 2)'},
];

await withDirectory(async directory => {
  const engine = await openChdbEngine({directory: join(directory, 'warehouse')});
  const connection = await engine.openConnection();
  await migrate(connection, {migrations: loadMigrations(), clock: SYSTEM_CLOCK, holder: null});
  const store = new PairStore(connection);
  const rows = [];
  for (const {kind, control, variant} of KINDS) {
    // The same pairs written as doubles alone and with their steps, as an analysis writes them: what a test need not work out was paid for there.
    for (const table of ['given', 'doubles']) await connection.command(`CREATE TABLE ${table} (${DOUBLES}) ENGINE = MergeTree ORDER BY tuple()`);
    await connection.command(`INSERT INTO given SELECT ${control}, ${variant}, number FROM numbers(${pairs})`);
    const [{largest}] = await connection.select('SELECT max(greatest(abs(control), abs(variant))) AS largest FROM given');
    const of = {pairs: kind, unpaired: `${kind}/unpaired`, digits: gridDigits(largest)};
    const steps = stepsWritten({control: 'control', variant: 'variant'});
    const doubles = await measured(() => connection.command('INSERT INTO doubles SELECT * FROM given'));
    const written = await measured(() => connection.command(`INSERT INTO analysis_pair_rows SELECT '${kind}', *, ${steps} FROM given`, gridParams(of.digits)));
    for (const table of ['given', 'doubles']) await connection.command(`DROP TABLE ${table}`);
    const file = join(directory, `${kind}.bin`);
    await connection.command(`INSERT INTO FUNCTION file('${file}', 'RowBinary') SELECT variant, control FROM analysis_pair_rows WHERE pair_set = '${kind}'`);
    const t = await best(() => pairedTOf(store, of));
    const wilcoxon = await best(() => wilcoxonOf(store, of));
    const [differing] = await connection.select(`SELECT toFloat64(uniq(abs(roundBankers((variant - control) * 1e8)))) AS sizes FROM analysis_pair_rows WHERE pair_set = '${kind}'`);
    const peer = scipy(file);
    const line = (test, ours, theirs) =>
      rows.push({
        pairs: kind, sizes: differing.sizes, test, engine_s: round(ours.seconds, 3), engine_cpu_s: round(ours.cpu, 3), scipy_s: round(theirs.seconds, 3), scipy_cpu_s: round(theirs.cpu, 3), ratio: round(ours.seconds / theirs.seconds),
        p: ours.result.pValue, p_difference: Math.abs(ours.result.pValue / theirs.p - 1), rss_mib: ours.rssMiB, doubles_written_s: round(doubles.seconds, 2), pairs_written_s: round(written.seconds, 2),
      });
    line('paired t', t, peer.t);
    line('Wilcoxon', wilcoxon, peer.wilcoxon);
  }
  report('push-down of pairs', rows, {pairs: Number(pairs), rounds: Number(rounds), scipy: scipyVersion()});
  await engine.close();
});

async function best(work) {
  const runs = [];
  for (let index = 0; index <= Number(rounds); index += 1) runs.push(await measured(work));
  // The first one reads the pairs from disk.
  return runs.slice(1).reduce((a, b) => (b.seconds < a.seconds ? b : a));
}

async function pairedTOf(store, of) {
  const {pairs: n, digits, ...sums} = await store.moments(of);
  const {mean, variance} = momentsOfSteps(n, sums, digits);
  return ok(pairedT({n, meanDifference: mean, sdDifference: Math.sqrt(variance)}));
}

/** With the Hodges–Lehmann estimate and its interval where differences are listed, which scipy does not give. */
async function wilcoxonOf(store, of) {
  const {digits, pairs: n} = await store.moments(of);
  const {groups, ranks} = await store.differences(of, digits, DISTINCT_VALUES_MAX);
  if (ranks !== null) {
    const sums = {zeros: n - ranks.nonZero, nonZero: ranks.nonZero, doubledPlus: Number(ranks.doubledPlus), tieTerm: Number(ranks.tieTerm)};
    return ok(wilcoxonFromRankSums(sums));
  }
  const unit = 10 ** digits;
  return ok(wilcoxonSignedRank({groups: Array.from(groups.steps, (steps, i) => ({difference: steps / unit, count: groups.counts[i]}))}));
}

function ok(result) {
  if (result.status !== 'ok') throw new Error(result.message);
  return result;
}

function scipy(file) {
  const run = spawnSync('python3', [fileURLToPath(new URL('scipy_pairs.py', import.meta.url)), file, rounds], {encoding: 'utf8', maxBuffer: 1e7});
  if (run.status !== 0) throw new Error(run.stderr);
  return JSON.parse(run.stdout);
}

function scipyVersion() {
  return spawnSync('python3', ['-c', 'import scipy; print(scipy.__version__)'], {encoding: 'utf8'}).stdout.trim();
}
