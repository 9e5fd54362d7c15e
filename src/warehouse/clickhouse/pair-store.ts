import {gridDigits, type PairSteps, pairGroupsOf} from '../exact-groups.ts';
import type {PairGroups} from '../warehouse.ts';
import type {SqlConnection, SqlSettings} from './connection.ts';
import {loadQuery} from './query-file.ts';

/** Which pairs of `analysis_pairs`. */
export type PairsOf = {readonly workspace: string; readonly metric: number; readonly variant: string};

type Moments = {readonly pairs: number; readonly digits: number; readonly total: bigint; readonly squares: bigint};

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
    const guess = await this.#one<{largest: number}>('pair-guess', of);
    let digits = gridDigits(guess.largest);
    for (;;) {
      type Row = {pairs: string; largest: number; total: string; squares: string};
      const row = await this.#one<Row>('pair-moments', of, digits);
      if (gridDigits(row.largest) === digits) return {pairs: Number(row.pairs), digits, total: BigInt(row.total), squares: BigInt(row.squares)};
      // The guess was from a few; now all have been seen.
      digits = gridDigits(row.largest);
    }
  }

  /** Distinct differences while they are few enough to list, otherwise their rank sums. */
  async differences(of: PairsOf, digits: number, listedMax: number): Promise<Pick<PairSteps, 'groups' | 'ranks'>> {
    const first = await this.#one<{pairs: string; differing: string}>('pair-distinct', of, digits);
    // Which way is tried first depends on the order of rows, the answer does not.
    const isLikelyMany = Number(first.pairs) === SAMPLED && Number(first.differing) > SAMPLED / 4;
    const early = isLikelyMany ? null : await this.#groups(of, digits, listedMax);
    if (early !== null && early.steps.length <= listedMax) return {groups: early, ranks: null};
    type Ranks = {non_zero: string; differing: string; doubled_plus: string; tie_term: string};
    const ranks = await this.#one<Ranks>('pair-ranks', of, digits, SPILLING);
    const late = early === null && Number(ranks.differing) <= listedMax ? await this.#groups(of, digits, listedMax) : null;
    if (late !== null && late.steps.length <= listedMax) return {groups: late, ranks: null};
    return {groups: null, ranks: {nonZero: Number(ranks.non_zero), doubledPlus: BigInt(ranks.doubled_plus), tieTerm: BigInt(ranks.tie_term)}};
  }

  async pairGroups(of: PairsOf, listedMax: number): Promise<PairGroups> {
    const counts = await this.#one<{items_control: string; items_variant: string; items_either: string}>('pair-counts', of);
    const {pairs, digits, total, squares} = await this.moments(of);
    type Arms = {wins: string; ties: string; losses: string; control_total: string; control_squares: string; variant_total: string; variant_squares: string};
    const arms = await this.#one<Arms>('pair-arms', of, digits);
    type Clusters = {clusters: string; squares: string; cross: string; sizes: string};
    const clusters = await this.#one<Clusters>('pair-clusters', of, digits, SPILLING);
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
    const row = await this.#one<{steps: number[]; counts: number[]}>('pair-groups', of, digits, {
      ...SPILLING,
      max_rows_to_group_by: listedMax + 1,
      group_by_overflow_mode: 'break',
    });
    return {steps: Float64Array.from(row.steps), counts: Float64Array.from(row.counts)};
  }

  async #one<Row>(query: string, of: PairsOf, digits = 0, settings?: SqlSettings): Promise<Row> {
    const [row] = await this.#connection.select<Row>(loadQuery(query), {...of, unit: 10 ** digits}, settings);
    return row as Row;
  }
}

/** As pair-distinct.sql has it. */
const SAMPLED = 100_000;
