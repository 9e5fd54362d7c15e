import {type Rng, seededRng} from '../../core/rng.ts';

/** Draws for Monte-Carlo runs. Replication k of a scenario uses the seed `seed0 + k`, so one replication can be repeated alone. */
export type Draw = (rng: Rng) => number;

export const replication = (seed0: number, k: number): Rng => seededRng(seed0 + k);

/** Irwin–Hall: mean 0, sd 1, exact IEEE arithmetic, as `normal12` of the golden cases. */
export const normal12: Draw = rng => {
  let u = -6;
  for (let k = 0; k < 12; k++) u += rng.next();
  return u;
};

/** Skewed, 1…100: mean ln(100)/0.99, about 4.65. */
export const heavy: Draw = rng => 1 / (1 - 0.99 * rng.next());
export const HEAVY_MEAN = Math.log(100) / 0.99;

/** Box and Muller: real tails, for where twelve uniforms have none. */
export const gauss: Draw = rng => Math.sqrt(-2 * Math.log(1 - rng.next())) * Math.cos(2 * Math.PI * rng.next());

/** Student's t with three degrees of freedom. */
export const studentT3: Draw = rng => {
  const z = gauss(rng);
  const chi = gauss(rng) ** 2 + gauss(rng) ** 2 + gauss(rng) ** 2;
  return z / Math.sqrt(chi / 3);
};

export const bernoulli =
  (p: number): Draw =>
  rng =>
    rng.next() < p ? 1 : 0;

/** Knuth's product method; for means up to about 100. */
export function poisson(mean: number): Draw {
  const limit = Math.exp(-mean);
  return rng => {
    let [k, product] = [0, rng.next()];
    while (product > limit) {
      k++;
      product *= rng.next();
    }
    return k;
  };
}

export function sample(n: number, rng: Rng, draw: Draw): Float64Array {
  return Float64Array.from({length: n}, () => draw(rng));
}

/** Four standard errors of an observed share against a target: a right program passes all but once in 16 000 checks. */
export const fourErrors = (share: number, reps: number): number => 4 * Math.sqrt(Math.max(share * (1 - share), 1 / reps) / reps);
