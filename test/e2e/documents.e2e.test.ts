/** Every shell line of README.md, docs/GUIDE.md, docs/ALERTS.md and docs/OPERATIONS.md runs as written, or stands in a list with the reason why it cannot here. */
import {readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {describe, expect, test} from 'vitest';
import {answerOf, cliSkipReason, type Finished, ROOT, runAssay, type Running, startAssay, startProcess, temporaryDirectory} from '../helpers/cli.ts';

const missing = await cliSkipReason();

/** Run elsewhere: by the continuous integration itself, by the demo's and the cluster's own tests. */
const ELSEWHERE: readonly RegExp[] = [/^npm ci && npm (run demo|test)\b/, /^docker compose /, /^npm run -s assay -- worker --log kafka/];
const CLI = /^npm run -s assay -- (.*)$/;

function shellLines(document: string): string[] {
  const text = readFileSync(join(ROOT, document), 'utf8');
  return [...text.matchAll(/^```sh\n(.*?)^```/gms)].flatMap(([, block = '']) =>
    block
      .replaceAll(/\\\n/g, ' ')
      // A quoted argument may hold line breaks.
      .split(/\n(?=(?:[^']*'[^']*')*[^']*$)/)
      .map(line => line.replace(/\s+# .*$/, '').trim())
      .filter(line => line !== '' && !line.startsWith('#')),
  );
}

/** Words of a line as a shell would split them; no expansion. */
const wordsOf = (line: string): string[] => [...line.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(([, double, single, plain]) => double ?? single ?? plain ?? '');

describe.skipIf(missing !== null)(`documented commands${missing === null ? '' : ` (skipped: ${missing})`}`, () => {
  const directory = temporaryDirectory('documents');
  writeFileSync(join(directory, 'scores.csv'), 'at,user,arm,points\n2026-01-05T09:00:00Z,u1,a,1\n2026-01-05T09:00:01Z,u2,b,2\n2026-01-05T09:00:02Z,u3,a,3\n2026-01-05T09:00:03Z,u4,b,5\n');
  writeFileSync(join(directory, 'map.yaml'), 'event_time: {column: at}\nunit_id: {column: user}\nexperiment: my-experiment\nvariant: {column: arm}\nmeasures: {points: {column: points}}\n');
  const lines = ['README.md', 'docs/GUIDE.md', 'docs/ALERTS.md'].flatMap(shellLines);
  const operations = shellLines('docs/OPERATIONS.md');

  test('the documents hold commands', () => {
    expect(lines.filter(line => CLI.test(line)).length).toBeGreaterThan(5);
  });

  test('each runs in the written order, as one session on one data directory', async () => {
    let up: Running | undefined;
    let url = '';
    const run = async (line: string): Promise<Finished | undefined> => {
      const [, rest] = CLI.exec(line) ?? [];
      if (rest === undefined) return startProcess('sh', ['-c', line.replaceAll('http://127.0.0.1:7333', url)], {cwd: directory}).finished;
      let args = wordsOf(rest);
      if (args[0] === 'up') {
        up = startAssay([...args, '--port', '0'], {cwd: directory});
        [, url = ''] = await up.waitFor(/serving on (\S+)/);
        return undefined;
      }
      if (args[0] === 'replay') {
        const [row] = await answerOf<{verdict_id: string}[]>(['query', 'SELECT verdict_id FROM v_verdicts_all LIMIT 1', '--data', './data'], {cwd: directory});
        args = args.map(arg => (arg.startsWith('vd_') ? (row?.verdict_id ?? '') : arg));
      }
      return runAssay(args, {cwd: directory});
    };
    const each = async (line: string): Promise<void> => {
      if (ELSEWHERE.some(pattern => pattern.test(line))) return;
      const finished = await run(line);
      if (finished !== undefined) expect([line, finished.code], finished.stderr + finished.stdout).toEqual([line, 0]);
    };
    for (const line of lines) await each(line);
    expect(await up?.stop()).toMatchObject({code: 0});
    // A backup is made of a directory that nobody has open.
    expect(operations.length).toBeGreaterThan(4);
    for (const line of operations) await each(line);
    expect(readFileSync(join(directory, 'report.html'), 'utf8')).toContain('my-experiment');
  }, 400_000);
});
