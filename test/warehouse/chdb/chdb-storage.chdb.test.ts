import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {describe} from 'vitest';
import {openChdbConnections} from '../../../src/warehouse/chdb/chdb-connections.ts';
import {describeWarehouseStorageContract} from '../../contract/warehouse-storage.contract.ts';
import {chdbSkipReason} from '../../helpers/chdb-engine.ts';
import {storageOf} from '../../helpers/clickhouse-storage.ts';

const skipReason = await chdbSkipReason();

describe.skipIf(skipReason !== null)(`embedded engine${skipReason === null ? '' : ` (skipped: ${skipReason})`}`, () => {
  describeWarehouseStorageContract(async () => {
    const directory = await mkdtemp(join(tmpdir(), 'assay-storage-'));
    const connections = await openChdbConnections({directory: join(directory, 'warehouse')});
    return {
      storage: storageOf(connections),
      remove: async () => {
        await connections.close();
        await rm(directory, {recursive: true, force: true});
      },
    };
  });
});
