import {quoteString, quoteTable, replaceParams} from '../../warehouse/clickhouse/sql-text.ts';
import {tokenizeSql} from '../../warehouse/clickhouse/sql-tokens.ts';
import {SqlEngineError} from '../../warehouse/sql-executor.ts';

const ESCAPES: Readonly<Record<string, string>> = {b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', '0': '\0', a: '\x07', v: '\v'};

/**
 * Fills `{name:Type}` in with the texts of `param_name`, as a server does: a scalar
 * is in TSV's escaped form (`\N` is NULL), an array, map or tuple is a literal as text.
 */
export function bindTextParams(sql: string, params: Readonly<Record<string, string>>): string {
  // Without any, the braces may belong to a parameterised view's definition.
  if (Object.keys(params).length === 0) return sql;
  return replaceParams(sql, (name, type) => {
    const text = params[name];
    if (text === undefined) throw new SqlEngineError(456, `Substitution \`${name}\` is not set`);
    if (type === 'Identifier') return quoteTable(text);
    if (text === '\\N') return `_CAST(NULL, ${quoteString(type)})`;
    if (/^(Array|Map|Tuple)\(/.test(type)) return `_CAST(${compositeLiteral(name, text)}, ${quoteString(type)})`;
    const value = text.replaceAll(/\\(.)/gs, (_, char: string) => ESCAPES[char] ?? char);
    return `_CAST(${quoteString(value)}, ${quoteString(type)})`;
  });
}

const CONSTANTS: ReadonlySet<string> = new Set(['NULL', 'TRUE', 'FALSE', 'NAN', 'INF']);
const SPELLINGS: Readonly<Record<string, string>> = {'{': 'map(', '}': ')', ':': ',', '(': 'tuple(', ')': ')', '[': '[', ']': ']', ',': ',', '-': '-', '+': ''};

/** `{'a':[1,(2,NULL)]}` as an expression. Only literals get through, so the text can't become anything else. */
function compositeLiteral(name: string, text: string): string {
  return tokenizeSql(text)
    .map(token => {
      const spelling = token.kind === 'punctuation' ? SPELLINGS[token.text] : token.text;
      const isLiteral = token.kind === 'string' || token.kind === 'number' || CONSTANTS.has(token.upper);
      if (spelling === undefined || (token.kind !== 'punctuation' && !isLiteral)) {
        throw new SqlEngineError(457, `Value of the parameter ${name} is not a literal`);
      }
      return spelling;
    })
    .join('');
}
