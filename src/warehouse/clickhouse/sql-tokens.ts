/**
 * Cuts ClickHouse SQL into tokens as the engine's own lexer does, so that what
 * is inside a literal is never taken for syntax or the other way round.
 * A lexer that disagrees with the engine is a hole, therefore whatever is
 * unusual (a NUL, a non-ASCII character outside literals) is an error here.
 */
export type SqlToken = {
  readonly kind: 'word' | 'quoted' | 'string' | 'number' | 'punctuation';
  /** As written, quotes included. */
  readonly text: string;
  /** Upper case of a word, otherwise the text. */
  readonly upper: string;
  readonly start: number;
  readonly end: number;
};

export class SqlSyntaxError extends Error {
  override readonly name = 'SqlSyntaxError';
}

const SPACE = /[ \t\r\n\f\v]+/y;
const LINE_COMMENT = /(?:--|\/\/|#[ !])[^\n]*/y;
const WORD = /[A-Za-z_][A-Za-z0-9_$]*/y;
const NUMBER = /(?:0[xX][0-9A-Fa-f_]+|0[bB][01_]+|[0-9][0-9_]*(?:\.[0-9_]*)?(?:[eE][+-]?[0-9_]+)?)/y;
const NUMBER_TAIL = /[A-Za-z0-9_$]/y;
const HEREDOC = /\$[A-Za-z0-9_]*\$/y;
const PUNCTUATION = /(?:->|\|\||::|<=>|<=|>=|<>|!=|==|@@|[()[\]{},;.:*+\-/%?<>=@^|&!~])/y;

/** Tokens without spaces and comments. @throws SqlSyntaxError */
export function tokenizeSql(sql: string): SqlToken[] {
  const tokens: SqlToken[] = [];
  let at = 0;
  while (at < sql.length) {
    const skipped = matchAt(SPACE, sql, at) ?? matchAt(LINE_COMMENT, sql, at);
    if (skipped !== null) {
      at += skipped.length;
    } else if (sql.startsWith('/*', at)) {
      at = endOfBlockComment(sql, at);
    } else {
      const {kind, end} = tokenAt(sql, at);
      const text = sql.slice(at, end);
      tokens.push({kind, text, upper: kind === 'word' ? text.toUpperCase() : text, start: at, end});
      at = end;
    }
  }
  return tokens;
}

function tokenAt(sql: string, at: number): {kind: SqlToken['kind']; end: number} {
  const first = sql.charAt(at);
  if (first === "'") return {kind: 'string', end: endOfQuoted(sql, at, first)};
  if (first === '"' || first === '`') return {kind: 'quoted', end: endOfQuoted(sql, at, first)};
  const heredoc = matchAt(HEREDOC, sql, at);
  if (heredoc !== null) {
    const close = sql.indexOf(heredoc, at + heredoc.length);
    if (close < 0) throw new SqlSyntaxError(`the heredoc ${heredoc} at ${at} does not end`);
    return {kind: 'string', end: close + heredoc.length};
  }
  const word = matchAt(WORD, sql, at);
  if (word !== null) return {kind: 'word', end: at + word.length};
  const number = matchAt(NUMBER, sql, at);
  if (number !== null) {
    const end = at + number.length;
    if (matchAt(NUMBER_TAIL, sql, end) !== null) throw new SqlSyntaxError(`malformed number at ${at}`);
    return {kind: 'number', end};
  }
  const punctuation = matchAt(PUNCTUATION, sql, at);
  if (punctuation !== null) return {kind: 'punctuation', end: at + punctuation.length};
  throw new SqlSyntaxError(`unexpected character ${JSON.stringify(first)} at ${at}`);
}

function matchAt(pattern: RegExp, sql: string, at: number): string | null {
  pattern.lastIndex = at;
  return pattern.exec(sql)?.[0] ?? null;
}

/** A backslash escapes any character; a doubled quote stands for one. */
function endOfQuoted(sql: string, start: number, quote: string): number {
  let at = start + 1;
  while (at < sql.length) {
    const char = sql.charAt(at);
    if (char === '\\') at += 2;
    else if (char !== quote) at += 1;
    else if (sql.charAt(at + 1) === quote) at += 2;
    else return at + 1;
  }
  throw new SqlSyntaxError(`the ${quote} at ${start} is not closed`);
}

/** Comments nest, as in the engine. */
function endOfBlockComment(sql: string, start: number): number {
  let depth = 0;
  let at = start;
  while (at < sql.length) {
    if (sql.startsWith('/*', at)) {
      depth += 1;
      at += 2;
    } else if (sql.startsWith('*/', at)) {
      depth -= 1;
      at += 2;
      if (depth === 0) return at;
    } else {
      at += 1;
    }
  }
  throw new SqlSyntaxError(`the comment at ${start} is not closed`);
}

/** Statements between semicolons, without comments around them; empty ones left out. */
export function splitStatements(sql: string): string[] {
  const statements: string[] = [];
  let first: SqlToken | null = null;
  let last: SqlToken | null = null;
  for (const token of tokenizeSql(sql)) {
    if (token.text === ';' && token.kind === 'punctuation') {
      if (first !== null && last !== null) statements.push(sql.slice(first.start, last.end));
      first = null;
    } else {
      first ??= token;
      last = token;
    }
  }
  if (first !== null && last !== null) statements.push(sql.slice(first.start, last.end));
  return statements;
}
