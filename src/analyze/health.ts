import type {Design} from '../core/experiment.ts';
import type {HealthEvidence, Verdict} from '../core/verdict.ts';
import {chiSquare} from '../stats/chi-square.ts';
import {srm} from '../stats/srm.ts';
import {srmSequential} from '../stats/srm-sequential.ts';
import type {ExposureCounts} from '../warehouse/warehouse.ts';
import type {ReasonCode} from './reasons.ts';

export type HealthInputs = {
  readonly design: Design;
  /** In written order. */
  readonly variants: readonly string[];
  readonly exposures: ExposureCounts;
  /** Weights of the phase; null when none are configured (an import). */
  readonly weights: Readonly<Record<string, number>> | null;
  readonly srmAlpha: number;
  readonly crossoverMax: number;
  readonly audit: Verdict['audit'];
};

/** Whether the numbers can be trusted at all; a check that cannot be made is not a failure. */
export function checkHealth(inputs: HealthInputs): HealthEvidence {
  return {
    srm: checkSplit(inputs),
    crossovers: checkCrossovers(inputs),
    missing_outcomes: checkMissing(inputs),
    ledger: checkLedger(inputs.audit),
  };
}

/** The codes of the checks that failed. */
export function healthFailures(health: HealthEvidence): ReasonCode[] {
  const failures: ReasonCode[] = [];
  if (health.srm.status === 'unhealthy') failures.push('srm_failed');
  if (health.crossovers.status === 'unhealthy') failures.push('crossovers_high');
  if (health.missing_outcomes.status === 'unhealthy') failures.push('missing_outcomes_differ');
  if (health.ledger.status === 'unhealthy') failures.push('ledger_mismatch');
  return failures;
}

function checkSplit({design, variants, exposures, weights, srmAlpha}: HealthInputs): HealthEvidence['srm'] {
  // A variant of the phase that the definition no longer has still took its share of units.
  const all = [...new Set([...variants, ...Object.keys(weights ?? {}), ...Object.keys(exposures.units)])];
  const observed = Object.fromEntries(all.map(key => [key, exposures.units[key] ?? 0]));
  const unknown = (reason: string) => ({status: 'not-computable', p_value: null, observed, weights, reason}) as const;
  if (design === 'paired') return unknown('paired design: every item is meant to meet every variant');
  if (weights === null) return unknown('no weights are configured');
  const test = srm(
    {observed: all.map(key => observed[key] ?? 0), weights: all.map(key => weights[key] ?? 0)},
    {threshold: srmAlpha},
  );
  if (test.status !== 'ok') return unknown(`${test.reason}: ${test.message}`);
  const always_valid = watchSplit({all, weights, exposures, srmAlpha});
  // Health stops automation, so it goes by the check that may be looked at every minute.
  return {status: always_valid.p_value < srmAlpha ? 'unhealthy' : 'healthy', p_value: test.pValue, observed, weights, always_valid};
}

type Watch = Pick<HealthInputs, 'exposures' | 'srmAlpha'> & {readonly all: readonly string[]; readonly weights: Readonly<Record<string, number>>};

/** The always-valid check after each stretch of exposures: the smallest p so far, and when it first fell below alpha. */
function watchSplit({all, weights, exposures, srmAlpha}: Watch): NonNullable<HealthEvidence['srm']['always_valid']> {
  const looks = exposures.firstSeen ?? [];
  const seen: Record<string, number> = {};
  let [p, brokeAt]: [number, string | null] = [1, null];
  const check = (units: Readonly<Record<string, number>>): number => {
    const test = srmSequential({observed: all.map(key => units[key] ?? 0), weights: all.map(key => weights[key] ?? 0)});
    return test.status === 'ok' ? test.pValue : 1;
  };
  for (const {until, units} of looks) {
    for (const key of Object.keys(units)) seen[key] = (seen[key] ?? 0) + (units[key] ?? 0);
    p = Math.min(p, check(seen));
    if (brokeAt === null && p < srmAlpha) brokeAt = new Date(until).toISOString();
  }
  p = Math.min(p, check(exposures.units));
  return {p_value: p, looks: Math.max(1, looks.length), broke_at: brokeAt};
}

/** Share of all units that met a variant, crossovers included. */
function checkCrossovers({exposures, crossoverMax}: HealthInputs): HealthEvidence['crossovers'] {
  const clean = Object.values(exposures.units).reduce((sum, units) => sum + units, 0);
  const units = exposures.crossoverUnits;
  const share = units === 0 ? 0 : units / (clean + units);
  return {units, share, status: share > crossoverMax ? 'unhealthy' : 'healthy'};
}

/** χ² of (variant) × (with, without an outcome) over the units whose outcome is due, at the same alpha as the split. */
function checkMissing({variants, exposures, srmAlpha}: HealthInputs): HealthEvidence['missing_outcomes'] {
  const by_variant = Object.fromEntries(variants.map(key => [key, exposures.withoutOutcome[key] ?? 0]));
  const {due} = exposures;
  const judged = Object.fromEntries(
    variants.map(key => {
      const own = due?.byVariant[key];
      if (due === undefined) return [key, {units: exposures.units[key] ?? 0, without_outcome: by_variant[key] ?? 0}];
      return [key, {units: own?.units ?? 0, without_outcome: own?.withoutOutcome ?? 0}];
    }),
  );
  const known = {by_variant, ...(due === undefined ? {} : {grace_ms: due.graceMs, judged})};
  const table = Object.values(judged)
    .map(({units, without_outcome: missing}) => [units - missing, missing] as const)
    .filter(([present, missing]) => present + missing > 0);
  if (table.length < 2) return {status: 'not-computable', ...known, p_value: null};
  // Nobody, or everybody, lacks an outcome: the arms do not differ and there is nothing to test.
  if ([0, 1].some(column => table.every(row => row[column] === 0))) return {status: 'healthy', ...known, p_value: null};
  const test = chiSquare({table});
  if (test.status !== 'ok') return {status: 'not-computable', ...known, p_value: null};
  return {status: test.pValue < srmAlpha ? 'unhealthy' : 'healthy', ...known, p_value: test.pValue};
}

/** From the last audit; before one has looked at a slice nothing is known. */
function checkLedger({mismatch, slices_checked}: Verdict['audit']): HealthEvidence['ledger'] {
  if (mismatch !== null && mismatch > 0) return {status: 'unhealthy', mismatch};
  const isChecked = mismatch !== null && slices_checked > 0;
  return {status: isChecked ? 'healthy' : 'not-checked', mismatch: 0};
}
