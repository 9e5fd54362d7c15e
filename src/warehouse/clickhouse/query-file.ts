import {readFileSync} from 'node:fs';

/** sql/ lies equally far from src/ and dist/. */
const QUERIES = new URL('../../../sql/queries/', import.meta.url);
const textByName = new Map<string, string>();

/** The text of `sql/queries/<name>.sql`, read once, without a trailing semicolon. */
export function loadQuery(name: string): string {
  const known = textByName.get(name);
  if (known !== undefined) return known;
  const text = readFileSync(new URL(`${name}.sql`, QUERIES), 'utf8').trim().replace(/;$/, '');
  textByName.set(name, text);
  return text;
}
