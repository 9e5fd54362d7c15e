import {describe, expect, test} from 'vitest';
import {evaluateItems, parseItem} from '../../src/quality/evaluate-items.ts';
import {budgetTier, errorRate, gradeOf, littlesLaw} from '../../src/quality/service-measures.ts';
import {bleu, cosine, exactMatch, meteor, rougeL, textMeasures, wordsOf} from '../../src/quality/text-measures.ts';

const words = (text: string): string[] => wordsOf(text);

describe('text measures', () => {
  test('BLEU by hand: precisions 4/6, (1+1)/(5+1), (0+1)/(4+1), (0+1)/(3+1), no brevity penalty', () => {
    const value = bleu(words('the cat sat on a mat'), words('the cat is on the mat'));
    // Unigrams the, cat, on, mat: 4/6; bigrams "the cat": (1+1)/(5+1); none of the longer ones.
    expect(value).toBeCloseTo(((4 / 6) * (2 / 6) * (1 / 5) * (1 / 4)) ** 0.25, 12);
  });

  test('BLEU counts a repeated word no more often than the reference has it, and punishes brevity', () => {
    expect(bleu(words('the the the the'), words('the cat'))).toBeCloseTo(((1 / 4) * (1 / 4) * (1 / 3) * (1 / 2)) ** 0.25, 12);
    expect(bleu(words('the cat'), words('the cat sat down'))).toBeCloseTo(Math.exp(1 - 2), 12);
  });

  test('ROUGE-L is the F1 of the longest common subsequence', () => {
    // police killed the gunman / police kill the gunman: 3 of 4 and 4 (Lin 2004).
    expect(rougeL(words('police kill the gunman'), words('police killed the gunman'))).toBe(0.75);
    expect(rougeL(words('the gunman kill police'), words('police killed the gunman'))).toBe(0.5);
  });

  test('METEOR rewards recall and order', () => {
    // Six matches in one chunk: 1 − 0.5·(1/6)³.
    expect(meteor(words('the cat sat on the mat'), words('the cat sat on the mat'))).toBeCloseTo(1 - 0.5 / 216, 12);
    // The same words in another order: six chunks of two at best.
    expect(meteor(words('on the mat sat the cat'), words('the cat sat on the mat'))).toBeLessThan(0.99);
    expect(meteor(words('cat'), words('the cat sat'))).toBeCloseTo((10 * 1 * (1 / 3)) / (1 / 3 + 9) * 0.5, 12);
  });

  test('nothing in common is 0, the same text is 1 (METEOR nearly), in any script', () => {
    for (const text of ['模型的回答很好', 'Zażółć gęślą jaźń', 'こんにちは世界', 'a b c d']) {
      expect(textMeasures(text, text)).toMatchObject({exact_match: 1, bleu: 1, rouge_l: 1});
      expect(textMeasures(text, 'qqq')).toEqual({exact_match: 0, bleu: 0, rouge_l: 0, meteor: 0});
    }
    expect(textMeasures('', '')).toMatchObject({exact_match: 1, bleu: 0});
    expect(exactMatch('Paris.', '  paris')).toBe(1);
    expect(exactMatch('!', '?')).toBe(0);
  });

  test('cosine of embeddings; of unequal or zero ones there is none', () => {
    expect(cosine([1, 0], [1, 1])).toBeCloseTo(Math.SQRT1_2, 15);
    expect([cosine([1], [1, 2]), cosine([0, 0], [1, 2]), cosine([], [])]).toEqual([undefined, undefined, undefined]);
  });
});

describe('an evaluation set', () => {
  const item = (index: number, a: string, b: string) => parseItem({item: index, reference: 'the answer is forty two', candidate_a: a, candidate_b: b});

  test('the candidate that is nearer wins item by item, with paired tests and their signs', () => {
    const items = Array.from({length: 12}, (_, index) => item(index, index % 3 === 0 ? 'the answer is forty' : 'no idea', index % 4 === 0 ? 'forty two' : 'the answer is forty two'));
    const rouge = evaluateItems(items).find(({measure}) => measure === 'rouge_l');
    expect(rouge).toMatchObject({n: 12, wins_a: 1, ties: 0, wins_b: 11, note: ''});
    expect(rouge?.difference).toBeGreaterThan(0.4);
    expect(rouge?.ci_low).toBeGreaterThan(0);
    expect(rouge?.p_paired_t).toBeLessThan(0.01);
    expect(rouge?.p_wilcoxon).toBeLessThan(0.01);
  });

  test('equal candidates have no p-value, and the reason is said', () => {
    const [first] = evaluateItems([item(1, 'x', 'x'), item(2, 'y', 'y')]);
    expect(first).toMatchObject({ties: 2, p_paired_t: null, p_wilcoxon: null});
    expect(first?.note).toMatch(/zero_variance|all_zero/);
  });

  test.each([
    [[], 'is not an object'],
    [{item: 'i', candidate_a: 'a', candidate_b: 'b'}, 'reference is missing'],
    [{item: 'i', reference: 'r', candidate_a: 7, candidate_b: 'b'}, 'candidate_a is a number; it must be text'],
    [{item: 'i', reference: 'r', candidate_a: 'a', candidate_b: 'b', embedding_a: [1]}, 'has some embeddings'],
    [{item: 'i', reference: 'r', candidate_a: 'a', candidate_b: 'b', embedding_a: ['x']}, 'must be a list of finite numbers'],
  ])('%j is refused: %s', (value, message) => {
    expect(() => parseItem(value)).toThrow(message);
  });
});

test('error rate: server errors and timeouts over all; the caller’s own errors are none', () => {
  expect(errorRate({ok: 90, client_error: 5, server_error: 3, timeout: 2})).toBe(0.05);
  expect(errorRate({})).toBeNull();
});

test('Little’s law finds a latency that is not that of the whole request', () => {
  expect(littlesLaw({ratePerSecond: 200, latencyMs: 50, concurrency: 10})).toEqual({expected: 10, gap: 0});
  expect(littlesLaw({ratePerSecond: 200, latencyMs: 50, concurrency: 20}).gap).toBe(1);
});

test('budget tiers and grades', () => {
  expect([0.79, 0.8, 0.95, 1].map(share => budgetTier(share * 100, 100))).toEqual(['ok', 'warn', 'switch', 'block']);
  expect(budgetTier(0, 0)).toBe('block');
  expect([0.9, 0.899, 0.7, 0.69].map(gradeOf)).toEqual(['healthy', 'warning', 'warning', 'critical']);
});
