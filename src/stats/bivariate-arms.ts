import {covarianceFromSums} from './arms.ts';
import {momentsOf} from './moments.ts';
import {refuse} from './outcome.ts';
import {
  type Numbers,
  readCount,
  readNonNegative,
  readNumbers,
  readReal,
  readRecord,
  readSum,
  requireAtLeast,
  requireFinite,
  requireSameLength,
} from './read-input.ts';
import {sum} from './sum.ts';

/** Two measures per unit of one arm: n, means, variances and covariance (n − 1). */
export interface BivariateSummary {
  readonly n: number;
  readonly meanY: number;
  readonly meanX: number;
  readonly varianceY: number;
  readonly varianceX: number;
  readonly covariance: number;
}

export interface BivariateArm extends BivariateSummary {
  /** What the means lost to rounding; matters when data has a huge common offset. */
  readonly meanYLow: number;
  readonly meanXLow: number;
  /** Observations, when they were given: residuals of them lose no digits. */
  readonly observed?: {readonly y: Float64Array; readonly x: Float64Array};
}

/** What the two measures are called in the input of a test. */
export interface MeasureNames {
  readonly y: string;
  readonly x: string;
}

/** {y, x} as arrays of the test's names, e.g. {post, pre}. */
export type BivariateArrays<Y extends string, X extends string> = {readonly [K in Y | X]: Numbers};

/** {n, mean<Y>, mean<X>, variance<Y>, variance<X>, covariance}. */
export type BivariateMoments<Y extends string, X extends string> = {
  readonly n: number;
  readonly covariance: number;
} & {
  readonly [K in Y | X as `mean${Capitalize<K>}` | `variance${Capitalize<K>}`]: number;
};

/** {n, sum<Y>, sum<X>, sum<Y>Squares, sum<X>Squares, sumProducts}; whole sums may be bigint. */
export type BivariateSums<Y extends string, X extends string> = {
  readonly n: number;
  readonly sumProducts: number | bigint;
} & {readonly [K in Y | X as `sum${Capitalize<K>}` | `sum${Capitalize<K>}Squares`]: number | bigint};

export type BivariateInput<Y extends string, X extends string> =
  | BivariateArrays<Y, X>
  | BivariateMoments<Y, X>
  | BivariateSums<Y, X>;

/** Reads both arms with at least two units each. */
export function readBivariateArms(input: unknown, names: MeasureNames): {a: BivariateArm; b: BivariateArm} {
  const given = readRecord(input, 'input');
  const [a, b] = (['a', 'b'] as const).map(field => readRecord(given[field], field)) as [
    Record<string, unknown>,
    Record<string, unknown>,
  ];
  // Lengths of both arms come before values of either.
  const columnsA = readColumns(a, 'a', names);
  const columnsB = readColumns(b, 'b', names);
  const arms = {
    a: columnsA ? summarise(columnsA, 'a', names) : readSummary(a, 'a', names),
    b: columnsB ? summarise(columnsB, 'b', names) : readSummary(b, 'b', names),
  };
  requireAtLeast(arms.a.n, 2, 'a');
  requireAtLeast(arms.b.n, 2, 'b');
  return arms;
}

interface Columns {
  readonly y: Float64Array;
  readonly x: Float64Array;
}

function readColumns(arm: Record<string, unknown>, field: string, names: MeasureNames): Columns | undefined {
  if (!(names.y in arm || names.x in arm)) return undefined;
  const y = readNumbers(arm[names.y], `${field}.${names.y}`);
  const x = readNumbers(arm[names.x], `${field}.${names.x}`);
  requireSameLength(y, x, `${field}.${names.y} and ${field}.${names.x}`);
  return {y, x};
}

function summarise({y, x}: Columns, field: string, names: MeasureNames): BivariateArm {
  requireFinite(y, `${field}.${names.y}`);
  requireFinite(x, `${field}.${names.x}`);
  const [ofY, ofX] = [momentsOf(y), momentsOf(x)];
  const centredY = y.map(value => value - ofY.mean - ofY.meanLow);
  const centredX = x.map(value => value - ofX.mean - ofX.meanLow);
  return {
    n: y.length,
    meanY: ofY.mean,
    meanX: ofX.mean,
    meanYLow: ofY.meanLow,
    meanXLow: ofX.meanLow,
    varianceY: centredProduct(centredY, centredY),
    varianceX: centredProduct(centredX, centredX),
    covariance: centredProduct(centredY, centredX),
    observed: {y, x},
  };
}

/** Σ u·v / (n − 1) of centred columns, corrected for the rounding of their means. */
function centredProduct(u: Float64Array, v: Float64Array): number {
  const n = u.length;
  if (n < 2) return 0;
  return (sum(u.map((value, i) => value * (v[i] as number))) - (sum(u) * sum(v)) / n) / (n - 1);
}

function readSummary(arm: Record<string, unknown>, field: string, names: MeasureNames): BivariateArm {
  const [y, x] = [capitalise(names.y), capitalise(names.x)];
  if (!('n' in arm)) {
    refuse(
      'invalid_argument',
      `${field} has no data: give {${names.y}, ${names.x}}, or {n, mean${y}, mean${x}, variance${y}, variance${x}, covariance}, or sums`,
    );
  }
  const n = readCount(arm['n'], `${field}.n`);
  if (`mean${y}` in arm) {
    const real = (name: string): number => readReal(arm[name], `${field}.${name}`);
    return {
      n,
      meanY: real(`mean${y}`),
      meanX: real(`mean${x}`),
      meanYLow: 0,
      meanXLow: 0,
      varianceY: readNonNegative(arm[`variance${y}`], `${field}.variance${y}`),
      varianceX: readNonNegative(arm[`variance${x}`], `${field}.variance${x}`),
      covariance: real('covariance'),
    };
  }
  const total = (name: string): number | bigint => readSum(arm[name], `${field}.${name}`);
  const [sumY, sumX, sumXY] = [total(`sum${y}`), total(`sum${x}`), total('sumProducts')];
  const [squaresY, squaresX] = [total(`sum${y}Squares`), total(`sum${x}Squares`)];
  return {
    n,
    meanY: n === 0 ? 0 : Number(sumY) / n,
    meanX: n === 0 ? 0 : Number(sumX) / n,
    meanYLow: 0,
    meanXLow: 0,
    varianceY: Math.max(0, covarianceFromSums(n, {sumX: sumY, sumY, sumXY: squaresY})),
    varianceX: Math.max(0, covarianceFromSums(n, {sumX, sumY: sumX, sumXY: squaresX})),
    covariance: covarianceFromSums(n, {sumX, sumY, sumXY}),
  };
}

function capitalise(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1);
}
