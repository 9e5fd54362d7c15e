import {describe} from 'vitest';
import {openServerConnections} from '../../../src/warehouse/server/server-connections.ts';
import {describeWarehouseStorageContract} from '../../contract/warehouse-storage.contract.ts';
import {chdbSkipReason} from '../../helpers/chdb-engine.ts';
import {openServerUnderTest} from '../../helpers/clickhouse-server.ts';
import {storageOf} from '../../helpers/clickhouse-storage.ts';

const skipReason = await chdbSkipReason();

describe.skipIf(skipReason !== null)(`over HTTP${skipReason === null ? '' : ` (skipped: ${skipReason})`}`, () => {
  describeWarehouseStorageContract(async () => {
    const server = await openServerUnderTest({user: 'assay', password: 'it\'s:secret'});
    const connections = openServerConnections({url: server.front.url, user: 'assay', password: 'it\'s:secret', isCompressed: true});
    return {
      storage: storageOf(connections, {holder: 'test'}),
      remove: async () => {
        await connections.close();
        await server.remove();
      },
    };
  });
});
