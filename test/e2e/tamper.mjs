// Runs one statement against a data directory that nobody owns, as somebody with access to its files could.
import {join} from 'node:path';
import {openChdbEngine} from '../../dist/warehouse/chdb/chdb-engine.js';

const [directory = '', sql = ''] = process.argv.slice(2);
const engine = await openChdbEngine({directory: join(directory, 'warehouse')});
const session = await engine.openSession({});
await session.queryAsync(sql, {format: 'Null'});
session.close();
await engine.close();
