/** The short form of every fault on real processes, as `npm run faults` runs it. */
import {existsSync} from 'node:fs';
import {describe, expect, test} from 'vitest';
import {brokersMissing, Proc} from '../../src/simulate/real/processes.ts';
import {chdbSkipReason} from '../helpers/chdb-engine.ts';

const ROW = /^(\S+)\s+\|\s+(\d+) \| exact (yes|NO)/;

async function skipReason(): Promise<string | null> {
  const missing = (await brokersMissing()) ?? (await chdbSkipReason());
  if (missing !== null) return missing;
  return existsSync(new URL('../../dist/roles/faults.js', import.meta.url)) ? null : 'dist/ is missing: npm run build';
}

const reason = await skipReason();
if (reason !== null && process.env['CI'] === 'true') throw new Error(`faults cannot be tried here: ${reason}`);

describe.skipIf(reason !== null)(`faults${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
  test('nothing is lost, nothing is counted twice, every planted bug is seen', async () => {
    const seed = 1 + (process.pid % 1_000);
    const run = Proc.start('faults', 'dist/roles/faults.js', ['--seed', String(seed)]);
    const code = await run.exited;
    const output = run.lines.join('\n');
    const rows = run.lines.flatMap(line => ROW.exec(line) ?? []);
    expect(rows.length, output).toBeGreaterThan(0);
    expect(code, `seed ${seed}\n${output}`).toBe(0);
    expect(run.lines.at(-1)).toMatch(/^\d+ faults, \d+ times injected: \d+ exact, 0 not; (\d+) of \1 planted bugs and alterations caught/);
  }, 1_800_000);
});
