import type {Clock} from '../core/clock.ts';
import {type BudgetTier, type BudgetTiers, budgetTier} from '../quality/service-measures.ts';

/** A limit on what calls may cost, for each unit, each value of an attribute (a tenant), or all together. */
export type Budget = {
  readonly per: 'unit' | 'all' | {readonly attribute: string};
  readonly limitUsd: number;
  /** Spending is counted anew at multiples of this since 1970 UTC; a day unless given. */
  readonly windowMs?: number;
  /** The measure that is spent; `cost_usd` unless given. */
  readonly measure?: string;
  /** Shares of the limit from which on to warn, to switch and to block; 0.8, 0.95 and 1 unless given. */
  readonly tiers?: BudgetTiers;
  /** experiment → the variant to serve from `switch` on. */
  readonly cheaper?: Readonly<Record<string, string>>;
};

export type Spend = {readonly tier: BudgetTier; readonly spentUsd: number; readonly budget: Budget; readonly key: string};

type Spender = {readonly unitId: string; readonly attributes: Readonly<Record<string, string>>};
type Account = {readonly budget: Budget; window: number; readonly spent: Map<string, number>};

const DAY_MS = 86_400_000;
const ORDER: readonly BudgetTier[] = ['ok', 'warn', 'switch', 'block'];

/**
 * What this process has seen spent, per budget and key. Every outcome counts, also of
 * units whose events are not sampled. Keys beyond the cap take the place of those that
 * were longest without spending.
 *
 *     spent / limit    0 ────── 0.8 ────── 0.95 ────── 1 ──────
 *     tier                ok    │   warn    │  switch  │  block
 */
export class SpendLedger {
  readonly #accounts: readonly Account[];
  readonly #clock: Clock;
  readonly #keysMax: number;

  /** @throws TypeError naming what is wrong with a budget. */
  constructor({budgets, clock, keysMax}: {readonly budgets: readonly Budget[]; readonly clock: Clock; readonly keysMax: number}) {
    budgets.forEach(checkBudget);
    this.#accounts = budgets.map(budget => ({budget, window: -1, spent: new Map()}));
    this.#clock = clock;
    this.#keysMax = keysMax;
  }

  /** Whether there is no budget to keep. */
  get isIdle(): boolean {
    return this.#accounts.length === 0;
  }

  add(spender: Spender, measures: Readonly<Record<string, number>>): void {
    for (const account of this.#accounts) {
      const cost = measures[account.budget.measure ?? 'cost_usd'];
      const key = keyOf(account.budget, spender);
      if (key === undefined || cost === undefined || !(cost > 0) || !Number.isFinite(cost)) continue;
      const {spent} = this.#current(account);
      const before = spent.get(key) ?? 0;
      spent.delete(key);
      spent.set(key, before + cost);
      if (spent.size > this.#keysMax) spent.delete(spent.keys().next().value as string);
    }
  }

  /** The budget that this spender is furthest into; undefined when none is about it. */
  worst(spender: Spender): Spend | undefined {
    let worst: Spend | undefined;
    for (const account of this.#accounts) {
      const {budget} = account;
      const key = keyOf(budget, spender);
      if (key === undefined) continue;
      const spentUsd = this.#current(account).spent.get(key) ?? 0;
      const tier = budgetTier(spentUsd, budget.limitUsd, budget.tiers);
      if (worst === undefined || ORDER.indexOf(tier) > ORDER.indexOf(worst.tier)) worst = {tier, spentUsd, budget, key};
    }
    return worst;
  }

  #current(account: Account): Account {
    const window = Math.floor(this.#clock.now() / (account.budget.windowMs ?? DAY_MS));
    if (window !== account.window) {
      account.window = window;
      account.spent.clear();
    }
    return account;
  }
}

function keyOf({per}: Budget, {unitId, attributes}: Spender): string | undefined {
  if (per === 'all') return '';
  return per === 'unit' ? unitId : attributes[per.attribute];
}

function checkBudget({per, limitUsd, windowMs = DAY_MS, tiers}: Budget, index: number): void {
  const refuse = (field: string, message: string): never => {
    throw new TypeError(`budgets[${index}].${field} ${message}`);
  };
  const isPer = per === 'unit' || per === 'all' || typeof per?.attribute === 'string';
  if (!isPer) refuse('per', `is ${JSON.stringify(per)}; write unit, all, or {attribute: tenant}`);
  if (!(Number.isFinite(limitUsd) && limitUsd > 0)) refuse('limitUsd', `is ${limitUsd}; write an amount above 0`);
  if (!(Number.isSafeInteger(windowMs) && windowMs > 0)) refuse('windowMs', `is ${windowMs}; write whole milliseconds above 0`);
  if (tiers !== undefined && !(tiers.warn <= tiers.switch && tiers.switch <= tiers.block && tiers.warn > 0)) {
    refuse('tiers', `are ${JSON.stringify(tiers)}; write shares above 0 that rise from warn over switch to block`);
  }
}
