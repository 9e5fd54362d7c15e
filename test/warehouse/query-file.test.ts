import {describe, expect, test} from 'vitest';
import {loadQuery, loadQueryWithout} from '../../src/warehouse/clickhouse/query-file.ts';

describe('a query without some of its parts', () => {
  test('each part of a recompute goes with all that speaks of it, and nothing else goes', () => {
    const whole = loadQuery('slices-recompute');
    const unforgotten = loadQueryWithout('slices-recompute', ['forgotten']);
    expect(unforgotten).not.toContain('forgotten');
    expect(unforgotten).toContain('UNION ALL');
    const unpaired = loadQueryWithout('slices-recompute', ['paired']);
    expect(unpaired).not.toContain('UNION ALL');
    expect(unpaired).not.toContain('plan.paired');
    expect(unpaired).toContain('LEFT JOIN forgotten');
    const neither = loadQueryWithout('slices-recompute', ['forgotten', 'paired']);
    expect(neither).not.toMatch(/-- (?:if|end)/);
    // Its lines are lines of the whole, in their order.
    const lines = whole.split('\n');
    let at = 0;
    for (const line of neither.split('\n')) {
      at = lines.indexOf(line, at) + 1;
      expect(at, line).toBeGreaterThan(0);
    }
    expect(loadQueryWithout('slices-recompute', [])).toBe(whole);
  });

  test('a part that a query does not have is refused', () => {
    expect(() => loadQueryWithout('slices-recompute', ['nothing'])).toThrow('query slices-recompute has no part nothing');
  });
});
