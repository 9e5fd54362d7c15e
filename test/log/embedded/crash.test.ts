import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {mkdir, mkdtemp, readdir, readFile, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {dirname, join, resolve} from 'node:path';
import {createInterface} from 'node:readline';
import ts from 'typescript';
import {afterAll, beforeAll, expect, test} from 'vitest';
import {readAll} from '../../contract/event-log.contract.ts';
import {openSample} from './store-samples.ts';

const root = await mkdtemp(join(tmpdir(), 'assay-crash-'));
afterAll(() => rm(root, {recursive: true, force: true}));

/** Appends for ever from two loops and commits; prints what was acknowledged after it was. */
const CHILD = `
import {openEmbeddedEventLog} from './log/embedded/embedded-event-log.js';
const clock = {now: () => Date.now(), sleep: ms => new Promise(done => setTimeout(done, ms))};
const log = await openEmbeddedEventLog({directory: process.argv[2], clock, segmentBytesMax: 64 * 1024});
await log.createTopic({topic: 'events', partitions: 3, clock: 'log', retentionMs: null});
const consumer = await log.openConsumer({topic: 'events', group: 'g', batchRecordsMax: 100, bufferBytesMax: 1e6});
await consumer.next(1000);
const start = (await log.offsets('events')).reduce((sum, {end}) => sum + Number(end), 0);
async function loop(name) {
  for (let i = 0; ; i++) {
    const records = Array.from({length: 1 + (i % 20)}, (_, k) => ({
      key: name + '-' + start + '-' + i + '-' + k, value: Buffer.alloc(20 + (i % 300), i),
    }));
    const at = await log.append('events', records);
    process.stdout.write(at.map(({partition, offset}, k) => 'A ' + partition + ' ' + offset + ' ' + records[k].key + ' ;\\n').join(''));
    const [{end}] = await log.offsets('events');
    if (name !== 'a' || end === 0n) continue;
    await consumer.commit([{partition: 0, offset: end}]);
    process.stdout.write('C ' + end + ' ;\\n');
  }
}
await Promise.all([loop('a'), loop('b')]);
`;

/** The child runs plain JavaScript: Node 20 cannot run TypeScript itself. */
beforeAll(async () => {
  const src = resolve(import.meta.dirname, '../../../src');
  const wanted = (await readdir(src, {recursive: true})).filter(
    path => /^(core|log)\/.*\.ts$/.test(path) && !path.startsWith('log/kafka/'),
  );
  for (const path of wanted) {
    const {outputText} = ts.transpileModule(await readFile(join(src, path), 'utf8'), {
      compilerOptions: {
        target: ts.ScriptTarget.ES2022,
        module: ts.ModuleKind.ESNext,
        rewriteRelativeImportExtensions: true,
      },
    });
    const target = join(root, 'js', path.replace(/\.ts$/, '.js'));
    await mkdir(dirname(target), {recursive: true});
    await writeFile(target, outputText);
  }
  await writeFile(join(root, 'js/package.json'), '{"type": "module"}');
  await writeFile(join(root, 'js/child.js'), CHILD);
});

test('after kill -9 at any moment every acknowledged record and commit is there', async () => {
  const directory = join(root, 'store');
  const acknowledged = new Map<string, string>();
  let committed = 0n;
  for (let round = 0; round < 6; round++) {
    committed = await runAndKill(directory, {acknowledged, committed, killAfterMs: 250 + round * 67});
    const log = await openSample(directory);
    const found = new Map<string, string>();
    for (let partition = 0; partition < 3; partition++) {
      const records = await readAll(log, 'events', partition);
      records.forEach((record, i) => {
        expect(record.offset).toBe(BigInt(i));
        found.set(`${partition} ${record.offset}`, record.key ?? '');
      });
    }
    for (const [place, key] of acknowledged)
      if (found.get(place) !== key) expect.fail(`${place} ${key} is lost`);
    const [stored] = await log.committed('events', 'g');
    expect(stored ?? 0n).toBeGreaterThanOrEqual(committed);
    await log.close();
  }
  expect(acknowledged.size).toBeGreaterThan(1_000);
}, 60_000);

type Run = {
  readonly acknowledged: Map<string, string>;
  readonly committed: bigint;
  readonly killAfterMs: number;
};

async function runAndKill(directory: string, {acknowledged, committed, killAfterMs}: Run): Promise<bigint> {
  const child = spawn(process.execPath, [join(root, 'js/child.js'), directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  let newest = committed;
  let lines = 0;
  const timer = {set: false};
  for await (const line of createInterface({input: child.stdout})) {
    const [kind, a = '', b = '', key = ''] = line.split(' ');
    lines++;
    if (!timer.set) {
      timer.set = true;
      setTimeout(() => child.kill('SIGKILL'), killAfterMs);
    }
    // The last line may be cut in the middle.
    if (!line.endsWith(' ;')) continue;
    if (kind === 'A') acknowledged.set(`${a} ${b}`, key);
    if (kind === 'C' && BigInt(a) > newest) newest = BigInt(a);
  }
  expect(lines).toBeGreaterThan(0);
  expect(await ended).toEqual([null, 'SIGKILL']);
  return newest;
}
