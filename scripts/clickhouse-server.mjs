// Tries cluster mode by hand without a ClickHouse server; after `npm run build`:
//   node scripts/clickhouse-server.mjs --data /tmp/warehouse --port 8123
import {runClickHouseServer} from '../dist/roles/clickhouse-server.js';

await runClickHouseServer(process.argv.slice(2));
