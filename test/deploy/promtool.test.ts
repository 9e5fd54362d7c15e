import {spawnSync} from 'node:child_process';
import {cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join, resolve} from 'node:path';
import {parse, stringify} from 'yaml';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';

const PROMETHEUS = resolve(import.meta.dirname, '../../deploy/prometheus');
const promtool = (args: readonly string[]) => spawnSync('promtool', args, {encoding: 'utf8'});
const isMissing = promtool(['--version']).status !== 0;

describe.skipIf(isMissing)('promtool (missing: install the Debian package prometheus) on deploy/prometheus', () => {
  const directory = mkdtempSync(join(tmpdir(), 'assay-promtool-'));
  beforeAll(() => cpSync(PROMETHEUS, directory, {recursive: true}));
  afterAll(() => rmSync(directory, {recursive: true, force: true}));

  const files = (ending: string): string[] => readdirSync(PROMETHEUS).filter(name => name.endsWith(ending));
  const said = ({stdout, stderr}: {stdout: string; stderr: string}): string => `${stdout}${stderr}`;

  test.each(files('.rules.yml'))('%s is right', file => {
    const run = promtool(['check', 'rules', join(PROMETHEUS, file)]);
    expect(run.status, said(run)).toBe(0);
  });

  test('prometheus.yml is right', () => {
    const run = promtool(['check', 'config', '--syntax-only', join(PROMETHEUS, 'prometheus.yml')]);
    expect(run.status, said(run)).toBe(0);
  });

  test.each(files('.test.yml'))('%s: each fault fires its alert alone', file => {
    const run = promtool(['test', 'rules', join(PROMETHEUS, file)]);
    expect(run.status, said(run)).toBe(0);
  });

  test('a rule that fires too late is found', () => {
    const path = join(directory, 'assay-operations.rules.yml');
    const text = readFileSync(path, 'utf8');
    expect(text).toContain('increase(assay_audit_mismatch_total[10m]) > 0');
    writeFileSync(path, text.replace('increase(assay_audit_mismatch_total[10m]) > 0', 'increase(assay_audit_mismatch_total[10m]) > 100'));
    const tests = join(directory, 'assay-operations.test.yml');
    const {tests: groups, ...rest} = parse(readFileSync(tests, 'utf8')) as {tests: {name: string}[]};
    writeFileSync(tests, stringify({...rest, tests: groups.filter(({name}) => name === 'AssayAuditMismatch')}));
    expect(promtool(['test', 'rules', tests]).status).not.toBe(0);
    cpSync(join(PROMETHEUS, 'assay-operations.rules.yml'), path);
    expect(promtool(['test', 'rules', tests]).status).toBe(0);
  });
});
