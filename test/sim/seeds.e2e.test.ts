/** A thousand seeds on all cores, as `npm run sim` runs them. */
import {spawnSync} from 'node:child_process';
import {existsSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import {expect, test} from 'vitest';

const SIM = fileURLToPath(new URL('../../dist/roles/sim.js', import.meta.url));
const isBuilt = existsSync(SIM);
if (!isBuilt && process.env['CI'] === 'true') throw new Error('dist/ is not built: npm run build');

function sim(...args: readonly string[]): {code: number | null; lines: string[]} {
  const {status, stdout} = spawnSync(process.execPath, [SIM, ...args], {encoding: 'utf8'});
  return {code: status, lines: stdout.trimEnd().split('\n')};
}

test.skipIf(!isBuilt)('1 000 seeds are exact, and the last line sums up', {timeout: 600_000}, () => {
  const {code, lines} = sim('--seeds', '1000');
  expect({code, failed: lines.filter(line => line.includes('failed; replay with'))}, lines.join('\n')).toEqual({code: 0, failed: []});
  expect(lines.at(-1)).toMatch(/^1000 seeds, 0 failed: \d+ records, \d+ facts, \d+ late, \d+ crashes in [\d.]+ s \(\d+ seeds a minute\)$/);
});

test.skipIf(!isBuilt)('a failing seed is printed with the command that replays it, and the replay fails the same way', {timeout: 300_000}, () => {
  const {code, lines} = sim('--seeds', '100', '--bug', 'commit-before-insert');
  expect(code).toBe(1);
  const [, first] = /^seed (\d+) failed; replay with: npm run sim -- --seeds 1 --first-seed \1 --bug commit-before-insert$/m.exec(lines.join('\n')) ?? [];
  expect(first, lines.join('\n')).toBeDefined();
  const again = sim('--seeds', '1', '--first-seed', String(first), '--bug', 'commit-before-insert');
  expect(again.code).toBe(1);
  expect(again.lines.slice(0, -1)).toEqual(lines.slice(0, -1));
});
