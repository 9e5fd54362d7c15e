import {readdirSync, readFileSync} from 'node:fs';
import {fingerprintOf} from './fingerprint.ts';

/**
 * One version of one record type. Every `schemas/<record>.v<N>.avsc` ever
 * released stays in that folder: it is what old records were written with.
 */
export type RecordSchema = {
  /** `exposure`, `outcome`, `tick`, `experiment` or `stream`. */
  readonly record: string;
  readonly version: number;
  /** `exposure.v1` */
  readonly name: string;
  /** The parsed avsc. */
  readonly schema: unknown;
  readonly fingerprint: bigint;
};

const FILE = /^([a-z][a-z-]*)\.v([1-9]\d*)\.avsc$/;

export function recordSchema(record: string, version: number, schema: unknown): RecordSchema {
  return {record, version, name: `${record}.v${version}`, schema, fingerprint: fingerprintOf(schema)};
}

/** All `*.v<N>.avsc` of a folder, by record and version. @throws SyntaxError naming the file that is no JSON. */
export function readSchemas(directory: string | URL): RecordSchema[] {
  const found: RecordSchema[] = [];
  for (const file of readdirSync(directory)) {
    const [, record, version] = FILE.exec(file) ?? [];
    if (record === undefined || version === undefined) continue;
    const path = directory instanceof URL ? new URL(file, directory) : `${directory}/${file}`;
    found.push(recordSchema(record, Number(version), parse(file, readFileSync(path, 'utf8'))));
  }
  return found.sort((a, b) => (a.record < b.record ? -1 : a.record > b.record ? 1 : a.version - b.version));
}

function parse(file: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new SyntaxError(`${file} is not JSON`, {cause});
  }
}

/** Where the released schemas lie, seen from `src/avro` and from `dist/avro` alike. */
export const SCHEMAS_DIRECTORY = new URL('../../schemas/', import.meta.url);

/** The newest version of each record type. */
export function newestOf(schemas: readonly RecordSchema[]): Map<string, RecordSchema> {
  const newest = new Map<string, RecordSchema>();
  for (const schema of schemas) {
    if (schema.version > (newest.get(schema.record)?.version ?? 0)) newest.set(schema.record, schema);
  }
  return newest;
}
