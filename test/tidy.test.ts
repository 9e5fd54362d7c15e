/**
 * Checks the shape of the code itself: which folder may import which, and the
 * few bans that a linter does not know about.
 */
import {existsSync, readdirSync, readFileSync} from 'node:fs';
import {dirname, join, relative, resolve} from 'node:path';
import ts from 'typescript';
import {describe, expect, test} from 'vitest';

const ROOT = resolve(import.meta.dirname, '..');
const SRC = join(ROOT, 'src');

/** Folders in reading order. A folder imports only folders of a lower rank. */
const RANK: Readonly<Record<string, number>> = {
  core: 0,
  config: 1, observe: 1,
  avro: 2, stats: 2, assign: 2, log: 2, warehouse: 2,
  experiment: 3, quality: 3,
  sdk: 4, ingest: 4, worker: 4, closing: 4, analyze: 4, simulate: 5, import: 4,
  guard: 5, report: 5,
  notify: 6,
  web: 7, dashboard: 7,
  roles: 8,
  cli: 9,
};

/** Packages that may be imported only under one folder. */
const PACKAGE_HOME: Readonly<Record<string, string>> = {
  kafkajs: 'log/kafka/',
  '@clickhouse/client': 'warehouse/',
  chdb: 'warehouse/chdb/',
  avsc: 'avro/',
  jstat: 'stats/',
  '@stdlib': 'stats/',
  pino: 'observe/',
  'prom-client': 'observe/',
  fastify: 'web/',
  commander: 'cli/',
};

/** Only the composition root may name an adapter; its own folder may, too. */
const ADAPTER = /^(log|warehouse|notify)\/(memory|embedded|kafka|server|chdb|slack|wecom|feishu|dingtalk|generic)\//;

type Ban = {readonly pattern: RegExp; readonly instead: string; readonly except: RegExp};
const BANNED: readonly Ban[] = [
  {pattern: /\bDate\.now\(|\bnew Date\(\)/, instead: 'the Clock port', except: /^roles\/system\.ts$/},
  {pattern: /\bMath\.random\(/, instead: 'the Rng port', except: /^roles\/system\.ts$/},
  {pattern: /\bprocess\.env\b/, instead: 'config/load.ts', except: /^config\/load\.ts$/},
  {pattern: /\bconsole\./, instead: 'the Logger port', except: /^$/},
  {pattern: /\b(FIXME|TODO)\b/, instead: 'doing it', except: /^$/},
  {pattern: /@ts-(ignore|nocheck)/, instead: 'a type', except: /^$/},
];

const FILE_LINES_MAX = 400;
const FUNCTION_LINES_MAX = 70;
/** A literal table is not code to read. */
const TABLES = /^core\/histogram-edges\.ts$/;

const files = readdirSync(SRC, {recursive: true, encoding: 'utf8'})
  .filter(path => /\.tsx?$/.test(path))
  .map(path => ({path, text: readFileSync(join(SRC, path), 'utf8')}));

describe('tidy', () => {
  test('there are files to check', () => {
    expect(files.length).toBeGreaterThan(50);
  });

  test('imports point from later folders to earlier ones, adapters are named in roles/ alone', () => {
    expect(files.flatMap(file => importErrors(file))).toEqual([]);
  });

  test('names, sizes and bans', () => {
    expect(files.flatMap(styleErrors)).toEqual([]);
  });

  test('documents speak of the project alone', () => {
    const documents = ['README.md', ...readdirSync(join(ROOT, 'docs'), {recursive: true, encoding: 'utf8'}).filter(p => p.endsWith('.md')).map(p => `docs/${p}`)];
    const errors = documents.filter(path => existsSync(join(ROOT, path))).flatMap(path => {
      const found = /\/(work|root|farm|home)\/\S*|registry\.npmjs\.org|repo1?\.maven\.org/.exec(readFileSync(join(ROOT, path), 'utf8'));
      return found === null ? [] : [`${path}: ${found[0]}`];
    });
    expect(errors).toEqual([]);
  });

  test('a planted violation of each kind is found', () => {
    expect(importErrors({path: 'core/bad.ts', text: `import '../log/event-log.ts';`})).toHaveLength(1);
    expect(importErrors({path: 'worker/bad.ts', text: `import '../log/kafka/x.ts';`})).toHaveLength(1);
    expect(importErrors({path: 'worker/bad.ts', text: `import 'kafkajs';`})).toHaveLength(1);
    expect(styleErrors({path: 'worker/Bad.ts', text: 'export default 1; const t = Date.now();'})).toHaveLength(3);
    expect(styleErrors({path: 'worker/long.ts', text: `function f() {\n${'x();\n'.repeat(80)}}\n`})).toHaveLength(1);
  });
});

type SourceFile = {readonly path: string; readonly text: string};

function importErrors({path, text}: SourceFile): string[] {
  const errors: string[] = [];
  const folder = path.split('/')[0] ?? '';
  const isRoot = !path.includes('/');
  if (!isRoot && RANK[folder] === undefined) errors.push(`${path}: folder ${folder} has no rank`);

  // The compiler's own scanner: static, dynamic, type-only and re-exports alike.
  for (const {fileName: specifier} of ts.preProcessFile(text).importedFiles) {
    if (!specifier.startsWith('.')) {
      errors.push(...packageErrors(path, specifier));
      continue;
    }
    if (!/\.(tsx?|json)$/.test(specifier)) errors.push(`${path}: write the extension in ${specifier}`);
    const target = relative(SRC, resolve(SRC, dirname(path), specifier));
    const targetFolder = target.split('/')[0] ?? '';
    if (isRoot) continue;
    const isAdapter = ADAPTER.test(target) && dirname(target) !== dirname(path) && !path.startsWith(`${target.split('/').slice(0, 2).join('/')}/`);
    if (isAdapter && folder !== 'roles') errors.push(`${path}: only roles/ may name the adapter ${target}`);
    else if (targetFolder !== folder && (RANK[targetFolder] ?? -1) >= (RANK[folder] ?? 0)) {
      errors.push(`${path} (${RANK[folder]}) must not import ${target} (${RANK[targetFolder]})`);
    }
  }
  return errors;
}

function packageErrors(path: string, specifier: string): string[] {
  return Object.entries(PACKAGE_HOME)
    .filter(([name, home]) => (specifier === name || specifier.startsWith(`${name}/`)) && !path.startsWith(home))
    .map(([name, home]) => `${path}: ${name} belongs in ${home}`);
}

function styleErrors({path, text}: SourceFile): string[] {
  const errors: string[] = [];
  const lines = text.split('\n').length;
  if (!/^([a-z0-9-]+\/)*[a-z0-9-]+(\.d)?\.tsx?$/.test(path)) errors.push(`${path}: use kebab-case`);
  if (lines > FILE_LINES_MAX && !TABLES.test(path)) errors.push(`${path}: ${lines} lines, limit ${FILE_LINES_MAX}`);
  if (/^export default\b/m.test(text)) errors.push(`${path}: use named exports`);
  if (/^\s*(export )?(const )?enum\b/m.test(text)) errors.push(`${path}: use a union of strings`);
  for (const {pattern, instead, except} of BANNED) {
    if (pattern.test(text) && !except.test(path)) errors.push(`${path}: ${pattern} is banned, use ${instead}`);
  }
  errors.push(...longFunctions(path, text));
  return errors;
}

function longFunctions(path: string, text: string): string[] {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const errors: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionDeclaration(node) || ts.isMethodDeclaration(node) || ts.isArrowFunction(node) || ts.isFunctionExpression(node)) {
      const first = source.getLineAndCharacterOfPosition(node.getStart()).line;
      const last = source.getLineAndCharacterOfPosition(node.getEnd()).line;
      if (last - first + 1 > FUNCTION_LINES_MAX) errors.push(`${path}:${first + 1}: a function of ${last - first + 1} lines, limit ${FUNCTION_LINES_MAX}`);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return errors;
}
