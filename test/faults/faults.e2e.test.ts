/** The short form of every fault on real processes, as `npm run faults` runs it: one run, a test for each row of its table. */
import {existsSync} from 'node:fs';
import {beforeAll, describe, expect, test} from 'vitest';
import {EMBEDDED_FAULTS} from '../../src/simulate/real/embedded-faults.ts';
import {brokersMissing, Proc} from '../../src/simulate/real/processes.ts';
import {FAULTS} from '../../src/simulate/real/run-faults.ts';
import {chdbSkipReason} from '../helpers/chdb-engine.ts';

/** A row of the table is four lines. */
const ROW_LINES = 4;
const RUN_LIMIT_MS = 1_500_000;

async function skipReason(): Promise<string | null> {
  const missing = (await brokersMissing()) ?? (await chdbSkipReason());
  if (missing !== null) return missing;
  return existsSync(new URL('../../dist/bundle/faults.js', import.meta.url)) ? null : 'dist/ is missing: npm run build';
}

const reason = await skipReason();
if (reason !== null && process.env['CI'] === 'true') throw new Error(`faults cannot be tried here: ${reason}`);

describe.skipIf(reason !== null)(`faults${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
  const seed = 1 + (process.pid % 1_000);
  const names = [...FAULTS, ...EMBEDDED_FAULTS].map(({name}) => name);
  let lines: readonly string[] = [];
  let code: number | null = null;

  beforeAll(async () => {
    const run = Proc.start('faults', 'dist/bundle/faults.js', ['--seed', String(seed)]);
    code = await run.exited;
    lines = run.lines;
    // The figures of the run, whatever comes of it.
    process.stdout.write(`${lines.join('\n')}\n`);
  }, RUN_LIMIT_MS);

  test.for(names)('%s: nothing is lost, nothing is counted twice, the planted bug is seen', (name, {skip}) => {
    const missing = lines.find(line => line.startsWith(`${name}: skipped, `));
    if (missing !== undefined && process.env['CI'] !== 'true') skip(missing);
    const at = lines.findIndex(line => line.startsWith(`${name.padEnd(11)} |`));
    expect(at, `seed ${seed}: no row for ${name} in\n${lines.slice(-20).join('\n')}`).toBeGreaterThanOrEqual(0);
    const row = lines.slice(at, at + ROW_LINES).join('\n');
    const errors = lines.filter(line => line.startsWith(`  ${name}: `)).join('\n');
    expect(row, errors).toMatch(/^\S+\s+\|\s+\d+ \| exact yes/);
    expect(row, errors).toContain('control caught:');
  });

  test('the run ends well and sums up', () => {
    expect(lines.at(-1)).toMatch(/^\d+ faults, \d+ times injected: \d+ exact, 0 not; (\d+) of \1 planted bugs and alterations caught/);
    expect(code, `seed ${seed}`).toBe(0);
  });
});
