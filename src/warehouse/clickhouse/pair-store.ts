import {gridDigits, type PairSteps, pairGroupsOf} from '../exact-groups.ts';
import type {PairGroups} from '../warehouse.ts';
import type {SqlConnection, SqlParams, SqlSettings} from './connection.ts';
import {loadQuery} from './query-file.ts';

/**
 * A set of `analysis_pair_rows`, and that of the items without a partner. Each is a partition: queries
 * name it in `indexHint`, which picks it and compares no rows.
 */
export type PairsOf = {
  readonly pairs: string;
  readonly unpaired: string;
  /** Decimals of the grid that their differences were written in, as {@link stepsWritten}. */
  readonly digits: number;
};

type Sums = {pairs: string; total_high: string; total_low: string; squares: string};
type Moments = {readonly pairs: number; readonly digits: number; readonly total: bigint; readonly squares: bigint; readonly width: Width};

/** What sums of squares are added up in: half the width costs half. */
type Width = 'toInt128' | 'toInt256';

/** Large sums and sorts: beyond these bytes they go through the disk. */
export const SPILLING: SqlSettings = {max_bytes_before_external_group_by: 400_000_000, max_bytes_before_external_sort: 400_000_000};

/** Questions about pairs that are already side by side; nothing here moves a pair out of the engine. */
export class PairStore {
  readonly #connection: SqlConnection;

  constructor(connection: SqlConnection) {
    this.#connection = connection;
  }

  /** n, Σd and Σd² in steps of the decimal grid, exact: what a paired t is made of. */
  async moments(of: PairsOf): Promise<Moments> {
    // No |difference| is above 2·10^15 steps where the grid is right.
    const row = await this.#one<Sums & {largest_size: number}>('pair-steps', of, {digits: of.digits, width: 'toInt128'});
    const pairs = Number(row.pairs);
    if (row.largest_size === 1 && widthFor(pairs, gridTop(of.digits)) === 'toInt128') return {...momentsOf(row), digits: of.digits, width: 'toInt128'};
    return this.#momentsOfValues(of);
  }

  /** From the values, where the largest of them asks for another grid than was expected, or sums for more bits. */
  async #momentsOfValues(of: PairsOf): Promise<Moments> {
    const guess = await this.#one<{largest: number}>('pair-guess', of);
    let digits = gridDigits(guess.largest);
    let width: Width = 'toInt128';
    for (;;) {
      const row: Sums & {largest: number} = await this.#one<Sums & {largest: number}>('pair-moments', of, {digits, width});
      // A guess was from a few; now all have been seen.
      const needed: {digits: number; width: Width} = {digits: gridDigits(row.largest), width: widthFor(Number(row.pairs), row.largest)};
      if (needed.digits === digits && (needed.width === width || width === 'toInt256')) return {...momentsOf(row), digits, width};
      ({digits, width} = needed);
    }
  }

  /** Distinct differences while they are few enough to list, otherwise their rank sums. */
  async differences(of: PairsOf, digits: number, listedMax: number): Promise<Pick<PairSteps, 'groups' | 'ranks'>> {
    const first = await this.#one<{pairs: string; differing: string}>('pair-distinct', of, {digits});
    // Which way is tried first depends on the order of rows, the answer does not.
    const isLikelyMany = Number(first.pairs) === SAMPLED && Number(first.differing) > SAMPLED / 4;
    const early = isLikelyMany ? null : await this.#groups(of, digits, listedMax);
    if (early !== null && early.steps.length <= listedMax) return {groups: early, ranks: null};
    type Ranks = {non_zero: string; differing: string; doubled_plus: string; tie_term: string};
    const ranks = await this.#one<Ranks>('pair-ranks', of, {digits}, SPILLING);
    const late = early === null && Number(ranks.differing) <= listedMax ? await this.#groups(of, digits, listedMax) : null;
    if (late !== null && late.steps.length <= listedMax) return {groups: late, ranks: null};
    return {groups: null, ranks: {nonZero: Number(ranks.non_zero), doubledPlus: BigInt(ranks.doubled_plus), tieTerm: BigInt(ranks.tie_term)}};
  }

  async pairGroups(of: PairsOf, listedMax: number): Promise<PairGroups> {
    const counts = await this.#one<{items_control: string; items_variant: string; items_either: string}>('pair-counts', of);
    const {pairs, digits, width, total, squares} = await this.moments(of);
    type Arms = {wins: string; ties: string; losses: string; control_total: string; control_squares: string; variant_total: string; variant_squares: string};
    const arms = await this.#one<Arms>('pair-arms', of, {digits, width});
    type Clusters = {clusters: string; squares: string; cross: string; sizes: string};
    const clusters = await this.#one<Clusters>('pair-clusters', of, {digits}, SPILLING);
    return pairGroupsOf({
      pairs,
      itemsControl: Number(counts.items_control),
      itemsVariant: Number(counts.items_variant),
      itemsEither: Number(counts.items_either),
      digits,
      difference: {total, squares},
      control: {total: BigInt(arms.control_total), squares: BigInt(arms.control_squares)},
      variant: {total: BigInt(arms.variant_total), squares: BigInt(arms.variant_squares)},
      wins: Number(arms.wins),
      ties: Number(arms.ties),
      losses: Number(arms.losses),
      clusters: {count: Number(clusters.clusters), squares: BigInt(clusters.squares), cross: BigInt(clusters.cross), sizes: BigInt(clusters.sizes)},
      ...(await this.differences(of, digits, listedMax)),
    });
  }

  async #groups(of: PairsOf, digits: number, listedMax: number): Promise<NonNullable<PairSteps['groups']>> {
    const row = await this.#one<{steps: number[]; counts: number[]}>('pair-groups', of, {digits}, {
      ...SPILLING,
      max_rows_to_group_by: listedMax + 1,
      group_by_overflow_mode: 'break',
    });
    return {steps: Float64Array.from(row.steps), counts: Float64Array.from(row.counts)};
  }

  async #one<Row>(query: string, of: PairsOf, {digits, width = 'toInt256'}: {readonly digits: number; readonly width?: Width} = {digits: 0}, settings?: SqlSettings): Promise<Row> {
    const [row] = await this.#connection.select<Row>(loadQuery(query).replaceAll('/* wide */', width), {...of, unit: 10 ** digits}, settings);
    return row as Row;
  }
}

const momentsOf = ({pairs, total_high, total_low, squares}: Sums): Pick<Moments, 'pairs' | 'total' | 'squares'> =>
  ({pairs: Number(pairs), total: BigInt(total_high) * 2n ** 26n + BigInt(total_low), squares: BigInt(squares)});

/** The largest value of a grid: beyond it the next coarser one is right, at a tenth of it the next finer one. */
const gridTop = (digits: number): number => Math.min(Number(`1e${15 - digits}`), Number.MAX_VALUE);

/**
 * Columns `difference_steps` and `size_class` of pairs, from SQL of the values of both sides, with
 * {@link gridParams}. A grid that turns out to be wrong shows in the largest class.
 */
export function stepsWritten({control, variant}: {readonly control: string; readonly variant: string}): string {
  const size = `greatest(abs(${control}), abs(${variant}))`;
  // Without a partner, or beyond the grid, there may be no such number at all.
  return `toInt64(if(abs(${control}) <= {top:Float64} AND abs(${variant}) <= {top:Float64}, roundBankers((${variant} - ${control}) * {unit:Float64}), 0)), multiIf(${size} > {top:Float64}, 2, ${size} > {finer_top:Float64}, 1, 0)`;
}

export const gridParams = (digits: number): SqlParams => ({unit: 10 ** digits, top: gridTop(digits), finer_top: gridTop(digits + 1)});

/** Steps are of up to 15 digits, those of a difference of twice as many; their squares are added up. */
function widthFor(pairs: number, largest: number): Width {
  const steps = 2 * largest * 10 ** gridDigits(largest) + 1;
  return pairs * steps * steps < 2 ** 126 ? 'toInt128' : 'toInt256';
}

/** As pair-distinct.sql has it. */
const SAMPLED = 100_000;
