import {type GuardAccess, isAssayTable, isFunctionDenied, isTableAllowed, isTableFunctionAllowed} from './sql-guard-lists.ts';
import type {SqlToken} from './sql-tokens.ts';

/**
 * Finds every place where the engine would take a name for a table or a function
 * and checks it. Where it is not certain that a name is harmless it is refused:
 * a refused query can be written differently, a leaked table cannot be taken back.
 *
 *     SELECT f(x) FROM v_a, v_b AS b JOIN (SELECT …) USING k WHERE y IN v_c
 *            └ function └────┴ tables ┘    └ its own scope          └ table
 */
export type NameScope = {readonly access: GuardAccess; /** Our own database. */ readonly own: string};

/** @returns why the statement is refused, or null */
export function refusedName(tokens: readonly SqlToken[], scope: NameScope): string | null {
  return new NameWalk(tokens, scope).run();
}

type Frame = {
  /** The next name is a table. */
  wantsTable: boolean;
  /** Inside a FROM list, where a comma is followed by another table. */
  isFromList: boolean;
  /** `extract(year FROM x)`: here FROM is no clause. */
  hasPlainFrom: boolean;
  /** `( … )` in the place of a table: must hold a query. */
  readonly mustBeQuery: boolean;
  /** `x IN (name, …)`, `in(x, name)`: the engine may take a bare name for a table. */
  readonly isInList: boolean;
  /** `* APPLY(name)` calls the function without parentheses of its own. */
  readonly isApply: boolean;
  /** WITH expressions known here and further inside. */
  readonly expressions: Set<string>;
  isFirst: boolean;
};

const PLAIN_FROM_FUNCTIONS: ReadonlySet<string> = new Set(['EXTRACT', 'TRIM', 'SUBSTRING', 'OVERLAY', 'LTRIM', 'RTRIM']);
const IN_FUNCTION = /^(GLOBAL)?(NOT)?(NULL)?IN(IGNORESET)?$/;
/** Words after which a name is an operand, so that a column called `limit` ends nothing. */
const OPERATOR_WORDS: ReadonlySet<string> = new Set([
  'AS', 'ON', 'AND', 'OR', 'NOT', 'XOR', 'USING', 'BETWEEN', 'LIKE', 'ILIKE', 'IS', 'IN', 'DIV', 'MOD', 'CASE', 'WHEN', 'THEN', 'ELSE', 'INTERVAL', 'SELECT', 'DISTINCT',
  'FROM', 'JOIN', 'SAMPLE', 'OFFSET', 'BY', 'WITH', 'APPLY', 'REPLACE', 'GLOB', 'REGEXP', 'COLLATE',
]);
/** What comes after a word that ends a list of tables, where it is not merely an alias or a column. */
const FOLLOWED_BY: Readonly<Record<string, ReadonlySet<string>>> = {
  GROUP: new Set(['BY']),
  ORDER: new Set(['BY']),
  UNION: new Set(['ALL', 'DISTINCT', 'SELECT', 'WITH', '(']),
  INTERSECT: new Set(['ALL', 'DISTINCT', 'SELECT', 'WITH', '(']),
  EXCEPT: new Set(['ALL', 'DISTINCT', 'SELECT', 'WITH', '(']),
};
const ENDS_FROM: ReadonlySet<string> = new Set(['WHERE', 'PREWHERE', 'HAVING', 'QUALIFY', 'LIMIT']);
/** After an alias, not after a clause's word. */
const AFTER_ALIAS: ReadonlySet<string> = new Set([
  ',', ')', '=', '.', 'ON', 'USING', 'FINAL', 'SAMPLE', 'AND', 'OR', 'JOIN', 'LEFT', 'RIGHT', 'INNER', 'FULL', 'CROSS', 'GLOBAL', 'ANY', 'ALL', 'ASOF', 'SEMI', 'ANTI', 'PASTE', 'ARRAY', 'AS', 'IN',
]);

class NameWalk {
  readonly #tokens: readonly SqlToken[];
  readonly #scope: NameScope;
  readonly #frames: Frame[] = [frame({})];

  constructor(tokens: readonly SqlToken[], scope: NameScope) {
    this.#tokens = tokens;
    this.#scope = scope;
  }

  run(): string | null {
    for (let index = 0; index < this.#tokens.length; ) {
      const step = this.#step(index);
      if (typeof step === 'string') return step;
      index = step;
    }
    return null;
  }

  get #frame(): Frame {
    return this.#frames.at(-1) ?? frame({});
  }

  #at(index: number): SqlToken | undefined {
    return this.#tokens[index];
  }

  /** @returns the index to go on from, or why the statement is refused */
  #step(index: number): number | string {
    const token = this.#tokens[index];
    if (token === undefined) return index + 1;
    const current = this.#frame;
    const isFirst = current.isFirst;
    current.isFirst = false;
    if (isFirst && current.mustBeQuery && !['SELECT', 'WITH', '('].includes(token.upper)) {
      return `a query is expected in the parentheses at ${token.start}`;
    }
    if (token.text === '(') return this.#open(index, isFirst);
    if (token.text === ')') {
      if (this.#frames.length > 1) this.#frames.pop();
      return index + 1;
    }
    if (current.wantsTable) return this.#table(index);
    if (current.isInList && isName(token) && !CONSTANTS.has(token.upper)) {
      const isElement = (isFirst || this.#at(index - 1)?.text === ',') && [')', ','].includes(this.#at(this.#chainEnd(index))?.text ?? '');
      if (isElement) return this.#table(index);
    }
    if (token.text === ',' && current.isFromList) {
      current.wantsTable = true;
      return index + 1;
    }
    if (token.kind === 'word') {
      const next = this.#keyword(index, token);
      if (next !== null) return next;
    }
    return this.#plainName(index, token);
  }

  /** A clause or an operator that says where tables are. @returns null for other words */
  #keyword(index: number, token: SqlToken): number | string | null {
    const current = this.#frame;
    const before = this.#at(index - 1);
    // `t.from` is a column.
    if (before?.text === '.') return null;
    switch (token.upper) {
      case 'FROM':
        if (current.hasPlainFrom) return null;
        current.wantsTable = true;
        current.isFromList = true;
        return index + 1;
      case 'JOIN':
        current.isFromList = before?.upper !== 'ARRAY';
        current.wantsTable = current.isFromList;
        return index + 1;
      case 'ARRAY':
        return before?.upper === 'AS' ? 'array is not allowed as an alias' : null;
      case 'IN':
        return isName(this.#at(index + 1)) ? this.#table(index + 1) : index + 1;
      case 'APPLY':
        return this.#isDeniedAt(index + 1) ?? index + 1;
      case 'SELECT':
        current.isFromList = false;
        current.hasPlainFrom = false;
        return index + 1;
      default:
        if (!this.#isClause(index, token)) return null;
        current.isFromList = false;
        return index + 1;
    }
  }

  /** A word that ends the list of tables, told from an alias or a column of the same name by its neighbours. */
  #isClause(index: number, token: SqlToken): boolean {
    const before = this.#at(index - 1);
    const next = this.#at(index + 1);
    const isAfterOperand =
      before !== undefined &&
      (before.kind !== 'punctuation' || before.text === ')' || before.text === ']') &&
      !(before.kind === 'word' && OPERATOR_WORDS.has(before.upper));
    if (!isAfterOperand || next === undefined) return false;
    const followers = FOLLOWED_BY[token.upper];
    if (followers !== undefined) return followers.has(next.upper);
    if (token.upper === 'WINDOW') return isName(next) && this.#at(index + 2)?.upper === 'AS' && this.#at(index + 3)?.text === '(';
    return ENDS_FROM.has(token.upper) && !AFTER_ALIAS.has(next.upper);
  }

  #open(index: number, isFirst: boolean): number | string {
    const current = this.#frame;
    const before = this.#at(index - 1);
    const isTablePlace = current.wantsTable;
    current.wantsTable = false;
    if (before?.upper === 'AS' && isName(this.#at(index - 2)) && this.#isQueryAhead(index)) {
      const name = unquoted(this.#at(index - 2));
      if (isAssayTable(name)) return `the name ${name} is a table's; give the WITH expression another one`;
      current.expressions.add(name);
    }
    const called = before?.kind === 'word' ? before.upper : '';
    this.#frames.push(
      frame({
        mustBeQuery: isTablePlace || (isFirst && current.mustBeQuery),
        isInList: (IN_FUNCTION.test(called) || (isFirst && current.isInList)) && !this.#isQuery(index + 1),
        hasPlainFrom: PLAIN_FROM_FUNCTIONS.has(called),
        isApply: called === 'APPLY',
      }),
    );
    return index + 1;
  }

  /** `IN (SELECT a, b …)` is a query and no list; a column called `select` would be followed by a comma or an operator. */
  #isQuery(index: number): boolean {
    const [first, next] = [this.#at(index), this.#at(index + 1)];
    return (first?.upper === 'SELECT' || first?.upper === 'WITH') && first.kind === 'word' && next !== undefined && (next.kind !== 'punctuation' || ['(', '*', '[', '-'].includes(next.text));
  }

  #isQueryAhead(index: number): boolean {
    const next = this.#at(index + 1);
    return next?.upper === 'SELECT' || next?.upper === 'WITH' || next?.text === '(';
  }

  #table(index: number): number | string {
    const first = this.#at(index);
    this.#frame.wantsTable = false;
    if (!isName(first)) return "a table's name is expected after FROM, JOIN or IN";
    const end = this.#chainEnd(index);
    const names = this.#tokens.slice(index, end).filter(isName).map(unquoted);
    if (names.length > 2) return `${names.join('.')} is not a table`;
    const name = names.at(-1) ?? '';
    const database = names.length === 2 ? (names[0] ?? null) : null;
    if (this.#at(end)?.text === '(') {
      if (database !== null || !isTableFunctionAllowed(name)) return `the table function ${names.join('.')} is not allowed`;
      return end;
    }
    if (database === null && this.#frames.some(({expressions}) => expressions.has(name))) return end;
    if (isTableAllowed(database, name, this.#scope)) return end;
    return `the table ${names.join('.')} is not allowed`;
  }

  /** A name elsewhere: a function, a column, or a column with its table in front. */
  #plainName(index: number, token: SqlToken): number | string {
    if (!isName(token)) return index + 1;
    const end = this.#chainEnd(index);
    const names = this.#tokens.slice(index, end).filter(isName).map(unquoted);
    const isCalled = this.#at(end)?.text === '(' || this.#frame.isApply;
    if (isCalled && isFunctionDenied(names.at(-1) ?? '')) return `the function ${names.join('.')} is not allowed`;
    return end;
  }

  #isDeniedAt(index: number): string | null {
    const name = unquoted(this.#at(index));
    return isFunctionDenied(name) ? `the function ${name} is not allowed` : null;
  }

  /** The index after `a.b.c`. */
  #chainEnd(index: number): number {
    let end = index + 1;
    while (this.#at(end)?.text === '.' && isName(this.#at(end + 1))) end += 2;
    return end;
  }
}

const CONSTANTS: ReadonlySet<string> = new Set(['NULL', 'TRUE', 'FALSE']);

const frame = (given: Partial<Pick<Frame, 'hasPlainFrom' | 'mustBeQuery' | 'isInList' | 'isApply'>>): Frame => ({
  wantsTable: false,
  isFromList: false,
  hasPlainFrom: given.hasPlainFrom ?? false,
  mustBeQuery: given.mustBeQuery ?? false,
  isInList: given.isInList ?? false,
  isApply: given.isApply ?? false,
  expressions: new Set(),
  isFirst: true,
});

const isName = (token: SqlToken | undefined): token is SqlToken => token?.kind === 'word' || token?.kind === 'quoted';

function unquoted(token: SqlToken | undefined): string {
  if (token === undefined) return '';
  if (token.kind === 'word') return token.text;
  // An escaped name is written out in full or not at all: no list has one.
  return token.text.slice(1, -1);
}
