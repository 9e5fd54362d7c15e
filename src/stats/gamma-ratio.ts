/**
 * Γ(y + 1/2) / Γ(y) for y >= 0 (0 at y = 0). A difference of two log-gammas has
 * no digits left at y = 1e9; the asymptotic series (DLMF 5.11.13) has them all.
 */
export function gammaRatio(y: number): number {
  if (y === 0) return 0;
  let factor = 1;
  let shifted = y;
  while (shifted < 30) {
    factor *= shifted / (shifted + 0.5);
    shifted += 1;
  }
  const q = 1 / shifted;
  const series =
    1 +
    q *
      (-1 / 8 +
        q *
          (1 / 128 +
            q *
              (5 / 1024 +
                q *
                  (-21 / 32_768 +
                    q * (-399 / 262_144 + q * (869 / 4_194_304 + (q * 39_325) / 33_554_432))))));
  return factor * Math.sqrt(shifted) * series;
}

/** Hedges' exact small-sample factor J(df) = Γ(df/2) / (√(df/2) Γ((df − 1)/2)); 0 for df = 1 (Hedges 1981). */
export function hedgesCorrection(df: number): number {
  return gammaRatio((df - 1) / 2) / Math.sqrt(df / 2);
}
