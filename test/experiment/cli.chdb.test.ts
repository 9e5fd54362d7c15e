import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, describe, expect, test} from 'vitest';
import {runCli} from '../../src/cli/run.ts';
import {chdbSkipReason} from '../helpers/chdb-engine.ts';

const skipReason = await chdbSkipReason();
const directory = mkdtempSync(join(tmpdir(), 'assay-experiments-'));
afterAll(() => rmSync(directory, {recursive: true, force: true}));

async function assay(...argv: string[]): Promise<{code: number; out: string; err: string}> {
  const told = {out: '', err: ''};
  const io = {
    out: (text: string) => { told.out += text; },
    err: (text: string) => { told.err += text; },
    cwd: directory, signal: new AbortController().signal, isTerminal: false,
  };
  return {code: await runCli(argv, io), ...told};
}
const write = (name: string, text: string): void => writeFileSync(join(directory, name), text);

describe('assay experiments validate', () => {
  test('needs no platform and lists every problem of every file at once', async () => {
    write('good.yaml', 'experiment: e\nvariants: {a: 60, b: 30, c: 10}\ncontrol: a\n');
    write('bad.yaml', 'experiment: e\nvariants: {a: -1, b: 30}\ncontrol: x\nmetrics: [{key: m, role: goal}]\nguards: [{metric: n, window: 0s}]\n');
    const {code, out} = await assay('experiments', 'validate', 'good.yaml', 'bad.yaml', '--json');
    expect(code).toBe(2);
    const [good, bad] = JSON.parse(out) as {valid: boolean; problems: {path: string}[]}[];
    expect(good).toEqual({file: 'good.yaml', valid: true, problems: []});
    expect(bad?.problems.map(({path}) => path)).toEqual(['variants.a', 'control', 'metrics[0].direction', 'guards[0].metric', 'guards[0]', 'guards[0].window']);
  });
});

describe.skipIf(skipReason !== null)(`a life cycle by command line${skipReason === null ? '' : ` (skipped: ${skipReason})`}`, () => {
  const change = (...argv: string[]) => assay('experiments', ...argv, '--author', 'ann', '--reason', 'because', '--json');

  test('create, start, set-weights with optimistic concurrency, pause, resume, history; assign by the stored table', async () => {
    write('e.yaml', 'experiment: e\nvariants: {a: 60, b: 30, c: 10}\ncontrol: a\n');
    expect(JSON.parse((await change('create', 'e.yaml')).out)).toMatchObject({version: 1, lifecycle: 'draft', author: 'ann', reason: 'because'});
    expect((await change('create', 'e.yaml')).err).toContain('version 1 by ann is newer');
    expect((await assay('experiments', 'start', 'e')).err).toContain('--reason');
    expect((await change('pause', 'e')).err).toContain('it is draft; pause leads from running to paused');
    expect((await change('start', 'e')).code).toBe(0);
    const moved = await change('set-weights', 'e', 'a=50,c=20', '--expected-version', '2');
    expect(JSON.parse(moved.out)).toMatchObject({version: 3, phase: 2, moved_share: 0.1, weights: {a: 50, b: 30, c: 20}});
    const stale = await change('set-weights', 'e', 'a=10', '--expected-version', '2');
    expect([stale.code, stale.err]).toEqual([2, expect.stringContaining('version 3 by ann is newer')]);
    expect((await change('set-weights', 'e', 'z=10')).err).toContain('z is none of the variants a, b, c');
    expect((await change('pause', 'e')).code).toBe(0);
    expect(JSON.parse((await change('resume', 'e')).out)).toMatchObject({version: 5, phase: 3, lifecycle: 'running'});
    const history = JSON.parse((await assay('experiments', 'history', 'e', '--json')).out) as {lifecycle: string; variants: string}[];
    expect(history.map(({lifecycle}) => lifecycle)).toEqual(['draft', 'running', 'running', 'paused', 'running']);
    expect(JSON.parse((await assay('experiment', 'show', 'e', '--at', '2', '--json')).out)).toMatchObject({version: 2, definition: {variants: {a: 60, b: 30, c: 10}}});
    expect((await assay('experiments', 'show', 'nope')).err).toContain('it has e');

    const units = Array.from({length: 50}, (_, index) => `user-${index}`);
    const stored = await assay('assign', '--experiment', 'e', ...units);
    const derived = await assay('assign', '--salt', 'e', '--weights', 'a=50,b=30,c=20', '--from', 'a=60,b=30,c=10', ...units);
    expect(stored.code).toBe(0);
    expect(stored.out).toBe(derived.out);
    expect((await assay('assign', '--experiment', 'nope', 'u')).err).toContain('no experiment nope');
  }, 240_000);
});
