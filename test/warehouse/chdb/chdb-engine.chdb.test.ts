import {fork} from 'node:child_process';
import {once} from 'node:events';
import {closeSync, mkdtempSync, openSync, readdirSync, rmSync, truncateSync, writeFileSync, writeSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {afterEach, beforeEach, describe, expect, test} from 'vitest';
import {openChdbEngine} from '../../../src/warehouse/chdb/chdb-engine.ts';
import {chdbSkipReason} from '../../helpers/chdb-engine.ts';

const skipReason = await chdbSkipReason();
const CHILD = fileURLToPath(new URL('./insert-until-killed.mjs', import.meta.url));

describe.skipIf(skipReason !== null)(`the embedded engine's directory${skipReason === null ? '' : ` (skipped: ${skipReason})`}`, () => {
  let root: string;
  let directory: string;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'assay-engine-'));
    directory = join(root, 'warehouse');
  });
  afterEach(() => rmSync(root, {recursive: true, force: true}));

  test('rows that were acknowledged are there after kill -9', async () => {
    const acknowledged = await insertUntilKilled(directory, 25);
    expect(acknowledged).toBeGreaterThan(0);
    const engine = await openChdbEngine({directory});
    try {
      const connection = await engine.openConnection();
      const rows = await connection.select<{n: string; whole: number}>('SELECT uniqExact(n) AS n, min(size) = 1000 AS whole FROM (SELECT n, count() AS size FROM kept GROUP BY n)');
      expect(Number(rows[0]?.n)).toBeGreaterThanOrEqual(acknowledged);
      expect(rows[0]?.whole).toBe(1);
    } finally {
      await engine.close();
    }
  });

  test('another process that has it open is named', async () => {
    const child = fork(CHILD, [directory], {stdio: ['ignore', 'ignore', 'ignore', 'ipc']});
    await once(child, 'message');
    await expect(openChdbEngine({directory})).rejects.toMatchObject({code: 'ASSAY_DATA_DIR_OWNED', message: expect.stringContaining(String(child.pid))});
    child.kill('SIGKILL');
    await once(child, 'exit');
    await (await openChdbEngine({directory})).close();
  });

  test('a second engine in the same process is refused', async () => {
    const engine = await openChdbEngine({directory});
    await expect(openChdbEngine({directory: join(root, 'other')})).rejects.toMatchObject({code: 'ASSAY_DATA_DIR_OWNED'});
    await engine.close();
  });

  test('a file in its place is told as such', async () => {
    writeFileSync(directory, 'x');
    await expect(openChdbEngine({directory})).rejects.toMatchObject({code: 'ASSAY_DATA_DIR_INVALID', message: expect.stringContaining(directory)});
  });

  test('a part cut short is found when the store is opened, and named', async () => {
    await makeStore(directory);
    truncateSync(partFile(directory, 'data.bin'), 100);
    for (const _attempt of ['first', 'again']) {
      await expect(openChdbEngine({directory})).rejects.toMatchObject({code: 'ASSAY_WAREHOUSE_CORRUPT', message: expect.stringMatching(/part \S*all_\d+_\d+_\d+\S* of table t .*broken/)});
    }
  });

  test('bytes changed inside a part are found when they are read, and the file is named', async () => {
    await makeStore(directory);
    const file = partFile(directory, 'data.bin');
    const fd = openSync(file, 'r+');
    writeSync(fd, Buffer.alloc(200, 0xab), 0, 200, 3_000);
    closeSync(fd);
    const engine = await openChdbEngine({directory});
    const connection = await engine.openConnection();
    await expect(connection.select('SELECT sum(cityHash64(*)) AS x FROM t')).rejects.toMatchObject({code: 'ASSAY_WAREHOUSE_CORRUPT', message: expect.stringContaining('data.bin')});
    await engine.close();
  });

  test('a damaged definition of a table is named', async () => {
    await makeStore(directory);
    const store = join(directory, 'store');
    const definition = readdirSync(store, {recursive: true, encoding: 'utf8'}).find(name => name.endsWith('/t.sql'));
    writeFileSync(join(store, String(definition)), 'garbage');
    await expect(openChdbEngine({directory})).rejects.toMatchObject({code: 'ASSAY_WAREHOUSE_CORRUPT', message: expect.stringContaining('t.sql')});
  });
});

async function makeStore(directory: string): Promise<void> {
  const engine = await openChdbEngine({directory});
  const connection = await engine.openConnection();
  await connection.command('CREATE TABLE t (a UInt64, s String) ENGINE = MergeTree ORDER BY a');
  await connection.command('INSERT INTO t SELECT number, toString(rand64()) FROM numbers(50000)');
  await engine.close();
}

function partFile(directory: string, name: string): string {
  const store = join(directory, 'store');
  const found = readdirSync(store, {recursive: true, encoding: 'utf8'}).find(path => path.endsWith(`/${name}`));
  return join(store, String(found));
}

/** @returns how many inserts the child had been told were durable */
async function insertUntilKilled(directory: string, inserts: number): Promise<number> {
  const child = fork(CHILD, [directory], {stdio: ['ignore', 'ignore', 'inherit', 'ipc']});
  let acknowledged = 0;
  child.on('message', (count: number) => {
    acknowledged = count;
    if (count >= inserts) child.kill('SIGKILL');
  });
  await once(child, 'exit');
  return acknowledged;
}
