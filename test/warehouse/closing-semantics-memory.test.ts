import {openMemoryWarehouse} from '../../src/warehouse/memory/memory-warehouse.ts';
import {warehouseSemantics} from '../contract/warehouse-semantics.contract.ts';

warehouseSemantics('memory', async () => {
  const warehouse = openMemoryWarehouse();
  return {warehouse, close: () => warehouse.close()};
});
