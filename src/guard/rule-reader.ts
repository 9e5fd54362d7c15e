import {parseDuration} from '../experiment/duration.ts';

export type Fields = Readonly<Record<string, unknown>>;

export const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value);

const kindOf = (value: unknown): string => (value === null ? 'null' : Array.isArray(value) ? 'a list' : typeof value);

/** Reads the fields of one entry and notes every error, so that all are told at once. */
export class RuleReader {
  readonly #path: string;
  readonly #fields: Fields;
  readonly #errors: string[];

  constructor(path: string, fields: Fields, errors: string[]) {
    this.#path = path;
    this.#fields = fields;
    this.#errors = errors;
  }

  has(key: string): boolean {
    return this.#fields[key] !== undefined;
  }

  fail(field: string, message: string): void {
    this.#errors.push(`${this.#path}${field}: ${message}`);
  }

  #refuse(key: string, wanted: string): void {
    this.fail(`.${key}`, `must be ${wanted}, got ${kindOf(this.#fields[key])}`);
  }

  onlyKnown(known: readonly string[]): void {
    for (const key of Object.keys(this.#fields)) if (!known.includes(key)) this.fail(`.${key}`, `is not known; known are ${known.join(', ')}`);
  }

  text(key: string, fallback: string | null): string {
    const value = this.#fields[key];
    if (value === undefined && fallback !== null) return fallback;
    if (typeof value === 'string' && value.trim() !== '') return value;
    this.#refuse(key, 'a text that is not empty');
    return '';
  }

  oneOf<T extends string>(key: string, choices: readonly T[], fallback: T): T {
    const value = this.#fields[key];
    if (value === undefined) return fallback;
    const found = choices.find(choice => choice === value);
    if (found === undefined) this.#refuse(key, `one of ${choices.join(', ')}`);
    return found ?? fallback;
  }

  names(key: string): readonly string[] | null {
    const value = this.#fields[key];
    if (value === undefined) return null;
    const list = typeof value === 'string' ? [value] : value;
    if (Array.isArray(list) && list.length > 0 && list.every(name => typeof name === 'string' && name !== '')) return list;
    this.#refuse(key, 'a list of names');
    return null;
  }

  /** A map of text to text; numbers and booleans are taken as written. */
  texts(key: string): Readonly<Record<string, string>> {
    const value = this.#fields[key];
    if (value === undefined) return {};
    if (isFields(value) && Object.values(value).every(text => ['string', 'number', 'boolean'].includes(typeof text))) {
      return Object.fromEntries(Object.entries(value).map(([name, text]) => [name, String(text)]));
    }
    this.#refuse(key, 'a map of text to text');
    return {};
  }

  number(key: string, fallback: number | null): number | null {
    const value = this.#fields[key];
    if (value === undefined) return fallback;
    if (typeof value === 'number' && Number.isFinite(value)) return value;
    this.#refuse(key, 'a finite number');
    return fallback;
  }

  count(key: string, fallback: number): number {
    const value = this.#fields[key];
    if (value === undefined) return fallback;
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
    this.#refuse(key, 'a whole number, 0 or more');
    return fallback;
  }

  /** Milliseconds from `90s`, `5m`, `1h`, `2d`, `500ms`. */
  duration(key: string, fallback: number | null): number {
    const value = this.#fields[key];
    if (value === undefined && fallback !== null) return fallback;
    const ms = typeof value === 'string' ? parseDuration(value.trim()) : undefined;
    if (ms !== undefined) return ms;
    this.#refuse(key, 'a duration such as 500ms, 60s, 5m, 1h or 2d');
    return fallback ?? 1;
  }

  entry(key: string): unknown {
    return this.#fields[key];
  }
}
