import {readFileSync} from 'node:fs';

/** sql/ lies equally far from src/ and dist/. */
const QUERIES = new URL('../../../sql/queries/', import.meta.url);
const textByName = new Map<string, string>();

/** The text of `sql/queries/<name>.sql`, read once, without a trailing semicolon; another file stands where it says `include`. */
export function loadQuery(name: string): string {
  const known = textByName.get(name);
  if (known !== undefined) return known;
  const text = readFileSync(new URL(`${name}.sql`, QUERIES), 'utf8')
    .trim()
    .replace(/;$/, '')
    .replaceAll(/\/\* include (\S+) \*\//g, (_, part: string) => loadQuery(part));
  textByName.set(name, text);
  return text;
}

/**
 * A query without some of its parts, which stand between lines `-- if <part>` and `-- end <part>`: what the engine
 * does not read it need not plan.
 * @throws Error when the query has no such part.
 */
export function loadQueryWithout(name: string, parts: readonly string[]): string {
  const key = [name, ...parts].join(' ');
  const known = textByName.get(key);
  if (known !== undefined) return known;
  const text = parts.reduce((rest, part) => {
    const left = rest.replaceAll(new RegExp(`^ *-- if ${part}\n[^]*?^ *-- end ${part}\n`, 'gm'), '');
    if (left === rest) throw new Error(`query ${name} has no part ${part}`);
    return left;
  }, loadQuery(name));
  textByName.set(key, text);
  return text;
}
