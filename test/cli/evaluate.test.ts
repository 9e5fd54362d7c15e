import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, describe, expect, test} from 'vitest';
import {runCli} from '../../src/cli/run.ts';

const directory = mkdtempSync(join(tmpdir(), 'assay-evaluate-'));
afterAll(() => rmSync(directory, {recursive: true, force: true}));

async function evaluate(lines: readonly (object | string)[] | null, ...flags: string[]): Promise<{code: number; out: string; err: string}> {
  if (lines !== null) writeFileSync(join(directory, 'items.ndjson'), lines.map(line => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n'));
  const told = {out: '', err: ''};
  const io = {
    out: (text: string) => { told.out += text; },
    err: (text: string) => { told.err += text; },
    cwd: directory, signal: new AbortController().signal, isTerminal: false,
  };
  return {code: await runCli(['evaluate', lines === null ? 'nowhere.ndjson' : 'items.ndjson', ...flags], io), ...told};
}

const REFERENCE = 'the answer is forty two';
const item = (index: number, more: object = {}) => ({item: index, reference: REFERENCE, candidate_a: index % 4 === 0 ? REFERENCE : 'no idea', candidate_b: index % 3 === 0 ? 'the answer is forty' : REFERENCE, ...more});

describe('assay evaluate', () => {
  test('every measure with means, wins and both paired tests; blank lines and CRLF are no items', async () => {
    const {code, out} = await evaluate([...Array.from({length: 12}, (_, index) => `${JSON.stringify(item(index))}\r`), '', '   '], '--json');
    expect(code).toBe(0);
    const {items, measures} = JSON.parse(out) as {items: number; measures: Record<string, number | string>[]};
    expect(items).toBe(12);
    expect(measures.map(({measure}) => measure)).toEqual(['exact_match', 'bleu', 'rouge_l', 'meteor']);
    const rouge = measures.find(({measure}) => measure === 'rouge_l');
    // 4 of 5 words and all of 4: F1 = 8/9 for a third of B; A is right in a quarter.
    expect(rouge).toMatchObject({n: 12, mean_a: 0.25, mean_b: expect.closeTo((8 + 4 * (8 / 9)) / 12, 12), wins_a: 1, ties: 2, wins_b: 9});
    expect(Number(rouge?.['p_paired_t'])).toBeLessThan(0.01);
    expect(Number(rouge?.['p_wilcoxon'])).toBeLessThan(0.05);
  });

  test('embeddings add cosine for the items that have them; the table is for people', async () => {
    const vectors = {embedding_reference: [1, 0], embedding_a: [0, 1], embedding_b: [1, 0.1]};
    const lines = Array.from({length: 6}, (_, index) => item(index, index < 4 ? vectors : {}));
    const {measures} = JSON.parse((await evaluate(lines, '--json')).out) as {measures: Record<string, unknown>[]};
    expect(measures.at(-1)).toMatchObject({measure: 'cosine', n: 4, mean_a: 0, wins_b: 4});
    const table = (await evaluate(lines)).out;
    expect(table).toMatch(/^measure +n +mean_a/);
    expect(table.split('\n').filter(line => /^(exact_match|bleu|rouge_l|meteor|cosine) /.test(line))).toHaveLength(5);
  });

  test.each([
    ['a line that is no JSON', [item(1), '{"item": 2,'], /line 2: .*JSON/],
    ['embeddings of two lengths', [item(1, {embedding_reference: [1, 0], embedding_a: [1], embedding_b: [0, 1]})], /line 1: embeddings have 2, 1 and 2 numbers/],
    ['a missing text', [item(1), {...item(2), candidate_b: undefined}], /line 2: candidate_b is missing; it must be text/],
    ['a text of another kind', [{...item(1), reference: ['x']}], /line 1: reference is a list; it must be text/],
    ['an item twice', [item(1), item(1)], /line 2: item "1" was there before; every item counts once/],
    ['some embeddings', [{...item(1), embedding_a: [1]}], /line 1: has some embeddings; give embedding_reference, embedding_a and embedding_b, or none/],
    ['an embedding that is none', [{...item(1), embedding_a: [1, 'x'], embedding_b: [1], embedding_reference: [1]}], /line 1: embedding_a must be a list of finite numbers/],
    ['nothing at all', [''], /there is no item; give NDJSON lines like/],
  ])('%s: one error that says where and what to write, and no result', async (_, lines, message) => {
    const {code, out, err} = await evaluate(lines);
    expect([code, out]).toEqual([2, '']);
    expect(err).toMatch(message);
  });

  test('every wrong line is named, up to twenty; the rest is counted', async () => {
    const {err} = await evaluate(Array.from({length: 30}, () => '[]'));
    expect(err.match(/line \d+:/g)).toHaveLength(20);
    expect(err).toContain('and 10 more');
  });

  test('a file that is not there', async () => {
    const {code, err} = await evaluate(null);
    expect(code).toBe(2);
    expect(err).toMatch(/nowhere\.ndjson cannot be read \(.*ENOENT/);
  });
});
