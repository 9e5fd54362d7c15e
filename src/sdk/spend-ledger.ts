import type {Clock} from '../core/clock.ts';
import {epochMs} from '../core/units.ts';
import {type BudgetTier, type BudgetTiers, budgetTier} from '../quality/service-measures.ts';
import type {SpendAnswer, SpendAsk} from './spend-source.ts';

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

export type Spend = {
  readonly tier: BudgetTier;
  readonly spentUsd: number;
  readonly budget: Budget;
  readonly key: string;
  /** Whether the platform's sum over all processes is in it; otherwise it is what this process has spent. */
  readonly isShared: boolean;
};

/** Of a key in use: nothing is known of it, it is far from its limit, or from `warn` on. */
export type Urgency = 'unknown' | 'near' | 'far';

type Spender = {readonly unitId: string; readonly attributes: Readonly<Record<string, string>>};
type Purse = {
  own: number;
  /** Own spending by time, oldest first: what the platform's sum cannot hold yet. Kept only when somebody asks the platform. */
  recent: {at: number; amount: number}[];
  platform: number | null;
};
type Account = {readonly budget: Budget; window: number; readonly purses: Map<string, Purse>; readonly wanted: Set<string>};
type LedgerLimits = {readonly spendersRememberedMax: number; readonly spendOnTheWayMs?: number};

const DAY_MS = 86_400_000;
const ORDER: readonly BudgetTier[] = ['ok', 'warn', 'switch', 'block'];
/** Stretches of own spending that are told apart; older ones grow together, and then count for longer. */
const RECENT_MAX = 64;
/** Keys of one budget in one question. */
const WANTED_MAX = 1_000;

/**
 * What has been spent, per budget and key. Every outcome counts, also of units whose events are not
 * sampled. Keys beyond the cap take the place of those that were longest without spending.
 *
 *     spent / limit    0 ────── 0.8 ────── 0.95 ────── 1 ──────
 *     tier                ok    │   warn    │  switch  │  block
 *
 * With a platform that knows the outcomes of all processes up to a cut:
 *
 *     spent = max(own, platform's sum + own spending after the cut or on its way there)
 *
 * What is on its way counts twice for some seconds, never not at all.
 */
export class SpendLedger {
  readonly #accounts: readonly Account[];
  readonly #clock: Clock;
  readonly #limits: LedgerLimits;
  #onWanted: ((urgency: Urgency) => void) | undefined;

  /** @throws TypeError naming what is wrong with a budget. */
  constructor({budgets, clock, limits}: {readonly budgets: readonly Budget[]; readonly clock: Clock; readonly limits: LedgerLimits}) {
    budgets.forEach(checkBudget);
    this.#accounts = budgets.map(budget => ({budget, window: -1, purses: new Map(), wanted: new Set()}));
    this.#clock = clock;
    this.#limits = limits;
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
      const {purses} = this.#current(account);
      const purse = purses.get(key) ?? {own: 0, recent: [], platform: null};
      purse.own += cost;
      if (this.#onWanted !== undefined) remember(purse, {at: this.#clock.now(), amount: cost});
      purses.delete(key);
      purses.set(key, purse);
      if (purses.size > this.#limits.spendersRememberedMax) purses.delete(purses.keys().next().value as string);
      this.#want(account, key);
    }
  }

  /** The budget that this spender is furthest into; undefined when none is about it. */
  worst(spender: Spender): Spend | undefined {
    let worst: Spend | undefined;
    for (const account of this.#accounts) {
      const {budget} = account;
      const key = keyOf(budget, spender);
      if (key === undefined) continue;
      const purse = this.#current(account).purses.get(key);
      this.#want(account, key);
      const spentUsd = purse === undefined ? 0 : spentOf(purse);
      const tier = budgetTier(spentUsd, budget.limitUsd, budget.tiers);
      if (worst === undefined || ORDER.indexOf(tier) > ORDER.indexOf(worst.tier)) worst = {tier, spentUsd, budget, key, isShared: (purse?.platform ?? null) !== null};
    }
    return worst;
  }

  /** From now on keys in use are remembered for `wanted`; the listener hears of each, and how soon it matters. */
  follow(onWanted: (urgency: Urgency) => void): void {
    this.#onWanted = onWanted;
  }

  get isWanting(): boolean {
    return this.#accounts.some(({wanted}) => wanted.size > 0);
  }

  /** What to ask the platform: keys in use since it was asked last. */
  wanted(): SpendAsk[] {
    return this.#accounts.flatMap(account => {
      const {budget, window, wanted} = this.#current(account);
      const keys = [...wanted];
      wanted.clear();
      const windowMs = budget.windowMs ?? DAY_MS;
      return keys.length === 0 ? [] : [{per: budget.per, measure: budget.measure ?? 'cost_usd', windowMs, windowStart: epochMs(window * windowMs), keys}];
    });
  }

  /** The question was not answered. */
  wantAgain(asks: readonly SpendAsk[]): void {
    for (const ask of asks) {
      for (const {wanted} of this.#accountsOf(ask)) for (const key of ask.keys) if (wanted.size < WANTED_MAX) wanted.add(key);
    }
  }

  learn(asks: readonly SpendAsk[], {cut, sums}: SpendAnswer): void {
    if (cut === null) return;
    const known = cut - (this.#limits.spendOnTheWayMs ?? 0);
    for (const [index, ask] of asks.entries()) {
      for (const {purses} of this.#accountsOf(ask)) {
        for (const key of ask.keys) {
          const sum = Number(sums[index]?.[key] ?? 0);
          if (!Number.isFinite(sum) || sum < 0) continue;
          const purse = purses.get(key) ?? {own: 0, recent: [], platform: null};
          purse.platform = sum;
          purse.recent = purse.recent.filter(({at}) => at > known);
          purses.set(key, purse);
          if (purses.size > this.#limits.spendersRememberedMax) purses.delete(purses.keys().next().value as string);
        }
      }
    }
  }

  /** Of the window that was asked about: after midnight yesterday's answer is no news. */
  #accountsOf({per, measure, windowMs, windowStart}: SpendAsk): Account[] {
    return this.#accounts.filter(account => {
      const {budget, window} = this.#current(account);
      const ownMs = budget.windowMs ?? DAY_MS;
      return isSamePer(budget.per, per) && (budget.measure ?? 'cost_usd') === measure && ownMs === windowMs && window * ownMs === windowStart;
    });
  }

  #want({budget, wanted, purses}: Account, key: string): void {
    if (this.#onWanted === undefined || (wanted.size >= WANTED_MAX && !wanted.has(key))) return;
    wanted.add(key);
    const purse = purses.get(key);
    if (purse === undefined || purse.platform === null) this.#onWanted('unknown');
    else this.#onWanted(budgetTier(spentOf(purse), budget.limitUsd, budget.tiers) === 'ok' ? 'far' : 'near');
  }

  #current(account: Account): Account {
    const window = Math.floor(this.#clock.now() / (account.budget.windowMs ?? DAY_MS));
    if (window !== account.window) {
      account.window = window;
      account.purses.clear();
      account.wanted.clear();
    }
    return account;
  }
}

function spentOf({own, recent, platform}: Purse): number {
  return platform === null ? own : Math.max(own, recent.reduce((sum, {amount}) => sum + amount, platform));
}

function remember({recent}: Purse, spent: {at: number; amount: number}): void {
  const last = recent.at(-1);
  // Spending of one second is one stretch, which ends with the last of it.
  if (last !== undefined && Math.floor(last.at / 1_000) === Math.floor(spent.at / 1_000)) {
    last.at = Math.max(last.at, spent.at);
    last.amount += spent.amount;
    return;
  }
  recent.push(spent);
  const [first, second] = recent;
  if (recent.length <= RECENT_MAX || first === undefined || second === undefined) return;
  second.amount += first.amount;
  recent.shift();
}

const isSamePer = (a: Budget['per'], b: Budget['per']): boolean => (typeof a === 'object' && typeof b === 'object' ? a.attribute === b.attribute : a === b);

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
