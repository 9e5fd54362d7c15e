import {readdirSync, readFileSync} from 'node:fs';
import {createServer} from 'node:http';
import type {AddressInfo} from 'node:net';
import {expect, test} from 'vitest';
import {clusterStatements} from '../../../src/warehouse/clickhouse/cluster-ddl.ts';
import {openServerConnections} from '../../../src/warehouse/server/server-connections.ts';

const NAMES = {cluster: 'c', database: 'd'};

test.each([
  ['a table', 'CREATE TABLE IF NOT EXISTS slices (a UInt8) ENGINE = ReplacingMergeTree ORDER BY a', [
    "CREATE TABLE IF NOT EXISTS slices_local ON CLUSTER 'c' (a UInt8) ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/d/slices_local', '{replica}') ORDER BY a",
    "CREATE TABLE IF NOT EXISTS slices ON CLUSTER 'c' AS slices_local\nENGINE = Distributed('c', 'd', slices_local, cityHash64(experiment, slice_start))",
  ]],
  ['a table whose newest row counts', 'CREATE TABLE outcomes (a UInt8) ENGINE = ReplacingMergeTree(version) ORDER BY a', [
    "CREATE TABLE outcomes_local ON CLUSTER 'c' (a UInt8) ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/d/outcomes_local', '{replica}', version) ORDER BY a",
    "CREATE TABLE IF NOT EXISTS outcomes ON CLUSTER 'c' AS outcomes_local\nENGINE = Distributed('c', 'd', outcomes_local, cityHash64(unit_id))",
  ]],
  ['scratch', 'CREATE TABLE analysis_pairs (a UInt8) ENGINE = MergeTree ORDER BY a', [
    "CREATE TABLE analysis_pairs ON CLUSTER 'c' (a UInt8) ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/d/analysis_pairs', '{replica}') ORDER BY a",
  ]],
  ['a column, at both', '-- why\nALTER TABLE slices ADD COLUMN b UInt8', ["-- why\nALTER TABLE slices_local ON CLUSTER 'c' ADD COLUMN b UInt8", "-- why\nALTER TABLE slices ON CLUSTER 'c' ADD COLUMN b UInt8"]],
  ['a mutation, at the rows', 'ALTER TABLE outcomes DELETE WHERE unit_id = {unit:String}', ["ALTER TABLE outcomes_local ON CLUSTER 'c' DELETE WHERE unit_id = {unit:String}"]],
  ['a partition of scratch, here', "ALTER TABLE analysis_units DROP PARTITION 'w'", ["ALTER TABLE analysis_units DROP PARTITION 'w'"]],
  ['a table that goes', 'DROP TABLE IF EXISTS alerts', ["DROP TABLE IF EXISTS alerts ON CLUSTER 'c'", "DROP TABLE IF EXISTS alerts_local ON CLUSTER 'c'"]],
  ['a view', 'CREATE OR REPLACE VIEW v_x AS SELECT 1', ["CREATE OR REPLACE VIEW v_x ON CLUSTER 'c' AS SELECT 1"]],
  ['a query', 'INSERT INTO slices SELECT 1', ['INSERT INTO slices SELECT 1']],
])('%s', (_, sql, expected) => {
  expect(clusterStatements(sql, NAMES)).toEqual(expected);
});

test('mutations have no subquery, which replicated tables refuse', () => {
  const folder = new URL('../../../sql/queries/', import.meta.url);
  const mutations = readdirSync(folder).map(file => readFileSync(new URL(file, folder), 'utf8')).filter(text => /^ALTER TABLE/m.test(text));
  expect(mutations.length).toBeGreaterThan(2);
  for (const text of mutations) expect(text).not.toMatch(/\bSELECT\b/);
});

test('a table nobody has placed is not made', () => {
  expect(() => clusterStatements('CREATE TABLE newcomers (a UInt8) ENGINE = MergeTree ORDER BY a', NAMES)).toThrow(/how the table newcomers is sharded/);
});

test('with clickhouse.cluster a connection spells DDL for it and asks with its settings; without it sends what it is given', async () => {
  const seen: {sql: string; url: URL}[] = [];
  const server = createServer((request, response) => {
    let sql = '';
    request.on('data', chunk => (sql += String(chunk))).on('end', () => {
      seen.push({sql: sql.trim(), url: new URL(request.url ?? '/', 'http://localhost')});
      response.end();
    });
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  for (const cluster of ['c', '']) {
    const connections = openServerConnections({url, cluster, database: 'd'});
    await connections.writer.command('ALTER TABLE outcomes DELETE WHERE 1');
    const reader = await connections.openReader({max_execution_time: 1});
    await reader.selectText('SELECT 1');
    await reader.close();
    await connections.close();
  }
  await new Promise(resolve => server.close(resolve));
  expect(seen.map(({sql}) => sql.split('\n')[0])).toEqual(["ALTER TABLE outcomes_local ON CLUSTER 'c' DELETE WHERE 1", 'SELECT 1', 'ALTER TABLE outcomes DELETE WHERE 1', 'SELECT 1']);
  expect(seen.map(({url: {searchParams}}) => ['distributed_product_mode', 'distributed_foreground_insert', 'skip_unavailable_shards'].map(name => searchParams.get(name)))).toEqual([
    ['global', '1', '0'], ['global', '1', '0'], [null, null, null], [null, null, null],
  ]);
});
