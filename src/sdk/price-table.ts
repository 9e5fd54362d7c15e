/** US dollars per million tokens. */
export type ModelPrice = {
  readonly input: number;
  readonly output: number;
  /** Input tokens read from a prompt cache; the price of input by default. */
  readonly cached?: number;
};

/** By model name; the longest name that the model's begins with counts, so `gpt-x` prices `gpt-x-2026-01-01`. */
export type PriceTable = Readonly<Record<string, ModelPrice>>;

export type TokenUsage = {readonly input: number; readonly output: number; readonly cached: number};

const PER_TOKENS = 1_000_000;

/** undefined without a price: an unknown cost is not 0. */
export function costUsd(prices: PriceTable, model: string, usage: TokenUsage): number | undefined {
  const price = priceOf(prices, model);
  if (price === undefined) return undefined;
  const fresh = Math.max(0, usage.input - usage.cached);
  return (fresh * price.input + usage.cached * (price.cached ?? price.input) + usage.output * price.output) / PER_TOKENS;
}

function priceOf(prices: PriceTable, model: string): ModelPrice | undefined {
  if (Object.hasOwn(prices, model)) return prices[model];
  const name = Object.keys(prices)
    .filter(prefix => model.startsWith(prefix))
    .sort((a, b) => b.length - a.length)[0];
  return name === undefined ? undefined : prices[name];
}
