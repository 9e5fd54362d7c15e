import {AssayError} from '../../core/errors.ts';
import type {SqlSettings} from './connection.ts';
import {type GuardAccess, isFormatAllowed, isSettingAllowed} from './sql-guard-lists.ts';
import {refusedName} from './sql-guard-names.ts';
import {SqlSyntaxError, type SqlToken, tokenizeSql} from './sql-tokens.ts';

export type GuardedStatement = {
  /** One statement without comments, FORMAT, trailing SETTINGS and semicolon. */
  readonly sql: string;
  /** The user's FORMAT, or null. */
  readonly format: string | null;
  /** The user's settings, all of the allow-list. To be set before `readonly`. */
  readonly settings: SqlSettings;
};

export type GuardOptions = {
  /** `views`: the `v_*` views only (viewers). `tables`: every table of Assay (the owner's own command line). */
  readonly access: GuardAccess;
  /** Whether the statement may end in FORMAT. */
  readonly allowsFormat: boolean;
  /** The database Assay's tables are in. */
  readonly database?: string;
};

/**
 * Checks a user's statement before it runs. `readonly` alone is not enough: under it
 * chDB still writes files (INTO OUTFILE) and runs several statements.
 * What is returned is put together from the tokens, so nothing that this reader and
 * the engine's might read differently (a comment, a second statement) remains.
 *
 * @throws AssayError `ASSAY_QUERY_REFUSED` with what was refused and why
 */
export function guardStatement(sql: string, options: GuardOptions): GuardedStatement {
  const tokens = readTokens(sql);
  refuseIf(tokens.length === 0, 'the statement is empty');
  const semicolon = tokens.find(({text, kind}) => text === ';' && kind === 'punctuation');
  refuseIf(semicolon !== undefined, 'only one statement at a time');
  refuseIf(depthsOf(tokens) === null, 'the parentheses do not match');
  const {body, format, settings} = splitTail(tokens);
  refuseIf(format !== null && !options.allowsFormat, 'FORMAT is chosen by the command, not in the statement');
  refuseIf(format !== null && !isFormatAllowed(format), `the format ${format} is not allowed`);
  const inner = innerStatement(body);
  refuseWords(body);
  const own = options.database ?? 'default';
  const refusal = refusedName(inner, {access: options.access, own});
  refuseIf(refusal !== null, refusal ?? '');
  return {sql: joinTokens(sql, namedWindows(body)), format, settings};
}

const WINDOW_PARAMETERS = [{name: 'size_s', back: 2, before: '('}, {name: 'slide_s', back: 4, before: ','}] as const;
const WINDOW_VIEWS: ReadonlySet<string> = new Set(['v_windows', 'v_windows_all']);

/** `v_windows(60, 10)` as the engine wants it: `v_windows(size_s = 60, slide_s = 10)`. */
function namedWindows(tokens: readonly SqlToken[]): SqlToken[] {
  return tokens.map((token, index) => {
    const parameter = WINDOW_PARAMETERS.find(({back, before}) => {
      const view = tokens[index - back];
      return view?.kind === 'word' && WINDOW_VIEWS.has(view.text) && tokens[index - back + 1]?.text === '(' && tokens[index - 1]?.text === before;
    });
    return parameter === undefined || token.kind !== 'number' ? token : {...token, text: `${parameter.name} = ${token.text}`};
  });
}

function refuseIf(condition: boolean, message: string): void {
  if (condition) throw new AssayError('ASSAY_QUERY_REFUSED', message);
}

function readTokens(sql: string): SqlToken[] {
  refuseIf(sql.includes('\0'), 'the statement holds a NUL character');
  try {
    const tokens = tokenizeSql(sql);
    while (tokens.at(-1)?.text === ';') tokens.pop();
    return tokens;
  } catch (error) {
    if (error instanceof SqlSyntaxError) throw new AssayError('ASSAY_QUERY_REFUSED', error.message, {cause: error});
    throw error;
  }
}

/** Depth of each token in parentheses and brackets; null when they do not match. */
function depthsOf(tokens: readonly SqlToken[]): number[] | null {
  const open: string[] = [];
  const depths: number[] = [];
  for (const {text, kind} of tokens) {
    const closes = kind === 'punctuation' ? PAIRS[text] : undefined;
    if (closes !== undefined && open.pop() !== closes) return null;
    depths.push(open.length);
    if (kind === 'punctuation' && '([{'.includes(text)) open.push(text);
  }
  return open.length === 0 ? depths : null;
}

const PAIRS: Readonly<Record<string, string>> = {')': '(', ']': '[', '}': '{'};

type Tail = {readonly body: readonly SqlToken[]; readonly format: string | null; readonly settings: SqlSettings};

/** Takes `FORMAT x` and `SETTINGS a = 1, …` off the end, in either order. */
function splitTail(tokens: readonly SqlToken[]): Tail {
  const depths = depthsOf(tokens) ?? [];
  const isTop = (index: number, word: string): boolean =>
    depths[index] === 0 && tokens[index]?.upper === word && tokens[index]?.kind === 'word' && tokens[index - 1]?.text !== '.' && tokens[index - 1]?.upper !== 'AS';
  let end = tokens.length;
  let format: string | null = null;
  let settings: SqlSettings = {};
  for (;;) {
    if (format === null && end >= 3 && isTop(end - 2, 'FORMAT') && tokens[end - 1]?.kind === 'word') {
      format = tokens[end - 1]?.text ?? null;
      end -= 2;
      continue;
    }
    const start = lastSettings(end, index => isTop(index, 'SETTINGS'));
    const read = start === null ? null : readSettings(tokens.slice(start + 1, end));
    if (start === null || read === null) return {body: tokens.slice(0, end), format, settings};
    settings = {...read, ...settings};
    end = start;
  }
}

function lastSettings(end: number, isSettings: (index: number) => boolean): number | null {
  for (let index = end - 1; index > 0; index--) if (isSettings(index)) return index;
  return null;
}

/** `name = literal, …`; null when it is not that. */
function readSettings(tokens: readonly SqlToken[]): SqlSettings | null {
  const settings: Record<string, string | number> = {};
  for (let index = 0; index < tokens.length; index += 4) {
    const [name, equals, value, comma] = tokens.slice(index, index + 4);
    if (name?.kind !== 'word' || equals?.text !== '=' || value === undefined) return null;
    if (comma !== undefined && comma.text !== ',') return null;
    refuseIf(!isSettingAllowed(name.text), `the setting ${name.text} is not allowed`);
    if (value.kind === 'number' && /^\d+$/.test(value.text)) settings[name.text] = Number(value.text);
    else if (value.kind === 'string' && /^'[^'\\]*'$/.test(value.text)) settings[name.text] = value.text.slice(1, -1);
    else refuseIf(true, `the value of the setting ${name.text} must be a whole number or a plain string`);
  }
  return tokens.length === 0 ? null : settings;
}

/** Words that have no place in a query that only reads, wherever they stand. */
function refuseWords(tokens: readonly SqlToken[]): void {
  for (const [index, token] of tokens.entries()) {
    if (token.kind !== 'word') continue;
    const next = tokens[index + 1];
    refuseIf(token.upper === 'OUTFILE' || (token.upper === 'INTO' && next?.kind !== 'punctuation'), 'INTO OUTFILE is not allowed');
    refuseIf(token.upper === 'INFILE', 'FROM INFILE is not allowed');
    const isClause = next !== undefined && (next.kind === 'word' || next.kind === 'quoted') && tokens[index + 2]?.text === '=';
    refuseIf(token.upper === 'SETTINGS' && isClause, 'SETTINGS is allowed only at the end of the statement');
  }
}

/** Checks the statement's kind. @returns the part that names tables */
function innerStatement(tokens: readonly SqlToken[]): readonly SqlToken[] {
  const first = tokens.find(({text}) => text !== '(');
  switch (first?.kind === 'word' ? first.upper : '') {
    case 'SELECT':
    case 'WITH':
      return tokens;
    case 'EXPLAIN':
      return explained(tokens);
    case 'DESCRIBE':
    case 'DESC':
      return asFrom(tokens, skipWords(tokens, 1, ['TABLE']));
    case 'EXISTS':
      return asFrom(tokens, skipWords(tokens, 1, ['TEMPORARY', 'TABLE', 'VIEW']));
    case 'SHOW':
      return shown(tokens);
    default:
      throw new AssayError(
        'ASSAY_QUERY_REFUSED',
        `${first?.text ?? 'this'} is not allowed: only SELECT, WITH, EXPLAIN, DESCRIBE, SHOW and EXISTS are`,
      );
  }
}

/** EXPLAIN [kind] [option = n, …] SELECT … */
function explained(tokens: readonly SqlToken[]): readonly SqlToken[] {
  const start = tokens.findIndex(({upper, text}, index) => index > 0 && (upper === 'SELECT' || upper === 'WITH' || text === '('));
  const options = tokens.slice(1, start < 0 ? tokens.length : start);
  const isPlain = options.every(({kind, text}) => kind === 'word' || kind === 'number' || text === '=' || text === ',');
  const isKnown = options.every(({kind, upper}, index) => kind !== 'word' || EXPLAIN_WORDS.has(upper) || options[index + 1]?.text === '=');
  refuseIf(start < 0 || !isPlain || !isKnown, 'only EXPLAIN [PLAN | PIPELINE | AST | SYNTAX | QUERY TREE | ESTIMATE] SELECT … is allowed');
  return tokens.slice(start);
}

const EXPLAIN_WORDS: ReadonlySet<string> = new Set(['PLAN', 'PIPELINE', 'AST', 'SYNTAX', 'QUERY', 'TREE', 'ESTIMATE']);

function shown(tokens: readonly SqlToken[]): readonly SqlToken[] {
  const what = tokens[1]?.upper;
  if (what === 'CREATE') return asFrom(tokens, skipWords(tokens, 2, ['TABLE', 'VIEW']));
  const isListing = (what === 'TABLES' || what === 'DATABASES') && tokens.slice(2).every(isListingWord);
  if (isListing) return [];
  if (what === 'COLUMNS' && (tokens[2]?.upper === 'FROM' || tokens[2]?.upper === 'IN') && tokens.length <= 6) return asFrom(tokens, 3);
  throw new AssayError('ASSAY_QUERY_REFUSED', 'only SHOW TABLES, DATABASES, COLUMNS FROM t and CREATE t are allowed');
}

const isListingWord = ({upper, kind}: SqlToken): boolean => kind === 'string' || kind === 'number' || ['LIKE', 'ILIKE', 'NOT', 'LIMIT'].includes(upper);

function skipWords(tokens: readonly SqlToken[], from: number, words: readonly string[]): number {
  let at = from;
  while (words.includes(tokens[at]?.upper ?? '')) at += 1;
  return at;
}

/** What follows is in the place of a table. */
function asFrom(tokens: readonly SqlToken[], from: number): readonly SqlToken[] {
  return [{kind: 'word', text: 'FROM', upper: 'FROM', start: 0, end: 0}, ...tokens.slice(from)];
}

/** A comment becomes a space, everything else stays as written. */
function joinTokens(sql: string, tokens: readonly SqlToken[]): string {
  let out = '';
  let end = tokens[0]?.start ?? 0;
  for (const token of tokens) {
    if (token.start > end) out += sql.slice(end, token.start).includes('\n') ? '\n' : ' ';
    out += token.text;
    end = token.end;
  }
  return out;
}
