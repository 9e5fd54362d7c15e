import {WAREHOUSE_LIMITS} from '../limits.ts';
import type {SqlConnection} from './connection.ts';
import type {RowEncoder} from './fact-rows.ts';
import {RowBinaryWriter} from './row-binary.ts';

/** Encodes and inserts rows in chunks; resolves once all are durable. */
export async function insertRows<Row>(
  connection: SqlConnection,
  encoder: RowEncoder<Row>,
  {rows, stream}: {readonly rows: Iterable<Row>; readonly stream: string},
): Promise<void> {
  const writer = new RowBinaryWriter();
  let count = 0;
  const insert = (): Promise<void> => connection.insertRowBinary(encoder.table, encoder.columns, writer.bytes(), count);
  for (const row of rows) {
    if (count === WAREHOUSE_LIMITS.insertRows) {
      await insert();
      writer.clear();
      count = 0;
    }
    encoder.write(writer, row, stream);
    count++;
  }
  if (count > 0) await insert();
}
