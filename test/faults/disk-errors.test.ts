/** What the engine says of a disk that is full or read-only is worth a retry, whatever its code; damage is not. */
import {expect, test} from 'vitest';
import {toWarehouseError} from '../../src/warehouse/clickhouse/engine-error.ts';

const errorOf = (code: number, message: string) => toWarehouseError(code, `Code: ${code}. DB::Exception: ${message}`, {where: '/data', cause: null});

test.each([
  [243, 'Cannot reserve 1.00 MiB, not enough space'],
  [75, 'Cannot write to file /data/store/a/tmp_insert_1/data.bin: , errno: 28, strerror: No space left on device'],
  [76, 'Cannot open file /data/store/a/tmp_insert_1/data.bin: , errno: 30, strerror: Read-only file system'],
  [1001, 'std::__1::__fs::filesystem::filesystem_error: in create_directory: Read-only file system ["/data/store/a/tmp_insert_1"]'],
])('code %i: waited out, and the text names a fix', (code, message) => {
  const error = errorOf(code, message);
  expect(error).toMatchObject({code: 'ASSAY_SINK_UNAVAILABLE', kind: 'retry'});
  expect(error.message).toMatch(/free (disk )?space/);
});

test('a part that cannot be opened for another reason is damage', () => {
  expect(errorOf(76, 'Cannot open file /data/store/a/all_1_1_0/data.bin: , errno: 2, strerror: No such file or directory')).toMatchObject({code: 'ASSAY_WAREHOUSE_CORRUPT', kind: 'fatal'});
});
