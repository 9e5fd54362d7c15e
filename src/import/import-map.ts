import {isMap as isYamlMap, parseDocument} from 'yaml';
import {AssayError, messageOf} from '../core/errors.ts';
import type {Design} from '../core/experiment.ts';
import {OUTCOME_STATUSES, type OutcomeStatus} from '../core/events.ts';

/** How the rows of a foreign file become events (`assay import FILE --map MAP.yaml`). */
export type ImportMap = {
  readonly format: 'csv' | 'ndjson';
  readonly eventTime: TimeColumn;
  /** When the log "took" the row; the event time without it. */
  readonly arrivalTime: TimeColumn | null;
  readonly unitId: CellSource;
  readonly itemId: CellSource | null;
  readonly sessionId: CellSource | null;
  readonly experiment: string;
  readonly variant: VariantSource;
  readonly design: Design;
  /** measure → column. An empty cell is no measure. */
  readonly measures: Readonly<Record<string, string>>;
  readonly attributes: Readonly<Record<string, string>>;
  readonly status: {readonly column: string; readonly map: Readonly<Record<string, OutcomeStatus>>} | null;
  readonly emit: readonly ('exposure' | 'outcome')[];
  readonly where: {readonly column: string; readonly in: readonly string[]} | null;
  readonly control: string | null;
  readonly weights: Readonly<Record<string, number>> | null;
};

export type TimeColumn = {readonly column: string; readonly format: 'iso' | 'epoch_s' | 'epoch_ms'};
export type CellSource = {readonly column: string} | {readonly template: string};
export type VariantSource =
  | {readonly value: string}
  | {readonly column: string; readonly map: Readonly<Record<string, string>> | null}
  /** Slots by variant in the written order, which decides whose slot is whose. */
  | {readonly hash: {readonly salt: string; readonly variants: readonly (readonly [variant: string, slots: number])[]}};

const KEYS = ['source', 'event_time', 'arrival_time', 'unit_id', 'item_id', 'session_id', 'experiment', 'variant', 'design', 'measures', 'attributes', 'status', 'emit', 'where', 'control', 'weights'];

/**
 * Reads a map, all errors at once.
 * @throws AssayError ASSAY_CONFIG_INVALID, each error naming the field, the value's kind and the fix.
 */
export function parseImportMap(text: string, name: string): ImportMap {
  const document = parseDocument(text);
  const fail = (problems: readonly string[]): never => {
    throw new AssayError('ASSAY_CONFIG_INVALID', `the import map ${name} is wrong: ${problems.join('; ')}`);
  };
  if (document.errors.length > 0) fail(document.errors.map(messageOf));
  const slots = document.getIn(['variant', 'hash', 'variants']);
  const reader = new MapReader(document.toJS() as unknown, isYamlMap(slots) ? slots.items.map(({key}) => String(key)) : []);
  const map = reader.map();
  if (reader.errors.length > 0) fail(reader.errors);
  return map;
}

type Fields = Readonly<Record<string, unknown>>;

class MapReader {
  readonly errors: string[] = [];
  readonly #root: Fields;
  /** An object would put variants that look like numbers first. */
  readonly #hashOrder: readonly string[];

  constructor(root: unknown, hashOrder: readonly string[]) {
    this.#hashOrder = hashOrder;
    this.#root = isMap(root) ? root : {};
    if (!isMap(root)) this.errors.push(`must be a map of keys and values, got ${kindOf(root)}`);
    for (const key of Object.keys(this.#root)) {
      if (!KEYS.includes(key)) this.errors.push(`${key} is not a key of a map; the keys are ${KEYS.join(', ')}`);
    }
  }

  map(): ImportMap {
    const root = this.#root;
    const emit = this.#emit(root['emit']);
    const variant = this.#variant(root['variant']);
    return {
      format: this.#choice(this.#field(root['source'], 'source', 'format'), 'source.format', ['csv', 'ndjson'] as const, 'csv'),
      eventTime: this.#time(root['event_time'], 'event_time'),
      arrivalTime: root['arrival_time'] === undefined ? null : this.#time(root['arrival_time'], 'arrival_time'),
      unitId: this.#cell(root['unit_id'], 'unit_id'),
      itemId: root['item_id'] === undefined ? null : this.#cell(root['item_id'], 'item_id'),
      sessionId: root['session_id'] === undefined ? null : this.#cell(root['session_id'], 'session_id'),
      experiment: this.#text(root['experiment'], 'experiment'),
      variant,
      design: this.#choice(root['design'], 'design', ['split', 'paired'] as const, 'split'),
      measures: this.#columns(root['measures'], 'measures', !emit.includes('outcome')),
      attributes: this.#columns(root['attributes'], 'attributes', true),
      status: root['status'] === undefined ? null : this.#status(root['status']),
      emit,
      where: root['where'] === undefined ? null : this.#where(root['where']),
      control: root['control'] === undefined ? null : this.#text(root['control'], 'control'),
      weights: root['weights'] === undefined ? null : this.#weights(root['weights'], 'weights'),
    };
  }

  #variant(value: unknown): VariantSource {
    if (!isMap(value)) return this.#bad({value: ''}, 'variant', 'one of {value: …}, {column: …} or {hash: {salt, variants}}', value);
    if ('value' in value) return {value: this.#text(value['value'], 'variant.value')};
    if ('column' in value) {
      const map = value['map'];
      if (map !== undefined && !isMap(map)) return this.#bad({value: ''}, 'variant.map', 'a map of cell to variant', map);
      return {
        column: this.#text(value['column'], 'variant.column'),
        map: map === undefined ? null : Object.fromEntries(Object.entries(map).map(([k, v]) => [k, String(v)])),
      };
    }
    const hash = value['hash'];
    if (!isMap(hash)) return this.#bad({value: ''}, 'variant', 'one of {value: …}, {column: …} or {hash: {salt, variants}}', value);
    const variants = this.#weights(hash['variants'], 'variant.hash.variants');
    const total = Object.values(variants).reduce((sum, w) => sum + w, 0);
    if (total > 10_000 || Object.values(variants).some(w => !Number.isInteger(w))) {
      this.errors.push(`variant.hash.variants must be whole numbers of 10000 slots that add up to at most 10000, got ${total}`);
    }
    const order = this.#hashOrder.length > 0 ? this.#hashOrder : Object.keys(variants);
    const inOrder = order.map(variant => [variant, variants[variant] ?? 0] as const);
    return {hash: {salt: this.#text(hash['salt'], 'variant.hash.salt'), variants: inOrder}};
  }

  #time(value: unknown, path: string): TimeColumn {
    return {
      column: this.#text(this.#field(value, path, 'column'), `${path}.column`),
      format: this.#choice(this.#field(value, path, 'format'), `${path}.format`, ['iso', 'epoch_s', 'epoch_ms'] as const, 'iso'),
    };
  }

  #cell(value: unknown, path: string): CellSource {
    if (isMap(value) && 'column' in value) return {column: this.#text(value['column'], `${path}.column`)};
    if (isMap(value) && 'template' in value) return {template: this.#text(value['template'], `${path}.template`)};
    return this.#bad({column: ''}, path, '{column: NAME} or {template: "text-${row}"}', value);
  }

  #columns(value: unknown, path: string, isOptional: boolean): Record<string, string> {
    if (value === undefined && isOptional) return {};
    if (!isMap(value)) return this.#bad({}, path, 'a map of name to {column: …}', value);
    return Object.fromEntries(
      Object.entries(value).map(([name, source]) => [name, this.#text(this.#field(source, `${path}.${name}`, 'column'), `${path}.${name}.column`)]),
    );
  }

  #status(value: unknown): ImportMap['status'] {
    const map = this.#field(value, 'status', 'map');
    const pairs = isMap(map) ? Object.entries(map) : [];
    for (const [cell, status] of pairs) {
      if (!OUTCOME_STATUSES.includes(status as OutcomeStatus)) {
        this.errors.push(`status.map.${cell} must be one of ${OUTCOME_STATUSES.join(', ')}, got ${String(status)}`);
      }
    }
    return {
      column: this.#text(this.#field(value, 'status', 'column'), 'status.column'),
      map: Object.fromEntries(pairs) as Record<string, OutcomeStatus>,
    };
  }

  #where(value: unknown): ImportMap['where'] {
    const list = this.#field(value, 'where', 'in');
    if (!Array.isArray(list)) return this.#bad(null, 'where.in', 'a list of cell values', list);
    return {column: this.#text(this.#field(value, 'where', 'column'), 'where.column'), in: list.map(String)};
  }

  #weights(value: unknown, path: string): Record<string, number> {
    if (!isMap(value) || Object.keys(value).length === 0) return this.#bad({}, path, 'a map of variant to weight', value);
    for (const [variant, weight] of Object.entries(value)) {
      if (typeof weight !== 'number' || !(weight >= 0)) this.errors.push(`${path}.${variant} must be a number from 0, got ${kindOf(weight)}`);
    }
    return value as Record<string, number>;
  }

  #emit(value: unknown): ('exposure' | 'outcome')[] {
    if (value === undefined) return ['exposure', 'outcome'];
    const isRight = Array.isArray(value) && value.length > 0 && value.every(part => part === 'exposure' || part === 'outcome');
    return isRight ? (value as ('exposure' | 'outcome')[]) : this.#bad(['exposure'], 'emit', 'a list of exposure and/or outcome', value);
  }

  #field(value: unknown, path: string, name: string): unknown {
    if (isMap(value)) return value[name];
    return value === undefined && path === 'source' ? undefined : this.#bad(undefined, path, `a map with ${name}`, value);
  }

  #text(value: unknown, path: string): string {
    if (typeof value === 'string' && value !== '') return value;
    if (typeof value === 'number') return String(value);
    return this.#bad('', path, 'text', value);
  }

  #choice<T extends string>(value: unknown, path: string, choices: readonly T[], otherwise: T): T {
    if (value === undefined) return otherwise;
    return choices.includes(value as T) ? (value as T) : this.#bad(otherwise, path, `one of ${choices.join(', ')}`, value);
  }

  #bad<T>(fallback: T, path: string, wanted: string, value: unknown): T {
    // One error a field: an outer one often causes the inner ones.
    if (!this.errors.some(error => error.startsWith(`${path} `))) this.errors.push(`${path} must be ${wanted}, got ${kindOf(value)}`);
    return fallback;
  }
}

const isMap = (value: unknown): value is Fields => value !== null && typeof value === 'object' && !Array.isArray(value);

function kindOf(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'an empty value';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'a map' : `${typeof value} ${JSON.stringify(value)}`;
}
