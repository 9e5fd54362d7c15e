/**
 * P(K > λ) of the Kolmogorov distribution, the limit of √n·D. Above λ = 0.8 the
 * alternating series has positive leading terms that dominate; below, the theta
 * transform gives the lower tail, which is then far from 1 (Marsaglia, Tsang, Wang 2003).
 */
export function kolmogorovSf(lambda: number): number {
  if (lambda <= 0) return 1;
  if (lambda < 0.8) {
    let lower = 0;
    for (let k = 1; k < 20; k += 2) lower += Math.exp((-k * k * Math.PI * Math.PI) / (8 * lambda * lambda));
    return 1 - (Math.sqrt(2 * Math.PI) / lambda) * lower;
  }
  let upper = 0;
  for (let k = 1; k < 20; k++) upper += (k % 2 === 1 ? 2 : -2) * Math.exp(-2 * k * k * lambda * lambda);
  return upper;
}
