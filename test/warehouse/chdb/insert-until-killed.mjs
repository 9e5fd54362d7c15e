// Inserts block after block into DIR as the embedded warehouse does, and tells its parent after each.
import {mkdirSync, writeFileSync} from 'node:fs';
import chdb from 'chdb';

const [, , directory] = process.argv;
mkdirSync(directory, {recursive: true});
const session = new chdb.Session(directory);
const run = sql => session.queryAsync(sql, {format: 'Null'});
await run('CREATE TABLE IF NOT EXISTS kept (n UInt32) ENGINE = MergeTree ORDER BY n SETTINGS fsync_after_insert = 1, fsync_part_directory = 1');
for (let n = 1; ; n++) {
  const rows = new Uint32Array(1_000).fill(n);
  writeFileSync(`${directory}.rows`, new Uint8Array(rows.buffer));
  await run(`INSERT INTO kept (n) SELECT * FROM file('${directory}.rows', 'RowBinary') SETTINGS use_structure_from_insertion_table_in_table_functions = 1`);
  process.send(n);
}
