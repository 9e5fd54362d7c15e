import {readFileSync} from 'node:fs';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {chdbSkipReason} from '../helpers/chdb-engine.ts';
import {type ChdbWarehouse, openChdbWarehouse} from './closing-warehouse.ts';

const skipReason = await chdbSkipReason();

type Documented = {readonly name: string; readonly columns: readonly string[]};

/** `### name` and the rows of the table below it, as "column type". */
function documented(): Documented[] {
  const text = readFileSync(new URL('../../docs/SCHEMA.md', import.meta.url), 'utf8');
  return text.split('\n### ').slice(1).map(section => {
    const rows = [...section.matchAll(/^\| `(\w+)` \| `([^`]+)` \| (\S.*) \|$/gm)];
    return {name: section.slice(0, section.indexOf('\n')), columns: rows.map(([, column, type]) => `${column} ${type}`)};
  });
}

describe.skipIf(skipReason !== null)('docs/SCHEMA.md says what the engine says', () => {
  let harness: ChdbWarehouse;
  beforeAll(async () => {
    harness = await openChdbWarehouse();
  });
  afterAll(() => harness?.close());

  const described = async (name: string): Promise<string[]> => {
    const source = name.startsWith('v_windows') ? `${name}(size_s = 10, slide_s = 10)` : name;
    const rows = await harness.sql.select<{name: string; type: string}>(`DESCRIBE (SELECT * FROM ${source})`);
    return rows.map(row => `${row.name} ${row.type.replaceAll(/\s+/g, ' ')}`);
  };

  test.each(documented())('$name', async ({name, columns}) => {
    expect(columns).toEqual(await described(name));
    if (name.startsWith('v_')) expect(await described(`${name}_all`)).toEqual(columns);
  });

  test('no table and no v_* view is missing', async () => {
    const rows = await harness.sql.select<{name: string}>('SELECT name FROM system.tables WHERE database = currentDatabase()');
    const internal = new Set(['default_stream', 'histogram_edges', 'ledger_through', 'outcome_attributions', 'slices_latest', 'window_check', 'windows_between', 'schema_migrations', 'migration_locks', 'v_outcomes_at']);
    const names = rows.map(({name}) => name).filter(name => !internal.has(name) && !name.endsWith('_all') && !name.startsWith('analysis_'));
    expect(names.sort()).toEqual(documented().map(({name}) => name).sort());
  });
});
