/** Sum of doubles with Neumaier's compensation: the error does not grow with the number of terms. */
export function sum(values: ArrayLike<number>): number {
  let total = 0;
  let lost = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    const next = total + value;
    lost += Math.abs(total) >= Math.abs(value) ? total - next + value : value - next + total;
    total = next;
  }
  // An infinite total has no rounding error, only Infinity − Infinity.
  return Number.isFinite(total) ? total + lost : total;
}

/** a*b as an unevaluated sum of two doubles (Dekker 1971), for differences of large products. */
export function exactProduct(a: number, b: number): readonly [number, number] {
  const product = a * b;
  const [aHigh, aLow] = split(a);
  const [bHigh, bLow] = split(b);
  const error = aHigh * bHigh - product + aHigh * bLow + aLow * bHigh + aLow * bLow;
  return [product, Number.isFinite(error) ? error : 0];
}

/** a*b − c*d without losing the digits that cancel. */
export function differenceOfProducts(a: number, b: number, [c, d]: readonly [number, number]): number {
  const [first, firstLow] = exactProduct(a, b);
  const [second, secondLow] = exactProduct(c, d);
  return first - second + (firstLow - secondLow);
}

function split(value: number): readonly [number, number] {
  const scaled = value * 134_217_729;
  const high = scaled - (scaled - value);
  return [high, value - high];
}
