import type {Verdict} from '../core/verdict.ts';
import {formatCount, formatInstant, formatP, formatShare} from './format.ts';
import {isAuditFailure, missingText} from './read-verdict.ts';
import type {Check, CheckStatus} from './report.ts';
import type {Texts} from './texts.ts';

/** The health checks of an experiment: per check the worst of its rows. */
export function buildHealth(rows: readonly Verdict[], texts: Texts): Check[] {
  const builders = [srm, crossovers, missingOutcomes, ledger, audit];
  return builders.flatMap(build => {
    const checks = rows.map(row => build(row, texts));
    return checks.reduce<Check[]>((worst, check) => (worst[0] === undefined || RANK[check.status] > RANK[worst[0].status] ? [check] : worst), []);
  });
}

const RANK: Readonly<Record<CheckStatus, number>> = {pass: 0, open: 1, 'not-computable': 2, fail: 3};

const STATUS = {healthy: 'pass', unhealthy: 'fail', 'not-computable': 'not-computable', 'not-checked': 'not-computable'} as const;

const counts = (byVariant: Readonly<Record<string, number>>): string =>
  Object.entries(byVariant)
    .map(([variant, count]) => `${variant} ${formatCount(count)}`)
    .join(', ');

function srm({health}: Verdict, texts: Texts): Check {
  const {status, p_value: p, observed, reason} = health.srm;
  const text =
    status === 'not-computable' || p === null
      ? texts.health.srmMissing(reason === undefined ? texts.noReason : missingText(reason, texts))
      : texts.health.srm(formatP(p), counts(observed));
  return {code: 'srm', status: STATUS[status], subject: '', text};
}

function crossovers({health, arms}: Verdict, texts: Texts): Check {
  const {units, share, status} = health.crossovers;
  if (units === 0 && arms.every(arm => arm.units === 0)) return {code: 'crossovers', status: 'not-computable', subject: '', text: texts.notComputable(missingText('no_data', texts))};
  return {code: 'crossovers', status: STATUS[status], subject: '', text: texts.health.crossovers(formatCount(units), formatShare(share))};
}

function missingOutcomes({health}: Verdict, texts: Texts): Check {
  const {status, by_variant: byVariant, p_value: p} = health.missing_outcomes;
  const text = texts.health.missingOutcomes(counts(byVariant) || texts.label.none);
  return {code: 'missing_outcomes', status: STATUS[status], subject: '', text: p === null ? text : `${text}; ${formatP(p)}`};
}

function ledger({health}: Verdict, texts: Texts): Check {
  const {status, mismatch} = health.ledger;
  const text = status === 'not-checked' ? texts.health.ledgerUnchecked : texts.health.ledger(formatCount(mismatch));
  return {code: 'ledger', status: STATUS[status], subject: '', text};
}

function audit(row: Verdict, texts: Texts): Check {
  return {code: 'audit', status: isAuditFailure(row.audit) ? 'fail' : 'pass', subject: '', text: auditText(row.audit, texts)};
}

export const auditText = (state: Verdict['audit'], texts: Texts): string =>
  texts.auditSentence({
    mismatch: state.mismatch,
    mismatches: formatCount(state.mismatch ?? 0),
    slicesChecked: formatCount(state.slices_checked),
    at: state.checked_at === null ? '' : formatInstant(state.checked_at),
  });

/** Of several audits the one to worry about: a failing one first, then the one that checked least. */
export const worstAudit = (audits: readonly Verdict['audit'][]): Verdict['audit'] =>
  audits.reduce((worst, next) => {
    if (isAuditFailure(worst) !== isAuditFailure(next)) return isAuditFailure(next) ? next : worst;
    if ((next.mismatch ?? Infinity) !== (worst.mismatch ?? Infinity)) return (next.mismatch ?? Infinity) > (worst.mismatch ?? Infinity) ? next : worst;
    return next.slices_checked < worst.slices_checked ? next : worst;
  }, audits[0] ?? {mismatch: null, slices_checked: 0, checked_at: null});
