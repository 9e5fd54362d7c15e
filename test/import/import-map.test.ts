import {describe, expect, test} from 'vitest';
import {AssayError} from '../../src/core/errors.ts';
import {parseImportMap} from '../../src/import/import-map.ts';
import {LEAST_MAP} from './fixtures.ts';

function problemsOf(text: string): string {
  try {
    parseImportMap(text, 'map.yaml');
  } catch (error) {
    if (error instanceof AssayError && error.code === 'ASSAY_CONFIG_INVALID') return error.message;
    throw error;
  }
  throw new Error('the map was accepted');
}

describe('an import map', () => {
  test('needs a time, a unit, an experiment, a variant and measures; the rest has defaults', () => {
    expect(parseImportMap(LEAST_MAP, 'map.yaml')).toEqual({
      format: 'csv',
      eventTime: {column: 'at', format: 'iso'},
      arrivalTime: null,
      unitId: {column: 'user'},
      itemId: null,
      sessionId: null,
      experiment: 'ranking',
      variant: {column: 'arm', map: null},
      design: 'split',
      measures: {score: 'points'},
      attributes: {},
      status: null,
      emit: ['exposure', 'outcome'],
      where: null,
      control: null,
      weights: null,
    });
  });

  test('names every wrong field at once, each with the kind it must have and the kind it has', () => {
    const message = problemsOf(`
source: {format: xml}
event_time: TIMESTAMP
unit_id: user
experiment: [a]
variant: {salt: s}
measures: tokens
emit: exposure
where: {column: model, in: gpt}
weights: {a: much}
colour: red`);
    for (const part of [
      'the import map map.yaml is wrong',
      'source.format must be one of csv, ndjson, got string "xml"',
      'event_time must be a map with column, got string "TIMESTAMP"',
      'unit_id must be {column: NAME} or {template: "text-${row}"}, got string "user"',
      'experiment must be text, got a list',
      'variant must be one of {value: …}, {column: …} or {hash: {salt, variants}}, got a map',
      'measures must be a map of name to {column: …}, got string "tokens"',
      'emit must be a list of exposure and/or outcome, got string "exposure"',
      'where.in must be a list of cell values, got string "gpt"',
      'weights.a must be a number from 0, got string "much"',
      'colour is not a key of a map; the keys are source, event_time',
    ]) {
      expect(message).toContain(part);
    }
  });

  test('an empty file is one clear error, not a crash', () => {
    expect(problemsOf('')).toContain('must be a map of keys and values, got an empty value');
  });

  test('text that is no YAML is named with its place', () => {
    expect(problemsOf('source: {format: csv')).toMatch(/map\.yaml is wrong: .*line 1/);
  });

  test('slots beyond 10000, or parts of one, are refused with their sum', () => {
    const map = (variants: string) => LEAST_MAP.replace('{column: arm}', `{hash: {salt: s, variants: ${variants}}}`);
    expect(problemsOf(map('{a: 6000, b: 5000}'))).toContain('add up to at most 10000, got 11000');
    expect(problemsOf(map('{a: 0.5, b: 0.5}'))).toContain('variant.hash.variants must be whole numbers of 10000 slots');
    expect(problemsOf(map('{}'))).toContain('variant.hash.variants must be a map of variant to weight');
  });

  test('slots keep the written order, also of variants that look like numbers', () => {
    const map = parseImportMap(LEAST_MAP.replace('{column: arm}', '{hash: {salt: s, variants: {2: 3000, 1: 7000}}}'), 'map.yaml');
    expect(map.variant).toEqual({hash: {salt: 's', variants: [['2', 3000], ['1', 7000]]}});
  });

  test('a map that emits exposures alone needs no measures', () => {
    const text = LEAST_MAP.replace(/measures.*\n/, 'emit: [exposure]\n');
    expect(parseImportMap(text, 'map.yaml')).toMatchObject({measures: {}, emit: ['exposure']});
    expect(problemsOf(LEAST_MAP.replace(/measures.*\n/, ''))).toContain('measures must be a map of name to {column: …}, got nothing');
  });

  test('a status that does not exist is named with the ones that do', () => {
    expect(problemsOf(`${LEAST_MAP}status: {column: code, map: {"500": broken}}\n`)).toContain(
      'status.map.500 must be one of ok, client_error, server_error, timeout, got broken',
    );
  });
});
