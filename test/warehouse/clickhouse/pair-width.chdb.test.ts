import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import type {SqlConnection} from '../../../src/warehouse/clickhouse/connection.ts';
import {PairStore} from '../../../src/warehouse/clickhouse/pair-store.ts';
import {chdbSkipReason, openTemporaryEngine, type TemporaryEngine} from '../../helpers/chdb-engine.ts';

/** So many pairs of so large differences that their squares do not fit in 128 bits. */
const PAIRS = 45_000_000;
const SIZE = 9.9999;
/** Of 14 decimals. */
const STEPS = 999_990_000_000_000n;

const skipReason = await chdbSkipReason();

describe.skipIf(skipReason !== null)(`wide sums of pairs${skipReason === null ? '' : ` (skipped: ${skipReason})`}`, () => {
  let temporary: TemporaryEngine;
  let connection: SqlConnection;
  const asked: string[] = [];

  beforeAll(async () => {
    temporary = await openTemporaryEngine();
    const inner = await temporary.engine.openConnection();
    connection = {
      ...inner,
      command: inner.command.bind(inner),
      select: (sql, ...rest) => {
        asked.push(sql);
        return inner.select(sql, ...rest);
      },
    };
  });

  afterAll(() => temporary.remove());

  test('squares beyond 128 bits are added up in 256, of the differences and of both sides', async () => {
    // A view has as many pairs as one likes.
    await connection.command(`
      CREATE VIEW analysis_pair_rows AS
      SELECT 'p' AS pair_set, -${SIZE} AS control, ${SIZE} AS variant, toUInt128(number % 2) AS cluster, toInt64(${2n * STEPS}) AS difference_steps, toUInt8(1) AS size_class
      FROM numbers_mt(${PAIRS})`);
    const groups = await new PairStore(connection).pairGroups({pairs: 'p', unpaired: 'p/unpaired', digits: 14}, 1_000);
    const n = BigInt(PAIRS);
    const total = n * 2n * STEPS;
    expect(total * 2n * STEPS).toBeGreaterThan(2n ** 127n);
    expect(groups).toMatchObject({
      pairs: PAIRS,
      digits: 14,
      wins: PAIRS,
      difference: {total, squares: total * 2n * STEPS},
      control: {total: -n * STEPS, squares: n * STEPS * STEPS},
      variant: {total: n * STEPS, squares: n * STEPS * STEPS},
    });
    expect(asked.filter(sql => sql.includes('toInt256(steps)'))).toHaveLength(1);
    expect(asked.some(sql => sql.includes('toInt256(variant_steps)'))).toBe(true);
  });
});
