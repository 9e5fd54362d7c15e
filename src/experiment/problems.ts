import type {z} from 'zod';

/** One thing wrong with a definition: where, and in one sentence what and how to mend it. */
export type Problem = {readonly path: string; readonly message: string};

export const problemText = ({path, message}: Problem): string => (path === '' ? message : `${path}: ${message}`);

/** `metrics[0].role` */
export function pathText(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    return text === '' ? String(part) : `${text}.${String(part)}`;
  }, '');
}

/** What kind of value stands there, in words. */
export function kindOf(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'string') return `text ${JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)}`;
  if (typeof value === 'object') return `a map of ${Object.keys(value).length}`;
  return `${typeof value} ${String(value)}`;
}

/** The known word nearest to `word`, if it is near enough to be a slip of the keyboard. */
export function didYouMean(word: string, known: readonly string[]): string {
  let best = '';
  let bestDistance = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best === '' ? '' : `; did you mean ${best}?`;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({length: b.length + 1}, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

const EXPECTED: Readonly<Record<string, string>> = {
  string: 'write text (quote it)',
  number: 'write a number',
  int: 'write a whole number',
  boolean: 'write true or false',
  array: 'write a list',
  object: 'write a map',
  record: 'write a map',
};

/**
 * zod's issues in our words. `schemaKeys` answers which keys a map may have, for
 * "did you mean".
 */
export function toProblems(
  issues: readonly z.core.$ZodIssue[],
  root: unknown,
  schemaKeys: (path: readonly PropertyKey[]) => readonly string[],
): Problem[] {
  return issues.flatMap(issue => {
    const path = pathText(issue.path);
    const value = valueAt(root, issue.path);
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map(key => {
        const hint = didYouMean(key, schemaKeys(issue.path)) || `; known keys are ${schemaKeys(issue.path).join(', ')}`;
        return {path: pathText([...issue.path, key]), message: `is not a known key${hint}`};
      });
    }
    if (issue.code === 'invalid_union') {
      const branch = closest(issue.errors);
      if (branch === undefined) return [{path, message: `got ${kindOf(value)}; ${SHAPES[String(issue.path[0])] ?? 'see the schema'}`}];
      return toProblems(branch.map(inner => ({...inner, path: [...issue.path, ...inner.path]})), root, schemaKeys);
    }
    return [{path, message: `got ${kindOf(value)}; ${fixOf(issue, value)}`}];
  });
}

/** What a part with several shapes may look like. */
const SHAPES: Readonly<Record<string, string>> = {
  variants: 'write a map of variant: weight, a list of {key, weight}, or a list of keys',
  overrides: 'write {header: NAME}, {query: NAME} or {session: NAME}',
  targeting: 'write a value or a list of values',
};

/** The branch of a union that the author seems to have meant: the one that got furthest; none if all failed at once. */
function closest(branches: readonly (readonly z.core.$ZodIssue[])[]): readonly z.core.$ZodIssue[] | undefined {
  const depth = (branch: readonly z.core.$ZodIssue[]): number => Math.max(0, ...branch.map(issue => issue.path.length));
  const [best] = [...branches].sort((a, b) => depth(b) - depth(a) || a.length - b.length);
  return best !== undefined && depth(best) > 0 ? best : undefined;
}

function fixOf(issue: z.core.$ZodIssue, value: unknown): string {
  switch (issue.code) {
    case 'invalid_type':
      return value === undefined ? 'it is required' : (EXPECTED[issue.expected] ?? `write a ${issue.expected}`);
    case 'invalid_value': {
      const words = issue.values.map(String);
      return `write one of ${words.join(', ')}${typeof value === 'string' ? didYouMean(value, words) : ''}`;
    }
    case 'too_small':
      return `it must be ${issue.inclusive === false ? 'more than' : 'at least'} ${issue.minimum}${unitOf(issue.origin)}`;
    case 'too_big':
      return `it must be ${issue.inclusive === false ? 'less than' : 'at most'} ${issue.maximum}${unitOf(issue.origin)}`;
    case 'invalid_format':
      return formatFix(issue);
    case 'invalid_key':
      return 'a name must be 1 to 128 printable characters without spaces at its ends';
    default:
      return issue.message;
  }
}

const unitOf = (origin: string): string => (origin === 'string' ? ' characters long' : origin === 'array' ? ' items long' : '');

function formatFix(issue: z.core.$ZodIssue & {code: 'invalid_format'}): string {
  const pattern = 'pattern' in issue ? String(issue.pattern) : '';
  if (pattern.includes('ms|s|m|h|d')) return 'write a whole number and ms, s, m, h or d, like 60s or 7d';
  if (pattern.includes('A-Za-z0-9')) return 'use letters, digits, dot, dash and underscore, first a letter or digit';
  return 'use printable characters, without spaces at its ends';
}

function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((value, part) => {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    return (value as Record<PropertyKey, unknown>)[part];
  }, root);
}
