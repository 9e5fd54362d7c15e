import {readFileSync} from 'node:fs';
import {parseDocument} from 'yaml';
import {AssayError, messageOf} from '../core/errors.ts';
import {OPTIONS, type Option} from './options.ts';
import {parseWebhooks, type WebhookConfig} from './webhooks.ts';

export type OptionValue = string | number | boolean | readonly string[];

/** Validated configuration: every key of the options table has a value of its kind. */
export class Config {
  readonly #values: ReadonlyMap<string, OptionValue>;
  readonly webhooks: readonly WebhookConfig[];

  constructor(values: ReadonlyMap<string, OptionValue>, webhooks: readonly WebhookConfig[]) {
    this.#values = values;
    this.webhooks = webhooks;
  }

  text(key: string): string {
    return String(this.#value(key));
  }

  number(key: string): number {
    return Number(this.#value(key));
  }

  isOn(key: string): boolean {
    return this.#value(key) === true;
  }

  list(key: string): readonly string[] {
    const value = this.#value(key);
    return Array.isArray(value) ? (value as readonly string[]) : [String(value)];
  }

  /** A copy with some values replaced. */
  with(changes: Readonly<Record<string, OptionValue>>, webhooks = this.webhooks): Config {
    return new Config(new Map([...this.#values, ...Object.entries(changes)]), webhooks);
  }

  /** For `assay config`: secrets are masked. */
  describe(): Record<string, OptionValue> {
    return Object.fromEntries(
      OPTIONS.map(({key, secret}) => [key, secret === true && this.text(key) !== '' ? '***' : this.#value(key)]),
    );
  }

  #value(key: string): OptionValue {
    const value = this.#values.get(key);
    if (value === undefined) throw new Error(`assertion failed: no option ${key}`);
    return value;
  }
}

export type ConfigSources = {
  /** Flags by option key. */
  readonly flags?: Readonly<Record<string, unknown>>;
  readonly file?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
};

/**
 * Reads and validates the configuration; all errors at once.
 * @throws AssayError ASSAY_CONFIG_INVALID naming each key, the value's kind and the fix.
 */
export function loadConfig({flags = {}, file, env = process.env}: ConfigSources): Config {
  const errors: string[] = [];
  const fromFile = file === undefined ? {options: new Map<string, unknown>(), webhooks: []} : readFile(file, errors);
  const values = new Map<string, OptionValue>();
  for (const option of OPTIONS) {
    const given = firstGiven([
      [flags[option.key], `--${option.flag ?? option.key}`],
      [env[option.env], option.env],
      [fromFile.options.get(option.key), `${option.key} in ${file ?? 'the config file'}`],
    ]);
    const parsed = given === null ? option.default : parseValue(option, given, errors);
    if (parsed !== null) values.set(option.key, parsed as OptionValue);
  }
  if (errors.length > 0) {
    throw new AssayError('ASSAY_CONFIG_INVALID', `the configuration is wrong: ${errors.join('; ')}`);
  }
  return new Config(values, fromFile.webhooks);
}

type Given = {readonly value: unknown; readonly where: string};

function firstGiven(candidates: readonly (readonly [unknown, string])[]): Given | null {
  for (const [value, where] of candidates) {
    if (value !== undefined && value !== '') return {value, where};
  }
  return null;
}

function readFile(file: string, errors: string[]): {options: Map<string, unknown>; webhooks: WebhookConfig[]} {
  const options = new Map<string, unknown>();
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    errors.push(`cannot read the config file ${file} (${messageOf(error)}); give an existing YAML file with --config`);
    return {options, webhooks: []};
  }
  const document = parseDocument(text);
  for (const problem of document.errors) errors.push(`${file}: ${messageOf(problem.message)}`);
  if (document.errors.length > 0) return {options, webhooks: []};
  const root: unknown = document.toJS();
  if (root === null || root === undefined) return {options, webhooks: []};
  if (typeof root !== 'object' || Array.isArray(root)) {
    errors.push(`${file}: must hold keys and values, not ${kindOf(root)}`);
    return {options, webhooks: []};
  }
  const {webhooks, ...rest} = root as Record<string, unknown>;
  flatten(rest, '', options, errors);
  return {options, webhooks: parseWebhooks(webhooks, errors)};
}

function flatten(node: object, prefix: string, options: Map<string, unknown>, errors: string[]): void {
  for (const [name, value] of Object.entries(node)) {
    const key = prefix === '' ? name : `${prefix}.${name}`;
    if (OPTIONS.some(option => option.key === key)) options.set(key, value);
    else if (value !== null && typeof value === 'object' && !Array.isArray(value) && OPTIONS.some(o => o.key.startsWith(`${key}.`))) {
      flatten(value, key, options, errors);
    } else errors.push(`${key} is not an option; ${nearest(key)}`);
  }
}

function nearest(key: string): string {
  const last = key.split('.').at(-1) ?? key;
  const similar = OPTIONS.filter(o => o.key.includes(last) || key.includes(o.key.split('.').at(-1) ?? o.key)).map(o => o.key);
  return similar.length > 0 ? `did you mean ${similar.slice(0, 3).join(' or ')}?` : '`assay config` lists them all';
}

const NUMERIC: ReadonlySet<Option['kind']> = new Set(['number', 'integer', 'duration']);

function parseValue(option: Option, {value, where}: Given, errors: string[]): OptionValue | null {
  const fail = (wanted: string): null => {
    const shown = option.secret === true ? '' : ` ${JSON.stringify(value)}`;
    errors.push(`${where} must be ${wanted}, got ${kindOf(value)}${shown}`);
    return null;
  };
  // JavaScript would read [1] as 1 and nothing as 0.
  const isSingle = value !== null && typeof value !== 'object' && value !== '';
  if (!isSingle && NUMERIC.has(option.kind)) return fail(option.kind === 'duration' ? 'a duration (250, 10s, 5m, 2h, 30d)' : 'a number');
  if (typeof value === 'object' && !(option.kind === 'list' && Array.isArray(value) && value.every(part => typeof part !== 'object'))) {
    return fail(option.kind === 'list' ? 'a list of texts' : 'one value');
  }
  switch (option.kind) {
    case 'text':
      return typeof value === 'string' || typeof value === 'number' ? String(value) : fail('text');
    case 'switch':
      if (value === true || value === 'true' || value === '1') return true;
      return value === false || value === 'false' || value === '0' ? false : fail('true or false');
    case 'choice':
      return option.choices?.includes(String(value)) === true ? String(value) : fail(`one of ${option.choices?.join(', ')}`);
    case 'list': {
      const list = Array.isArray(value) ? value.map(String) : String(value).split(',').map(part => part.trim());
      return list.every(part => part !== '') ? list : fail('a list without empty entries');
    }
    case 'duration':
      return inRange(option, parseDuration(value), fail);
    default: {
      const number = typeof value === 'number' ? value : Number(String(value));
      return option.kind === 'integer' && !Number.isInteger(number) ? fail('a whole number') : inRange(option, number, fail);
    }
  }
}

function inRange(option: Option, value: number, fail: (wanted: string) => null): number | null {
  const min = option.min ?? Number.NEGATIVE_INFINITY;
  const max = option.max ?? Number.POSITIVE_INFINITY;
  if (Number.isFinite(value) && value >= min && value <= max) return value;
  const unit = option.kind === 'duration' ? 'a duration (250, 10s, 5m, 2h, 30d)' : 'a number';
  return fail(`${unit}${option.min === undefined ? '' : ` from ${min}`}${option.max === undefined ? '' : ` to ${max}`}`);
}

const UNIT_MS: Readonly<Record<string, number>> = {ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000};

/** Milliseconds of `250`, `250ms`, `10s`, `5m`, `2h` or `30d`; NaN otherwise. */
export function parseDuration(value: unknown): number {
  if (typeof value === 'number') return value;
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?$/.exec(String(value).trim());
  return match === null ? Number.NaN : Number(match[1]) * (UNIT_MS[match[2] ?? 'ms'] ?? 1);
}

export function kindOf(value: unknown): string {
  if (value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a map';
  return typeof value === 'string' ? 'text' : `a ${typeof value}`;
}
