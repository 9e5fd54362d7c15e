import {WAREHOUSE_LIMITS} from '../limits.ts';
import type {SqlConnection} from './connection.ts';
import type {RowEncoder} from './fact-rows.ts';
import {RowBinaryWriter} from './row-binary.ts';

/** Encodes and inserts rows in chunks; resolves once all are durable. */
export async function insertRows<Row>(
  connection: SqlConnection,
  encoder: RowEncoder<Row>,
  {rows, stream}: {readonly rows: readonly Row[]; readonly stream: string},
): Promise<void> {
  const writer = new RowBinaryWriter();
  for (let from = 0; from < rows.length; from += WAREHOUSE_LIMITS.insertRows) {
    const chunk = rows.slice(from, from + WAREHOUSE_LIMITS.insertRows);
    writer.clear();
    for (const row of chunk) encoder.write(writer, row, stream);
    await connection.insertRowBinary(encoder.table, encoder.columns, writer.bytes(), chunk.length);
  }
}
