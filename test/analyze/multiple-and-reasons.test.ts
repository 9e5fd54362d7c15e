import {describe, expect, test} from 'vitest';
import {adjustedPValues, correctedAlpha} from '../../src/analyze/multiple.ts';
import {describeReason, REASON_CODES, reasonOf} from '../../src/analyze/reasons.ts';

const MEMBERS = [
  {role: 'goal', pValue: 0.01},
  {role: 'guardrail', pValue: 0.001},
  {role: 'goal', pValue: null},
  {role: 'goal', pValue: 0.04},
  {role: 'diagnostic', pValue: 0.5},
  {role: 'goal', pValue: 0.03},
] as const;

describe('adjusted p-values', () => {
  test.each([
    ['holm', [0.03, null, null, 0.06, null, 0.06]],
    ['bh', [0.03, null, null, 0.04, null, 0.04]],
    ['none', [0.01, null, null, 0.04, null, 0.03]],
  ] as const)('%s covers goals with a p only; everything else has none', (correction, expected) => {
    const adjusted = adjustedPValues(MEMBERS, correction);
    adjusted.forEach((p, i) => {
      if (p === null) expect(expected[i]).toBeNull();
      else expect(p).toBeCloseTo(expected[i] ?? Number.NaN, 14);
    });
  });

  test('an empty family', () => {
    expect(adjustedPValues([], 'holm')).toEqual([]);
    expect(adjustedPValues([{role: 'guardrail', pValue: 0.1}], 'bh')).toEqual([null]);
  });
});

test.each([
  ['holm', 2, 3, 0.05 / 6],
  ['bh', 1, 1, 0.05],
  ['none', 2, 3, 0.05],
  ['holm', 0, 2, 0.05],
] as const)('the alpha of always-valid intervals: %s, %d goals × %d treatments', (correction, goals, treatments, alpha) => {
  expect(correctedAlpha({alpha: 0.05, correction}, {goals, treatments})).toBe(alpha);
});

describe('reasons', () => {
  test('every code has a sentence, alone and about a metric', () => {
    for (const code of REASON_CODES) {
      expect(describeReason(reasonOf(code))).toMatch(/^[A-Z].*\.$/);
      expect(describeReason(reasonOf(code, 'cost:usd'))).toMatch(/^cost:usd: [A-Z].*\.$/);
    }
  });

  test('an unknown code stays as it is', () => {
    expect(describeReason('toString')).toBe('toString');
  });
});
