/** One short run of scripts/guard-run.mjs; how fast it was is for the script to say, here it counts that it happened. */
import {spawn} from 'node:child_process';
import {join} from 'node:path';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {cliSkipReason, ROOT} from '../helpers/cli.ts';
import {type OwnKafka, startOwnKafka} from '../helpers/kafka.ts';

let kafka: OwnKafka | undefined;
let skipped: string | null = null;
beforeAll(async () => {
  skipped = await cliSkipReason();
  if (skipped !== null) return;
  const started = await startOwnKafka();
  if ('skipped' in started) skipped = started.skipped;
  else kafka = started;
}, 180_000);
afterAll(async () => kafka?.stop(), 60_000);

describe('a guard on real Kafka', () => {
  test('v2 fails at 40 %: it is cut off in every SDK, tried again, and comes back; nothing happens before', async context => {
    if (kafka === undefined) return context.skip(skipped ?? '');
    const script = spawn(process.execPath, [join(ROOT, 'scripts/guard-run.mjs'), '--runs', '1', '--rate', '1000', '--json', '--brokers', kafka.brokers.join(',')], {stdio: ['ignore', 'pipe', 'pipe']});
    const out: string[] = [];
    const told: string[] = [];
    script.stdout.on('data', chunk => out.push(String(chunk)));
    script.stderr.on('data', chunk => told.push(String(chunk)));
    await new Promise(done => script.once('exit', done));
    const [line = '{}', summary = '{}'] = out.join('').split('\n');
    expect(JSON.parse(line), told.join('')).toMatchObject({
      false_alarms: 0,
      actions: ['open', 'half_open', 'close'],
      evidence: {guard: 'breaker:0', action: 'open', variant: 'v2', metric: 'error_rate', threshold: 0.3, weight: 30},
    });
    expect(JSON.parse(summary)).toMatchObject({runs: 1, failed: 0, recovered: 1, events_dropped: 0});
  }, 240_000);
});
