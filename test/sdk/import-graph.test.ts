/** What a service loads when it imports the SDK, followed through the sources with the compiler's own scanner. */
import {readFileSync} from 'node:fs';
import {dirname, relative, resolve} from 'node:path';
import ts from 'typescript';
import {expect, test} from 'vitest';

const SRC = resolve(import.meta.dirname, '../../src');

type Graph = {readonly files: ReadonlySet<string>; readonly packages: ReadonlySet<string>};

/** Type-only imports leave nothing behind; dynamic ones count when asked for. */
function graphOf(entry: string, options: {readonly followDynamic: boolean}): Graph {
  const files = new Set<string>();
  const packages = new Set<string>();
  const visit = (path: string): void => {
    if (files.has(path)) return;
    files.add(path);
    const text = readFileSync(resolve(SRC, path), 'utf8');
    const js = ts.transpileModule(text, {compilerOptions: {module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022, verbatimModuleSyntax: true}}).outputText;
    const source = ts.createSourceFile(path, js, ts.ScriptTarget.ES2022, true);
    for (const specifier of specifiersOf(source, options.followDynamic)) {
      if (specifier.startsWith('.')) visit(relative(SRC, resolve(SRC, dirname(path), specifier)));
      else packages.add(specifier);
    }
  };
  visit(entry);
  return {files, packages};
}

function specifiersOf(source: ts.SourceFile, followDynamic: boolean): string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier !== undefined && ts.isStringLiteral(node.moduleSpecifier)) {
      found.push(node.moduleSpecifier.text);
    }
    const [argument] = ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword ? node.arguments : [];
    if (followDynamic && argument !== undefined && ts.isStringLiteral(argument)) found.push(argument.text);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

const FORBIDDEN = /^(warehouse|web|worker|closing|analyze|report|notify|import|simulate|cli|config)\//;

test('the SDK pulls in neither the warehouse nor the server, whatever transport it is opened with', () => {
  const {files, packages} = graphOf('roles/sdk.ts', {followDynamic: true});
  expect(files.size).toBeGreaterThan(20);
  expect([...files].filter(file => FORBIDDEN.test(file))).toEqual([]);
  expect([...packages].filter(name => /chdb|@clickhouse|fastify|commander|pino|prom-client|jstat|stdlib/.test(name))).toEqual([]);
  expect(packages.has('kafkajs')).toBe(true);
});

test('without Kafka it needs no package at all', () => {
  const {packages} = graphOf('roles/sdk.ts', {followDynamic: false});
  expect([...packages].filter(name => !name.startsWith('node:') && name !== 'zod' && name !== 'yaml')).toEqual([]);
});

test('the browser entry needs nothing but its own sources', () => {
  const {files, packages} = graphOf('sdk/browser.ts', {followDynamic: true});
  expect([...packages]).toEqual([]);
  expect(files.size).toBeLessThan(12);
});

test('the walk finds what it looks for', () => {
  expect([...graphOf('roles/http.ts', {followDynamic: true}).packages]).toContain('fastify');
});
