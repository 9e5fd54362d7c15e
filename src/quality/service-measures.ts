import type {OutcomeStatus} from '../core/events.ts';

/** (server errors + timeouts) / all: what the caller did wrong is not the service's error. null without outcomes. */
export function errorRate(counts: Readonly<Partial<Record<OutcomeStatus, number>>>): number | null {
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
  return total === 0 ? null : ((counts.server_error ?? 0) + (counts.timeout ?? 0)) / total;
}

/**
 * Little's law: requests under way = rate × time each takes, in any steady system. A
 * gap says that one of the three was measured wrongly (outcomes lost, latency of
 * part of the request only).
 */
export function littlesLaw(measured: {readonly ratePerSecond: number; readonly latencyMs: number; readonly concurrency: number}): {readonly expected: number; readonly gap: number} {
  const expected = (measured.ratePerSecond * measured.latencyMs) / 1_000;
  return {expected, gap: expected === 0 ? (measured.concurrency === 0 ? 0 : 1) : Math.abs(measured.concurrency - expected) / expected};
}

export type Health = {readonly score: number; readonly grade: 'healthy' | 'warning' | 'critical'};

/** From 0.9 on healthy, from 0.7 on a warning. */
export const gradeOf = (score: number): Health['grade'] => (score >= 0.9 ? 'healthy' : score >= 0.7 ? 'warning' : 'critical');

export type BudgetTier = 'ok' | 'warn' | 'switch' | 'block';
/** Shares of a budget from which on to warn, to serve the cheaper variant, to serve nothing. */
export type BudgetTiers = {readonly warn: number; readonly switch: number; readonly block: number};

const TIERS: BudgetTiers = {warn: 0.8, switch: 0.95, block: 1};

/** What a unit, a tenant or a day may still do after having spent this much of its budget. */
export function budgetTier(spentUsd: number, budgetUsd: number, tiers: BudgetTiers = TIERS): BudgetTier {
  const share = budgetUsd > 0 ? spentUsd / budgetUsd : Number.POSITIVE_INFINITY;
  if (share >= tiers.block) return 'block';
  if (share >= tiers.switch) return 'switch';
  return share >= tiers.warn ? 'warn' : 'ok';
}
