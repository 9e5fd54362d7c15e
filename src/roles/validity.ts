import {parseArgs} from 'node:util';
import {COVERAGE_CASES, coverageOf, rankTestUnderNull} from '../simulate/validity/coverage.ts';
import {bernoulli, fourErrors, HEAVY_MEAN, heavy, normal12} from '../simulate/validity/draws.ts';
import {peek} from '../simulate/validity/peeking.ts';
import {cupedUnderNull, pairedPower, ratioUnderNull} from '../simulate/validity/power.ts';
import {watchTwoArms} from '../simulate/validity/two-arms.ts';
import {dynamicGuardAlarms, shareGuardAlarms} from '../simulate/validity/window-guards.ts';

/** A share of replications and what it may be. */
type Check = {readonly what: string; readonly seed0: number; readonly value: number; readonly low: number; readonly high: number};

const ALPHA = 0.05;
const share = (value: number): string => value.toFixed(4);

type Section = {readonly title: string; readonly checks: (reps: number) => readonly Check[]};

const SECTIONS: readonly Section[] = [
  {title: 'looking again and again', checks: peekingChecks},
  {title: 'A/A and A/B with 1 000 looks', checks: sequenceChecks},
  {title: 'coverage of 95 % intervals', checks: coverageChecks},
  {title: 'power and type I error', checks: powerChecks},
  {title: 'false alarms a day of window guards', checks: guardChecks},
];

/**
 * `npm run -s validity -- [--reps 2000]`: every claim about error rates, simulated. Prints a table and,
 * as its last line, the same as JSON. Replication k of a line uses seed0 + k. Exit code 1 when a figure lies outside its bounds.
 */
export function validate(args: readonly string[], write: (line: string) => void): number {
  const {values} = parseArgs({args: [...args], options: {reps: {type: 'string', default: '2000'}}});
  const reps = Number(values.reps);
  if (!Number.isInteger(reps) || reps < 100) {
    write(`--reps is ${values.reps}; give a whole number from 100 on`);
    return 2;
  }
  const results: (Check & {readonly section: string; readonly ok: boolean})[] = [];
  for (const {title, checks} of SECTIONS) {
    write(`\n${title}`);
    write(`${' '.repeat(6)}${'value'.padStart(9)}  ${'bounds'.padEnd(20)} ${'seed0'.padStart(9)}  what`);
    for (const check of checks(reps)) {
      const ok = check.value >= check.low && check.value <= check.high;
      results.push({...check, section: title, ok});
      write(`${ok ? 'ok  ' : 'FAIL'}  ${share(check.value).padStart(9)}  ${`[${share(check.low)}, ${share(check.high)}]`.padEnd(20)} ${String(check.seed0).padStart(9)}  ${check.what}`);
    }
  }
  const failed = results.filter(result => !result.ok).length;
  write(`\n${failed === 0 ? 'all within bounds' : `${failed} outside their bounds`}, ${reps} replications`);
  write(JSON.stringify({reps, failed, checks: results}));
  return failed === 0 ? 0 : 1;
}

/** Around a known value: four standard errors of `reps` replications. */
const around = (target: number, reps: number, allowance: {readonly below?: number; readonly above?: number} = {}): {low: number; high: number} => ({
  low: Math.max(0, target - fourErrors(target, reps) - (allowance.below ?? 0)),
  high: Math.min(1, target + fourErrors(target, reps) + (allowance.above ?? 0)),
});

const atMost = (target: number, reps: number): {low: number; high: number} => ({low: 0, high: around(target, reps).high});

function peekingChecks(reps: number): Check[] {
  // Observed with 10 000 (5 000) replications by the generator of the golden cases.
  const scenarios = [
    {name: 'null, 100 looks × 20', seed0: 1_000_000, looks: 100, step: 20, tuning: 1000, effectInSd: 0, known: [0.3818, 0.0494, 0.018, 0.0204]},
    {name: 'null, 10 looks × 50', seed0: 4_000_000, looks: 10, step: 50, tuning: 500, effectInSd: 0, known: [0.1964, 0.0517, 0.0093, 0.0073]},
    {name: '0.15 sd, 100 looks × 20', seed0: 5_000_000, looks: 100, step: 20, tuning: 1000, effectInSd: 0.15, known: [1, 1, 0.9996, 0.9996]},
  ];
  return scenarios.flatMap(({known, ...scenario}) => {
    const result = peek({...scenario, reps});
    const {seed0, name} = scenario;
    const of = (what: string, value: number, index: number): Check => ({what: `${name}: ${what}`, seed0, value, ...around(known[index] ?? 0, reps)});
    return [
      of('fixed horizon, any look', result.fixedHorizonAnyLook, 0),
      of('fixed horizon, last look', result.fixedHorizonFinalLook, 1),
      of('confidence sequence, any look', result.confidenceSequenceAnyLook, 2),
      of('mSPRT, any look', result.msprtAnyLook, 3),
    ];
  });
}

/** A/A with 1 000 looks from min_n = 200 on, and what the same watching finds when there is an effect. */
function sequenceChecks(reps: number): Check[] {
  const runs = Math.max(200, Math.round(reps / 4));
  const watched = {reps: runs, looks: 1000, step: 20, minN: 200, tuning: 5000};
  const draws = [
    {name: 'normal', draw: normal12, effect: 0.1},
    {name: 'skewed', draw: heavy, effect: 0.1 * HEAVY_MEAN},
    {name: 'share 30 %', draw: bernoulli(0.3), effect: 0.05},
  ];
  return draws.flatMap(({name, draw, effect}, index) => {
    const seed0 = 10_000_000 + index * 1_000_000;
    const aa = watchTwoArms({...watched, name, draw, effect: 0, seed0});
    const ab = watchTwoArms({...watched, name, draw, effect, seed0: seed0 + 500_000});
    return [
      {what: `A/A ${name}, 1 000 looks: confidence sequence`, seed0, value: aa.confidenceSequence, ...atMost(ALPHA, runs)},
      {what: `A/A ${name}, 1 000 looks: plain 95 % interval`, seed0, value: aa.fixedHorizon, low: 0.3, high: 1},
      {what: `effect ${effect.toFixed(3)} on ${name}: found, after ${Math.round(ab.meanStopN)} units on average`, seed0: seed0 + 500_000, value: ab.confidenceSequence, low: 0.95, high: 1},
    ];
  });
}

function coverageChecks(reps: number): Check[] {
  return COVERAGE_CASES.map((one, index) => {
    const seed0 = 20_000_000 + index * 100_000;
    const {share: value, computed} = coverageOf(one, {reps, seed0});
    return {what: `coverage: ${one.name}`, seed0, value, ...around(1 - ALPHA, computed, one.allowance ?? {})};
  });
}

function powerChecks(reps: number): Check[] {
  const [seedNull, seedEffect, seedCuped, seedRatio] = [31_000_000, 32_000_000, 33_000_000, 34_000_000];
  const none = pairedPower({reps, seed0: seedNull}, 0);
  const some = pairedPower({reps, seed0: seedEffect}, 0.25);
  const withCovariate = cupedUnderNull({reps, seed0: seedCuped});
  const ratio = ratioUnderNull({reps: Math.round(reps / 2), seed0: seedRatio});
  // The reference is a simulation itself, of 4 000 replications.
  const near = (value: number) => around(value, Math.min(reps, 4000) / 2);
  return [
    {what: '40 pairs, null: paired t', seed0: seedNull, value: none.pairedT, ...near(0.04475)},
    {what: '40 pairs, null: Wilcoxon', seed0: seedNull, value: none.wilcoxon, ...near(0.05025)},
    {what: '40 pairs, null: Welch on the same pairs (too cautious)', seed0: seedNull, value: none.welch, ...near(0.001)},
    {what: '40 pairs, effect 0.25: power of paired t', seed0: seedEffect, value: some.pairedT, ...near(0.42775)},
    {what: '40 pairs, effect 0.25: power of Wilcoxon', seed0: seedEffect, value: some.wilcoxon, ...near(0.519)},
    {what: '40 pairs, effect 0.25: power of Welch', seed0: seedEffect, value: some.welch, ...near(0.0345)},
    {what: 'CUPED, null', seed0: seedCuped, value: withCovariate.typeI, ...near(0.0505)},
    {what: 'CUPED: share of variance left (1 − 0.8²)', seed0: seedCuped, value: withCovariate.varianceRatio, low: 0.35, high: 0.37},
    {what: 'ratio of sums, null: delta method', seed0: seedRatio, value: ratio.deltaMethod, ...around(0.049, reps / 4)},
    {what: 'ratio of sums, null: z per request (wrong)', seed0: seedRatio, value: ratio.naivePerRequest, ...around(0.31125, reps / 4)},
    {what: 'Mann–Whitney with ties, null', seed0: 35_000_000, value: rankTestUnderNull({reps, seed0: 35_000_000}), ...around(0.05, reps)},
  ];
}

/** Guards have a budget of false alarms a day, not an alpha. */
function guardChecks(reps: number): Check[] {
  const days = Math.max(2, Math.round(reps / 200));
  const seed0 = 40_000_000;
  const guard = (truth: number, perSlice: number) => shareGuardAlarms({perSlice, share: truth, above: 0.3, minN: 50}, {days, seed0});
  return [
    {what: `alarms a day: failures > 30 % over 60 s, truly 5 %, 120 a minute (${days} days)`, seed0, value: guard(0.05, 20), low: 0, high: 0.001},
    {what: `alarms a day: the same, truly 15 %`, seed0, value: guard(0.15, 20), low: 0, high: 1},
    {what: `alarms a day: the same, truly 20 %, 60 a minute: too close to the threshold`, seed0, value: guard(0.2, 10), low: 10, high: 200},
    {what: 'alarms a day: mean ± 3σ of 60 minutes', seed0, value: dynamicGuardAlarms(3, {days, seed0}), low: 3, high: 9},
    {what: 'alarms a day: mean ± 2σ of 60 minutes', seed0, value: dynamicGuardAlarms(2, {days, seed0}), low: 60, high: 90},
  ];
}

if (import.meta.filename === process.argv[1]) {
  process.exitCode = validate(process.argv.slice(2), line => process.stdout.write(`${line}\n`));
}
