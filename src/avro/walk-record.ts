import type {BodyReader} from './body-reader.ts';
import {DecodeFault} from './decode-fault.ts';

/** Reads over one value without keeping it, checking every length on the way. */
export type Walk = (reader: BodyReader) => void;

/**
 * Compiles a schema into a check that a body is well-formed. Records of older
 * versions and of the experiments topic pass it before avsc, which trusts
 * lengths (see `BodyReader`), may resolve them.
 *
 * @throws TypeError for a schema that uses a type Assay's records don't: float
 *   and recursion.
 */
export function compileWalk(schema: unknown): Walk {
  return compile(schema, '', new Map());
}

function compile(schema: unknown, namespace: string, named: Map<string, Walk>): Walk {
  if (typeof schema === 'string') return PRIMITIVES[schema] ?? lookUp(schema, namespace, named);
  if (Array.isArray(schema)) {
    const branches = schema.map(branch => compile(branch, namespace, named));
    return reader => branches[reader.index(branches.length, 'branch')]?.(reader);
  }
  const {type, name, fields, symbols, items, values, size, namespace: own} = schema as Record<string, unknown>;
  if (type === 'array') return blocks(compile(items, namespace, named));
  if (type === 'map') return entries(compile(values, namespace, named));
  if (typeof name !== 'string') return compile(type, namespace, named);
  const space = typeof own === 'string' ? own : namespace;
  const walk = namedType(type, {fields, symbols, size}, part => compile(part, space, named));
  named.set(`${space}.${name}`, walk);
  named.set(name, walk);
  return walk;
}

function namedType(type: unknown, parts: {fields: unknown; symbols: unknown; size: unknown}, inner: (schema: unknown) => Walk): Walk {
  const {fields, symbols, size} = parts;
  if (type === 'fixed' && typeof size === 'number') return reader => reader.skip(size);
  if (type === 'enum' && Array.isArray(symbols)) return reader => void reader.index(symbols.length, 'symbol');
  if (type !== 'record' || !Array.isArray(fields)) throw new TypeError(`cannot walk an Avro ${String(type)}`);
  const steps = fields.map((field: {name: string; type: unknown}) => ({name: field.name, walk: inner(field.type)}));
  return reader => {
    for (const step of steps) {
      reader.field = step.name;
      step.walk(reader);
    }
  };
}

function lookUp(name: string, namespace: string, named: Map<string, Walk>): Walk {
  const walk = named.get(name) ?? named.get(`${namespace}.${name}`);
  if (walk === undefined) throw new TypeError(`cannot walk an Avro ${name}`);
  return walk;
}

const PRIMITIVES: Readonly<Record<string, Walk>> = {
  null: () => undefined,
  boolean: reader => void reader.index(2, 'boolean'),
  int: reader => void reader.int(),
  long: reader => void reader.long(),
  double: reader => reader.skip(8),
  bytes: reader => reader.skipBytes(),
  string: reader => reader.skipString(),
};

/** A map, with the same names refused as `BodyReader.strings` refuses: avsc would lose them silently. */
function entries(value: Walk): Walk {
  return reader => {
    const keys = new Set<string>();
    blocks(() => {
      const key = reader.key();
      if (keys.has(key)) throw new DecodeFault('schema_invalid', `${reader.field}: ${JSON.stringify(key)} is there twice`);
      keys.add(key);
      value(reader);
    })(reader);
  };
}

function blocks(item: Walk): Walk {
  return reader => {
    for (let count = reader.blockCount(); count > 0; count = reader.blockCount()) {
      for (let i = 0; i < count; i += 1) item(reader);
    }
  };
}
