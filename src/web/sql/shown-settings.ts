import {tokenizeSql, type SqlToken} from '../../warehouse/clickhouse/sql-tokens.ts';

/** Words that may stand where a table's alias would. */
const CLAUSES: ReadonlySet<string> = new Set([
  'WHERE', 'PREWHERE', 'GROUP', 'ORDER', 'LIMIT', 'OFFSET', 'HAVING', 'QUALIFY', 'WINDOW', 'UNION', 'EXCEPT', 'INTERSECT', 'SETTINGS', 'FORMAT', 'FINAL', 'SAMPLE',
  'JOIN', 'INNER', 'LEFT', 'RIGHT', 'FULL', 'CROSS', 'ANY', 'ALL', 'ASOF', 'SEMI', 'ANTI', 'GLOBAL', 'ARRAY', 'PASTE', 'ON', 'USING', 'FETCH',
]);

/**
 * `system.settings` as a client should see it. On a read-only connection the engine marks every
 * setting as fixed, and clients that look first then refuse to send those that this endpoint takes.
 */
export function withShownSettings(sql: string, isTaken: {readonly names: readonly string[]; readonly pattern: string; readonly except: string}): string {
  const tokens = tokenizeSql(sql);
  const places = tokens.flatMap((token, index) => (isSettingsTable(tokens, index) ? [{start: token.start, end: tokens[index + 2]?.end ?? token.end, next: tokens[index + 3]}] : []));
  const quoted = isTaken.names.map(name => `'${name}'`).join(', ');
  const shown = `(SELECT * REPLACE (toUInt8(NOT (name IN (${quoted}) OR (match(name, '${isTaken.pattern}') AND NOT match(name, '${isTaken.except}')))) AS readonly) FROM system.settings)`;
  return places.reduceRight((text, {start, end, next}) => `${text.slice(0, start)}${shown}${hasAlias(next) ? '' : ' AS settings'}${text.slice(end)}`, sql);
}

/** `system.settings` after FROM, JOIN or a comma: a table, not a column or part of a longer name. */
function isSettingsTable(tokens: readonly SqlToken[], index: number): boolean {
  const [before, database, dot, table, after] = [tokens[index - 1], tokens[index], tokens[index + 1], tokens[index + 2], tokens[index + 3]];
  const isTable = before?.upper === 'FROM' || before?.upper === 'JOIN' || before?.text === ',';
  return isTable && database?.text === 'system' && dot?.text === '.' && table?.text === 'settings' && after?.text !== '.';
}

const hasAlias = (next: SqlToken | undefined): boolean => next !== undefined && (next.upper === 'AS' || next.kind === 'quoted' || (next.kind === 'word' && !CLAUSES.has(next.upper)));
