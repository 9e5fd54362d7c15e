import {openMemoryWarehouse} from '../../../src/warehouse/memory/memory-warehouse.ts';
import {describeWarehouseStorageContract} from '../../contract/warehouse-storage.contract.ts';

describeWarehouseStorageContract(async () => {
  const storage = openMemoryWarehouse();
  return {storage, remove: () => storage.close()};
});
