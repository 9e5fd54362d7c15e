/**
 * The identity of an Avro schema: CRC-64-AVRO over its Parsing Canonical Form
 * (Avro 1.11 specification, "Transforming into Parsing Canonical Form" and
 * "Schema Fingerprints"). Docs, defaults, aliases and logical types are not part
 * of it, so editing a comment does not make a new schema.
 */

const EMPTY = 0xc15d213aa4d7a795n;
const PRIMITIVES = new Set(['null', 'boolean', 'int', 'long', 'float', 'double', 'bytes', 'string']);

/** One 64-bit value per byte. BigInt is slow, but a fingerprint is taken once per schema. */
const TABLE: readonly bigint[] = Array.from({length: 256}, (_, byte) => {
  let value = BigInt(byte);
  for (let bit = 0; bit < 8; bit += 1) value = (value >> 1n) ^ (EMPTY & -(value & 1n));
  return value;
});

/** The unsigned 64-bit CRC-64-AVRO of `bytes`. */
export function crc64Avro(bytes: Uint8Array): bigint {
  let value = EMPTY;
  for (const byte of bytes) value = (value >> 8n) ^ (TABLE[Number((value ^ BigInt(byte)) & 0xffn)] ?? 0n);
  return value;
}

/** The fingerprint of a schema given as parsed JSON; unsigned. */
export const fingerprintOf = (schema: unknown): bigint => crc64Avro(Buffer.from(canonicalForm(schema), 'utf8'));

/** A fingerprint as people read it: 16 hex digits, most significant first. */
export const fingerprintText = (fingerprint: bigint): string => fingerprint.toString(16).padStart(16, '0');

/**
 * The Parsing Canonical Form of a schema given as parsed JSON.
 * @throws TypeError when a part of it is no Avro type.
 */
export function canonicalForm(schema: unknown, namespace = ''): string {
  if (typeof schema === 'string') return JSON.stringify(PRIMITIVES.has(schema) ? schema : fullName(schema, namespace));
  if (Array.isArray(schema)) return `[${schema.map(branch => canonicalForm(branch, namespace)).join(',')}]`;
  if (typeof schema !== 'object' || schema === null) throw new TypeError(`not an Avro schema: ${JSON.stringify(schema)}`);
  const {type, name, namespace: ownNamespace, fields, symbols, items, values, size} = schema as Record<string, unknown>;
  if (type === 'array') return `{"type":"array","items":${canonicalForm(items, namespace)}}`;
  if (type === 'map') return `{"type":"map","values":${canonicalForm(values, namespace)}}`;
  if (type === 'record' || type === 'error' || type === 'enum' || type === 'fixed') {
    const inherited = typeof ownNamespace === 'string' ? ownNamespace : namespace;
    const full = fullName(String(name), inherited);
    const head = `{"name":${JSON.stringify(full)},"type":"${type}"`;
    if (type === 'fixed') return `${head},"size":${Number(size)}}`;
    if (type === 'enum') return `${head},"symbols":${JSON.stringify(symbols)}}`;
    return `${head},"fields":[${canonicalFields(fields, full.slice(0, Math.max(0, full.lastIndexOf('.'))))}]}`;
  }
  return canonicalForm(type, namespace);
}

function canonicalFields(fields: unknown, namespace: string): string {
  if (!Array.isArray(fields)) throw new TypeError('a record needs a list of fields');
  return fields
    .map((field: {name: string; type: unknown}) => `{"name":${JSON.stringify(field.name)},"type":${canonicalForm(field.type, namespace)}}`)
    .join(',');
}

const fullName = (name: string, namespace: string): string =>
  name.includes('.') || namespace === '' ? name : `${namespace}.${name}`;
