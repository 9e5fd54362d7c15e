export interface BinomialTails {
  /** P(X <= k). */
  readonly lower: (k: number) => number;
  /** P(X >= k). */
  readonly upper: (k: number) => number;
}

/**
 * Both tails of Bin(n, p), 0 < p < 1, each summed from its own end. The terms are
 * walked from the mode by their ratio and normalised by their sum, so no gamma
 * function is needed; what is below 1e-40 of the mode is left out.
 */
export function binomial(n: number, p: number): BinomialTails {
  const mode = Math.min(n, Math.floor((n + 1) * p));
  const odds = p / (1 - p);
  const up: number[] = [1];
  for (let k = mode, term = 1; k < n && term > 1e-40; k++) {
    term *= ((n - k) / (k + 1)) * odds;
    up.push(term);
  }
  const down: number[] = [];
  for (let k = mode, term = 1; k > 0 && term > 1e-40; k--) {
    term *= k / ((n - k + 1) * odds);
    down.push(term);
  }
  const terms = [...down.reverse(), ...up];
  const first = mode - down.length;
  const lower = runningSums(terms);
  const upper = runningSums([...terms].reverse());
  const total = lower.at(-1) as number;
  const last = first + terms.length - 1;
  return {
    lower: k => (k < first ? 0 : (lower[Math.min(k, last) - first] as number) / total),
    upper: k => (k > last ? 0 : (upper[last - Math.max(k, first)] as number) / total),
  };
}

function runningSums(terms: readonly number[]): number[] {
  let total = 0;
  return terms.map(term => {
    total += term;
    return total;
  });
}
