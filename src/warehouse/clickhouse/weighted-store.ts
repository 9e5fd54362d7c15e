import {columnsOf, type ValueGroups} from '../value-groups.ts';
import type {WeightedAsk, WeightedSums} from '../warehouse.ts';
import type {SqlConnection, SqlParams} from './connection.ts';
import {SPILLING} from './pair-store.ts';
import {loadQuery} from './query-file.ts';

/** What a workspace knows of the values of units where events have several weights. */
export class WeightedStore {
  readonly #connection: SqlConnection;

  constructor(connection: SqlConnection) {
    this.#connection = connection;
  }

  async valueGroups(params: SqlParams): Promise<ValueGroups> {
    type Row = {point: number; variants: readonly string[]; counts: readonly string[]; weights: readonly string[]};
    const rows = await this.#connection.select<Row>(loadQuery('analysis-weights-list'), params, SPILLING);
    return columnsOf(rows.map(({point, variants, counts, weights}) => ({
      value: point,
      counts: Object.fromEntries(variants.map((variant, at) => [variant, Number(counts[at])])),
      weights: Object.fromEntries(variants.map((variant, at) => [variant, BigInt(weights[at] ?? 0)])),
    })));
  }

  async sums(params: SqlParams, of: WeightedAsk): Promise<WeightedSums[]> {
    const query = 'at' in of ? 'analysis-weights-shares' : 'analysis-weights-places';
    const more = 'at' in of ? {arms: Object.keys(of.at), cuts: Object.values(of.at)} : of;
    type Row = {variant: string; units: string; sum: string; weight: string; sum_squares: string; weight_squares: string; cross: string};
    const rows = await this.#connection.select<Row>(loadQuery(query), {...params, ...more}, SPILLING);
    return rows.map(row => ({
      variant: row.variant, units: Number(row.units), sum: BigInt(row.sum), weight: BigInt(row.weight),
      sumSquares: BigInt(row.sum_squares), weightSquares: BigInt(row.weight_squares), cross: BigInt(row.cross),
    }));
  }
}
