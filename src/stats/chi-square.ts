import {chiSquareSf} from './chi-square-distribution.ts';
import {attempt, type Outcome, refuse} from './outcome.ts';
import {readCount, readRecord} from './read-input.ts';
import {bool, describe, readOptions} from './read-options.ts';
import {sum} from './sum.ts';

export interface ChiSquareOptions {
  /** Yates' correction; only a 2×2 table takes it. */
  readonly yates: boolean;
}

export interface ChiSquareResult {
  readonly n: number;
  readonly statistic: number;
  readonly df: number;
  readonly pValue: number;
  /** From the uncorrected statistic. */
  readonly effectSize: {readonly cramersV: number};
}

/**
 * Pearson's chi-square test of independence on a table of counts.
 * Errors: `non_finite`, `length_mismatch` (rows of different length), `insufficient_data` (fewer than two rows or
 * columns, no counts), `zero_variance` (an all-zero row or column), `invalid_argument`.
 * Source: Pearson (1900), Yates (1934); agrees with scipy `chi2_contingency` and R `chisq.test`.
 */
export function chiSquare(
  input: {readonly table: readonly (readonly number[])[]},
  options?: Partial<ChiSquareOptions>,
): Outcome<ChiSquareResult> {
  return attempt(() => {
    const {yates} = readOptions<ChiSquareOptions>(options, {yates: bool(false)});
    const table = readTable(readRecord(input, 'input')['table']);
    const rows = table.map(row => sum(row));
    const columns = (table[0] ?? []).map((_, c) => sum(table.map(row => row[c] as number)));
    const n = sum(rows);
    if (n === 0)
      refuse('insufficient_data', 'table holds no counts: at least one observation is needed; collect more');
    if (rows.length < 2 || columns.length < 2) {
      refuse(
        'insufficient_data',
        `table is ${rows.length}×${columns.length}: at least 2×2 is needed; add the other categories`,
      );
    }
    requireAllPositive(rows, 'row');
    requireAllPositive(columns, 'column');
    const isCorrected = yates && rows.length === 2 && columns.length === 2;
    const plain = statisticOf(table, {rows, columns, n, isCorrected: false});
    const statistic = isCorrected ? statisticOf(table, {rows, columns, n, isCorrected}) : plain;
    const df = (rows.length - 1) * (columns.length - 1);
    const smaller = Math.min(rows.length, columns.length);
    return {
      n,
      statistic,
      df,
      pValue: chiSquareSf(statistic, df),
      effectSize: {cramersV: Math.sqrt(plain / (n * (smaller - 1)))},
    };
  });
}

function readTable(given: unknown): readonly (readonly number[])[] {
  if (!Array.isArray(given))
    return refuse('invalid_argument', `table is ${describe(given)}: it must be an array of rows of counts`);
  for (const [r, row] of given.entries()) {
    if (!Array.isArray(row))
      refuse('invalid_argument', `table[${r}] is ${describe(row)}: it must be an array of counts`);
    if (row.length !== given[0].length) {
      refuse(
        'length_mismatch',
        `table[${r}] has ${row.length} columns and table[0] has ${given[0].length}: give every row all columns`,
      );
    }
  }
  return (given as unknown[][]).map((row, r) => row.map((count, c) => readCount(count, `table[${r}][${c}]`)));
}

function requireAllPositive(totals: readonly number[], kind: string): void {
  const empty = totals.indexOf(0);
  if (empty >= 0) refuse('zero_variance', `${kind} ${empty} of table is all zero: leave it out`);
}

interface Margins {
  readonly rows: readonly number[];
  readonly columns: readonly number[];
  readonly n: number;
  readonly isCorrected: boolean;
}

function statisticOf(
  table: readonly (readonly number[])[],
  {rows, columns, n, isCorrected}: Margins,
): number {
  const terms = table.flatMap((row, r) =>
    row.map((observed, c) => {
      const expected = ((rows[r] as number) / n) * (columns[c] as number);
      const distance = Math.abs(observed - expected);
      const deviation = isCorrected ? distance - Math.min(0.5, distance) : distance;
      return (deviation / expected) * deviation;
    }),
  );
  return sum(terms);
}
