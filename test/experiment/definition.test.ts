import {readFileSync, writeFileSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {ANALYSIS_DEFAULTS, parseDefinition, parseDefinitionText, requireDefinition} from '../../src/experiment/definition.ts';
import {documentJsonSchema} from '../../src/experiment/document-schema.ts';
import {draftDefinition, mergeDraft} from '../../src/experiment/draft.ts';
import {durationText, parseDuration} from '../../src/experiment/duration.ts';
import {problemText} from '../../src/experiment/problems.ts';
import {loadDefinitions} from '../../src/experiment/seed.ts';
import {toDocument} from '../../src/experiment/to-document.ts';

const EXAMPLES = fileURLToPath(new URL('../../experiments/', import.meta.url));
const SCHEMA = new URL('../../schemas/experiment.schema.json', import.meta.url);

const problemsOf = (input: unknown): string[] => {
  const parsed = parseDefinition(input);
  return parsed.ok ? [] : parsed.problems.map(problemText);
};
const SMALL = {experiment: 'e', variants: {a: 1, b: 1}, control: 'a'};

describe('definitions', () => {
  test('the examples are valid, and read back from their documents as they are', () => {
    const loaded = loadDefinitions(EXAMPLES);
    expect(loaded.map(({definition}) => definition.experiment)).toEqual(['answer-model', 'judge-prompts', 'retrieval-depth']);
    for (const {definition} of loaded) {
      expect(parseDefinition(JSON.parse(JSON.stringify(toDocument(definition))))).toEqual({ok: true, definition});
    }
  });

  test('defaults are those of the design', () => {
    const definition = requireDefinition(
      parseDefinition({...SMALL, metrics: [{key: 'score', role: 'goal', direction: 'higher'}], guards: [{metric: 'score', window: '60s', above: 1}]}),
    );
    expect(definition).toMatchObject({
      design: 'split', unit: 'user', fallback: 'a', allocation: 1, layer: null, salt: 'e', sampleRate: 1, lifecycle: 'draft', canary: null,
      hasWeights: true, analysis: ANALYSIS_DEFAULTS,
      metrics: [{key: 'score', measure: 'score', aggregate: 'mean', scale: 9, attributionMs: 604_800_000, minEffect: 0, tolerance: 0, dimensions: []}],
      guards: [{windowMs: 60_000, above: 1, below: null, minN: 50, action: 'alert'}],
    });
    expect(ANALYSIS_DEFAULTS).toMatchObject({alpha: 0.05, correction: 'holm', lookEveryMs: 60_000, minN: 200, pairCoverageMin: 0.8, srmAlpha: 0.001});
  });

  test('all problems come at once, each with its path, what stands there and the fix', () => {
    const problems = problemsOf({
      experiment: 'answer model',
      variants: {v1: 60, v2: '30'},
      control: 'v9',
      alocation: 0.5,
      design: 'splitt',
      metrics: [
        {key: 'a', aggregate: 'ratio', numerator: 'cost_usd', role: 'goal', directon: 'lower'},
        {key: 'b', aggregate: 'share', measure: 'x', role: 'goal', direction: 'lower'},
        {key: 'b', scale: 13},
      ],
      guards: [{metric: 'bb', window: '60', above: 0.3}, {metric: 'a', window: '60s'}],
      analysis: {alpha: 2, look_evry: '1m'},
    });
    expect(problems).toEqual([
      'experiment: got text "answer model"; use letters, digits, dot, dash and underscore, first a letter or digit',
      'design: got text "splitt"; write one of split, paired; did you mean split?',
      'variants.v2: got text "30"; write a number',
      'metrics[0].directon: is not a known key; did you mean direction?',
      'metrics[2].scale: got number 13; it must be at most 12',
      'analysis.alpha: got number 2; it must be at most 0.5',
      'analysis.look_evry: is not a known key; did you mean look_every?',
      'guards[0].window: got text "60"; write a whole number and ms, s, m, h or d, like 60s or 7d',
      'alocation: is not a known key; did you mean allocation?',
      'control: "v9" is none of the variants v1, v2; did you mean v1?',
      'metrics[1].measure: got text "x"; a share has none, drop it or change aggregate',
      'metrics[1].status: got nothing; a share needs it',
      'metrics: "b" is there twice; give each metric a key of its own',
    ]);
  });

  test('the rules between fields', () => {
    const metrics = [{key: 'err', aggregate: 'share', status: ['timeout'], role: 'guardrail', direction: 'lower'}];
    const canary = {variant: 'a', steps: [20, 5], hold: '0s', gates: [{metric: 'er', below: 1}, {metric: 'err'}]};
    expect(problemsOf({...SMALL, control: 'aa', fallback: 'zzzz'})).toEqual([
      'control: "aa" is none of the variants a, b; did you mean a?',
      'fallback: "zzzz" is none of the variants a, b',
    ]);
    expect(problemsOf({...SMALL, variants: {2: 1, 1: 1, a: 3}})).toEqual([
      'variants: 1, 2: a map does not keep the order of whole numbers; write a list of {key, weight}',
    ]);
    expect(problemsOf({...SMALL, variants: [{key: '2', weight: 1}, {key: 'a', weight: 1}]})).toEqual([]);
    expect(problemsOf({...SMALL, variants: ['a', 'b'], lifecycle: 'running'})).toEqual(['variants: have no weights; a running split needs them, like {v1: 50, v2: 50}']);
    expect(problemsOf({...SMALL, variants: ['a'], lifecycle: 'running', design: 'paired'})).toEqual(['variants: 1 variant; an experiment that is not a draft compares at least 2']);
    expect(problemsOf({...SMALL, variants: {a: 0, b: 0}})).toEqual(['variants: all weights are 0; give at least one more']);
    expect(problemsOf({...SMALL, metrics: [{key: 'm', role: 'goal'}]})).toEqual(['metrics[0].direction: got nothing; say whether higher or lower is better for this goal']);
    expect(problemsOf({...SMALL, metrics, canary})).toEqual([
      'canary.hold: 0s is no time at all; write more than 0',
      'canary.variant: is the control, at whose cost a canary grows; name a treatment',
      'canary.steps: 20, 5 does not rise; write each step larger than the one before',
      'canary.gates[0].metric: "er" is no metric; the metrics are err; did you mean err?',
      'canary.gates[1]: has no bound; write above or below',
    ]);
    expect(problemsOf({...SMALL, analysis: {min_run: '2d', max_run: '1d', max_n: 10}})).toHaveLength(2);
    expect(problemsOf({...SMALL, overrides: [{cookie: 'x'}]})[0]).toMatch(/^overrides/);
    expect(problemsOf('text')).toEqual(['got text "text"; write a map']);
    expect(problemsOf(null)).toEqual(['got null; write a map']);
    expect(problemsOf({})).toHaveLength(3);
  });

  test('YAML problems name line and column', () => {
    const parsed = parseDefinitionText('experiment: a\nvariants: {a: 1\ncontrol: a\n');
    expect(parsed.ok ? '' : problemText(parsed.problems[0] ?? {path: '', message: ''})).toMatch(/line \d+, column \d+/);
    const twice = parseDefinitionText('experiment: a\nexperiment: b\n');
    expect(twice.ok ? '' : twice.problems.map(problemText).join()).toContain('line 2');
    expect(parseDefinitionText('&a [*a, *a]').ok).toBe(false);
  });

  test('a document of a newer Assay is read without what is not known', () => {
    const newer = {...SMALL, brand_new: 1, metrics: [{key: 'm', also_new: true}]};
    expect(parseDefinition(newer).ok).toBe(false);
    expect(parseDefinition(newer, {ignoreUnknownKeys: true})).toEqual(parseDefinition({...SMALL, metrics: [{key: 'm'}]}));
    expect(parseDefinition({...newer, control: 'zz'}, {ignoreUnknownKeys: true}).ok).toBe(false);
  });

  test('parsing never throws', () => {
    fc.assert(
      fc.property(fc.anything(), fc.anything(), fc.string(), (a, b, text) => {
        parseDefinition(a);
        parseDefinition({...SMALL, metrics: [a, {key: b}], variants: b, guards: a, canary: b, targeting: a, analysis: b});
        parseDefinitionText(text);
      }),
      {numRuns: 300},
    );
  });

  test('the published JSON Schema is the one the code has', () => {
    // Write it anew: UPDATE_SCHEMA=1 npx vitest run test/experiment/definition.test.ts
    if (process.env['UPDATE_SCHEMA'] === '1') writeFileSync(SCHEMA, `${JSON.stringify(documentJsonSchema(), null, 2)}\n`);
    expect(JSON.parse(readFileSync(SCHEMA, 'utf8'))).toEqual(documentJsonSchema());
  });
});

describe('durations', () => {
  test.each([['60s', 60_000], ['10m', 600_000], ['7d', 604_800_000], ['250ms', 250], ['1h', 3_600_000], ['0ms', 0]])('%s is %i ms', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  test('text and milliseconds convert without loss', () => {
    fc.assert(fc.property(fc.integer({min: 0, max: 1e12}), ms => {
      expect(parseDuration(durationText(ms))).toBe(ms);
    }));
    for (const text of ['', '60', 's', '-1s', '1.5s', '1 s', '1w']) expect(parseDuration(text)).toBeUndefined();
  });
});

describe('drafts of imports', () => {
  const draft = {experiment: 'arena', design: 'paired', variants: ['gpt-4 (0314)', 'claude/3'], control: 'claude/3', weights: null, measures: ['score', {key: 'latency ms', direction: 'lower'}]} as const;

  test('a draft has the mean of each measure as a goal, and is valid', () => {
    const definition = draftDefinition(draft);
    expect(definition.metrics.map(({key, aggregate, role, direction}) => [key, aggregate, role, direction])).toEqual([
      ['score', 'mean', 'goal', 'higher'],
      ['latency ms', 'mean', 'goal', 'lower'],
    ]);
    expect(definition.hasWeights).toBe(false);
    expect(parseDefinition(toDocument(definition))).toEqual({ok: true, definition});
  });

  test('merging is a union that keeps what was there, and the same object when nothing is new', () => {
    const old = draftDefinition(draft);
    const merged = mergeDraft(old, draftDefinition({...draft, variants: ['claude/3', 'mistral'], control: 'mistral', measures: ['score', 'tokens']}));
    expect(merged.variants.map(({key}) => key)).toEqual(['gpt-4 (0314)', 'claude/3', 'mistral']);
    expect(merged.metrics.map(({key}) => key)).toEqual(['score', 'latency ms', 'tokens']);
    expect(merged.control).toBe('claude/3');
    expect(mergeDraft(old, draftDefinition(draft))).toBe(old);
    expect(mergeDraft(merged, old)).toBe(merged);
  });
});
