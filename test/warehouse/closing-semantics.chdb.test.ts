import {describe} from 'vitest';
import {warehouseSemantics} from '../contract/warehouse-semantics.contract.ts';
import {chdbSkipReason} from '../helpers/chdb-engine.ts';
import {openChdbWarehouse} from './closing-warehouse.ts';

const skipReason = await chdbSkipReason();

describe.skipIf(skipReason !== null)(`embedded engine${skipReason === null ? '' : ` (skipped: ${skipReason})`}`, () => {
  warehouseSemantics('ClickHouse in the process', openChdbWarehouse);
});
