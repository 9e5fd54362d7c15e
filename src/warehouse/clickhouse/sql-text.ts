import {assert} from '../../core/assert.ts';
import type {SqlParams, SqlSettings, SqlValue} from './connection.ts';
import {type SqlToken, tokenizeSql} from './sql-tokens.ts';

/** Text that becomes part of SQL: literals, identifiers, parameters, the clauses at the end. */

const STRING_ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  "'": "\\'",
  '\0': '\\0',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
};

export const quoteString = (text: string): string =>
  `'${text.replaceAll(/[\\'\0\b\f\n\r\t]/g, char => STRING_ESCAPES[char] ?? char)}'`;

export const quoteName = (name: string): string =>
  `\`${name.replaceAll('\\', '\\\\').replaceAll('`', '\\`')}\``;

/** `db.table` with each part quoted. */
export const quoteTable = (table: string): string => table.split('.').map(quoteName).join('.');

/** A SQL literal. Its type is settled by the cast around it. Collections are written so that the parser makes one node of each, however long. */
export function literal(value: SqlValue): string {
  if (value === null) return 'NULL';
  if (typeof value === 'string') return quoteString(value);
  if (typeof value === 'boolean') return value ? 'true' : 'false';
  // As a string, so that no digit of a wide integer passes through a double.
  if (typeof value === 'bigint') return `'${value}'`;
  if (typeof value === 'number') return Number.isSafeInteger(value) ? String(value) : `'${numberText(value)}'`;
  if (value instanceof Map) return value.size === 0 ? 'map()' : `mapFromArrays(${literal([...value.keys()])},${literal([...value.values()])})`;
  if ('tuple' in value) return value.tuple.length < 2 ? `tuple(${value.tuple.map(literal).join(',')})` : `(${value.tuple.map(literal).join(',')})`;
  assert(Array.isArray(value), 'a parameter is a scalar, an array, a tuple or a map');
  return `[${value.map(literal).join(',')}]`;
}

function numberText(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  return String(value);
}

/**
 * Replaces `{name:Type}` outside literals and comments by what the engine itself
 * would put there: `_CAST(value, 'Type')`. Not left to chDB's binding, which
 * runs all parameterised queries of a process one after the other, because its
 * parameters are not kept apart between connections.
 */
export function bindParams(sql: string, params?: SqlParams): string {
  // A parameterised view keeps its own.
  if (params === undefined) return sql;
  return replaceParams(sql, (name, type) => {
    const value = params[name];
    assert(value !== undefined, `the query wants a parameter ${name}`);
    if (type === 'Identifier') {
      assert(typeof value === 'string', `parameter ${name} is an identifier`);
      return quoteTable(value);
    }
    return `_CAST(${literal(value)}, ${quoteString(type)})`;
  });
}

/** Calls `replacement` for each `{name:Type}`; the rest of the text stays as it is. */
export function replaceParams(sql: string, replacement: (name: string, type: string) => string): string {
  if (!sql.includes('{')) return sql;
  const tokens = tokenizeSql(sql);
  let out = '';
  let copied = 0;
  for (const [index, open] of tokens.entries()) {
    const name = tokens[index + 1];
    if (open.text !== '{' || name?.kind !== 'word' || tokens[index + 2]?.text !== ':') continue;
    const close = closingBrace(tokens, index);
    const typeStart = tokens[index + 3];
    if (close === null || typeStart === undefined) continue;
    out += sql.slice(copied, open.start) + replacement(name.text, sql.slice(typeStart.start, close.start).trim());
    copied = close.end;
  }
  return out + sql.slice(copied);
}

function closingBrace(tokens: readonly SqlToken[], from: number): SqlToken | null {
  for (const token of tokens.slice(from + 1)) {
    if (token.text === '{') return null;
    if (token.text === '}') return token;
  }
  return null;
}

/** `name = value, …`, or '' without settings. */
export function settingsText(settings: SqlSettings): string {
  return Object.entries(settings)
    .map(([name, value]) => {
      assert(/^[A-Za-z_][A-Za-z0-9_]*$/.test(name), `${name} is a setting's name`);
      return `${name} = ${typeof value === 'boolean' ? Number(value) : typeof value === 'number' ? value : quoteString(value)}`;
    })
    .join(', ');
}

/** The statement with its output format and settings; both hold for this statement only. */
export function withOutput(sql: string, format: string, settings: SqlSettings = {}): string {
  const clause = settingsText(settings);
  return `${sql}\nFORMAT ${format}${clause === '' ? '' : `\nSETTINGS ${clause}`}`;
}

/** An INSERT … SELECT with settings. DDL takes none: there the clause means the table's own settings. */
export function withSettings(sql: string, settings: SqlSettings = {}): string {
  const clause = settingsText(settings);
  if (clause === '') return sql;
  const first = tokenizeSql(sql)[0]?.upper;
  assert(first === 'INSERT' || first === 'SELECT' || first === 'WITH', `settings of a ${first} statement`);
  return `${sql}\nSETTINGS ${clause}`;
}

/** The rows of an answer in JSONEachRow: one object a line, and no line break inside one. */
export function parseRows<Row>(text: string): Row[] {
  return text.length === 0 ? [] : (JSON.parse(`[${text.trimEnd().replaceAll('\n', ',')}]`) as Row[]);
}

const STRING_OR_LONG_INTEGER = /"(?:[^"\\]|\\.)*"|(?<![\d.])-?\d{16,}(?![\d.eE])/g;

/** {@link parseRows} of an answer with unquoted integers; one that a double cannot hold becomes text. */
export function parseRowsWithIntegers<Row>(text: string): Row[] {
  if (!/\d{16}/.test(text)) return parseRows(text);
  return parseRows(text.replace(STRING_OR_LONG_INTEGER, token => (token.startsWith('"') || Number.isSafeInteger(Number(token)) ? token : `"${token}"`)));
}
