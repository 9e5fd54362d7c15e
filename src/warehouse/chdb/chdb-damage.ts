import {kill} from 'node:process';
import {readdir, readFile} from 'node:fs/promises';
import {join} from 'node:path';
import {AssayError, messageOf} from '../../core/errors.ts';
import type {ChdbEngine} from './chdb-engine.ts';

/**
 * The engine moves a part it cannot read aside when it starts and goes on
 * without its rows: facts would be missing without a word. So a part that was
 * moved aside, and whose rows no other part holds, stops us.
 */
export async function assertNothingLost(engine: ChdbEngine): Promise<void> {
  const connection = await engine.openConnection();
  try {
    const lost = await connection.select<{table: string; name: string; reason: string; path: string}>(LOST_PARTS);
    const first = lost[0];
    if (first === undefined) return;
    throw new AssayError(
      'ASSAY_WAREHOUSE_CORRUPT',
      `the warehouse in ${engine.directory} is damaged: part ${first.name} of table ${first.table} could not be read (${first.reason})` +
        `${lost.length > 1 ? ` and ${lost.length - 1} more` : ''} and lies in ${first.path}. ` +
        'Restore the directory from a copy, or remove that folder to go on without those rows',
    );
  } finally {
    await connection.close();
  }
}

/** Broken parts whose range of blocks the active parts do not cover. */
const LOST_PARTS = `
  SELECT d.table AS table, d.name AS name, d.reason AS reason, d.path AS path
  FROM system.detached_parts AS d
  LEFT JOIN (
    SELECT database, table, partition_id, groupArray((min_block_number, max_block_number)) AS ranges
    FROM system.parts WHERE active GROUP BY database, table, partition_id
  ) AS p ON p.database = d.database AND p.table = d.table AND p.partition_id = d.partition_id
  WHERE d.reason LIKE '%broken%'
    AND arraySum(r -> r.2 - r.1 + 1,
          arrayFilter(r -> r.1 >= d.min_block_number AND r.2 <= d.max_block_number, p.ranges))
        < d.max_block_number - d.min_block_number + 1
    AND NOT arrayExists(r -> r.1 <= d.min_block_number AND r.2 >= d.max_block_number, p.ranges)
  ORDER BY d.table, d.name`;

/** The engine says only that it failed; the reason is on its stderr. So look for it. */
export async function openFailure(directory: string, error: unknown): Promise<AssayError> {
  const text = messageOf(error);
  if (text.includes('one active data directory')) {
    return new AssayError('ASSAY_DATA_DIR_OWNED', `this process already has another warehouse open: ${text}`, {cause: error});
  }
  const owner = await ownerOf(directory);
  if (owner !== null) {
    return new AssayError('ASSAY_DATA_DIR_OWNED', `process ${owner} has the warehouse in ${directory} open; stop it or wait for it`, {cause: error});
  }
  const damaged = await damagedDefinition(directory);
  return new AssayError(
    'ASSAY_WAREHOUSE_CORRUPT',
    `the engine cannot open the warehouse in ${directory}: ${damaged === null ? `${text} (its reason is on stderr)` : `${damaged} is not a table's definition`}. ` +
      'Restore the directory from a copy, or import again into a new one',
    {cause: error},
  );
}

/** The engine keeps its process id in `status` while it runs, and leaves it behind when killed. */
async function ownerOf(directory: string): Promise<number | null> {
  const status = await readFile(join(directory, 'status'), 'utf8').catch(() => '');
  const pid = Number(/^PID: (\d+)/m.exec(status)?.[1] ?? 0);
  if (pid === 0 || pid === process.pid) return null;
  try {
    kill(pid, 0);
    return pid;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM' ? pid : null;
  }
}

async function damagedDefinition(directory: string): Promise<string | null> {
  for (const folder of ['metadata', 'store']) {
    const names = await readdir(join(directory, folder), {recursive: true}).catch(() => []);
    for (const name of names) {
      if (!name.endsWith('.sql')) continue;
      const path = join(directory, folder, name);
      const text = await readFile(path, 'utf8').catch(() => null);
      if (text !== null && !/^\s*(ATTACH|CREATE)\b/.test(text)) return path;
    }
  }
  return null;
}
