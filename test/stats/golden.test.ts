import {existsSync, readdirSync, readFileSync} from 'node:fs';
import {fileURLToPath, pathToFileURL} from 'node:url';
import {describe, expect, it} from 'vitest';
import {runCase} from '../../src/stats/run-case.ts';

// Reference cases live beside the repository and are never copied into it.
const folder = fileURLToPath(new URL('../../../shared/cases/stats/', import.meta.url));
const isPresent = existsSync(folder);

interface GoldenCase {
  readonly name: string;
  readonly test: string;
  readonly input: Record<string, unknown>;
  readonly options: object;
  readonly expected: object;
  readonly stretch?: boolean;
}

interface Helpers {
  readonly match: (golden: GoldenCase, actual: object) => string[];
  readonly expand: (spec: unknown, siblings: Record<string, unknown>) => ArrayLike<number>;
}

async function loadHelpers(): Promise<Helpers> {
  const load = async (file: string): Promise<Partial<Helpers>> => import(pathToFileURL(folder + file).href);
  const [{match}, {expand}] = await Promise.all([load('match.mjs'), load('gen.mjs')]);
  if (match === undefined || expand === undefined)
    throw new Error('the reference cases lack match.mjs or gen.mjs');
  return {match, expand};
}

function loadCases(): GoldenCase[] {
  const files = readdirSync(folder).filter(file => file.endsWith('.json') && file !== 'validity.json');
  return files.flatMap(
    file => (JSON.parse(readFileSync(folder + file, 'utf8')) as {cases: GoldenCase[]}).cases,
  );
}

const reason = isPresent
  ? 'reference cases'
  : 'reference cases, skipped: ../shared/cases/stats is not beside the repository';

describe.skipIf(!isPresent)(reason, async () => {
  if (!isPresent) return;
  const {match, expand} = await loadHelpers();

  /** Writes generated arrays out. */
  const write = (value: unknown, siblings: Record<string, unknown> = {}): unknown => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
    if ('gen' in value) return Array.from(expand(value, siblings));
    const record = value as Record<string, unknown>;
    return Object.fromEntries(Object.entries(record).map(([key, item]) => [key, write(item, record)]));
  };

  /** Numbers that JSON lacks come as strings. */
  const read = (actual: object): object =>
    JSON.parse(JSON.stringify(actual), (_, value) =>
      ['NaN', 'Infinity', '-Infinity'].includes(value) ? Number(value) : value,
    );

  it.each(loadCases().map(golden => [golden.name, golden] as const))('%s', (_, golden) => {
    const actual = runCase({test: golden.test, input: write(golden.input), options: golden.options});
    expect(match(golden, read(actual))).toEqual([]);
  });
});
