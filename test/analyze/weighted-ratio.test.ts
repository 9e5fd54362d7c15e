import {expect, test} from 'vitest';
import {ratioMomentsOf} from '../../src/analyze/exact-moments.ts';
import {seededRng} from '../../src/core/rng.ts';

const SEED = Date.now() % 1_000_000;

test(`over many samples the weighted mean is that of the whole, within its interval about as often as it says (SEED=${SEED})`, () => {
  const rng = seededRng(SEED);
  let [covered, weightedError, plainError] = [0, 0, 0];
  for (let run = 0; run < 400; run++) {
    const units = Array.from({length: 400}, () => ({level: rng.next() * 2, hash: rng.next()}));
    const arm = (shift: number) => {
      const sums = {n: 0, s: 0n, d: 0n, ss: 0n, dd: 0n, sd: 0n, whole: 0, plain: 0, sent: 0};
      for (const {level, hash} of units) {
        const [early, late] = [Math.round((level + shift) * 1000), Math.round((level + shift + 3) * 1000)];
        sums.whole += (early + late) / 2;
        const isSent = hash < 0.1;
        const [s, d] = isSent ? [BigInt(early + 10 * late), 11n] : [BigInt(early), 1n];
        sums.n += 1;
        sums.s += s * 1_000_000n;
        sums.d += d * 1_000_000n;
        sums.ss += s * s * 10n ** 12n;
        sums.dd += d * d * 10n ** 12n;
        sums.sd += s * d * 10n ** 12n;
        sums.plain += isSent ? early + late : early;
        sums.sent += isSent ? 2 : 1;
      }
      return sums;
    };
    const {n, s, d, ss, dd, sd, whole, plain, sent} = arm(0);
    const found = ratioMomentsOf({n, numerator: s, denominator: d, numeratorSquares: ss, denominatorSquares: dd, cross: sd, numeratorScale: 9, denominatorScale: 6});
    const truth = 2.5;
    const error = Math.sqrt((found.variance ?? 0) / n);
    if (Math.abs((found.mean ?? 0) - truth) <= 1.96 * error) covered++;
    weightedError += (found.mean ?? 0) - truth;
    plainError += plain / sent / 1000 - truth;
    expect(Math.abs(whole / n / 1000 - truth)).toBeLessThan(0.3);
  }
  expect(Math.abs(weightedError / 400)).toBeLessThan(0.05);
  expect(Math.abs(plainError / 400)).toBeGreaterThan(0.5);
  expect(covered / 400).toBeGreaterThan(0.88);
  expect(covered / 400).toBeLessThan(0.99);
});
