/** Rows as an aligned text table with a header line; numbers to the right. */
export function formatTable(rows: readonly Readonly<Record<string, unknown>>[]): string {
  const first = rows[0];
  if (first === undefined) return '(no rows)\n';
  const columns = Object.keys(first);
  const cells = rows.map(row => columns.map(column => textOf(row[column])));
  const widths = columns.map((column, index) => Math.max(column.length, ...cells.map(line => line[index]?.length ?? 0)));
  const isRight = columns.map(column => rows.every(row => typeof row[column] === 'number' || row[column] === null));
  const lineOf = (line: readonly string[]): string =>
    line.map((text, index) => (isRight[index] === true ? text.padStart(widths[index] ?? 0) : text.padEnd(widths[index] ?? 0))).join('  ').trimEnd();
  return `${[lineOf(columns), lineOf(widths.map(width => '-'.repeat(width))), ...cells.map(lineOf)].join('\n')}\n`;
}

function textOf(value: unknown): string {
  if (value === null || value === undefined) return '-';
  if (typeof value === 'number') return Number.isInteger(value) ? String(value) : Number(value.toPrecision(8)).toString();
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
