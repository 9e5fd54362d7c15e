import avro from 'avsc';
import {messageOf} from '../core/errors.ts';
import {type RecordSchema, recordSchema} from './schema-files.ts';

/** backward: the newer schema reads what the older wrote. forward: the older reads what the newer wrote. */
export type CompatibilityDirection = 'backward' | 'forward';

export type CompatibilityCheck = {
  /** `exposure.v1 → exposure.v2` */
  readonly schema: string;
  readonly direction: CompatibilityDirection;
  readonly compatible: boolean;
  /** What stands in the way, naming field and cause; '' when nothing does. */
  readonly problem: string;
};

/**
 * Whether records survive a change of schemas, in both directions, as a rolling
 * upgrade needs: between each version and the next among `next`, and between
 * `released` and `next` where a file of the same name differs (a released schema
 * must not be edited; editing only docs, defaults or aliases is no change).
 * A version that was released and is gone is incompatible: its records lie in logs.
 */
export function checkSchemas(released: readonly RecordSchema[], next: readonly RecordSchema[]): CompatibilityCheck[] {
  const edited = released.flatMap(old => {
    const now = next.find(({name}) => name === old.name);
    if (now === undefined) return [gone(old)];
    return now.fingerprint === old.fingerprint ? [] : [changed(old), ...bothWays(`${old.name} (edited)`, old, now)];
  });
  const steps = next.flatMap(schema => {
    const older = next.filter(({record, version}) => record === schema.record && version < schema.version);
    return older.flatMap(old => bothWays(`${old.name} → ${schema.name}`, old, schema));
  });
  return [...edited, ...steps];
}

/** As {@link checkSchemas}, for one record type given as parsed avsc. */
export function checkSchemaChange(record: string, older: unknown, newer: unknown): CompatibilityCheck[] {
  return bothWays(record, recordSchema(record, 1, older), recordSchema(record, 2, newer));
}

const gone = ({name}: RecordSchema): CompatibilityCheck => ({
  schema: name,
  direction: 'backward',
  compatible: false,
  problem: `${name}.avsc was released and is gone; records written with it could not be read any more`,
});

const changed = ({name, record, version}: RecordSchema): CompatibilityCheck => ({
  schema: name,
  direction: 'backward',
  compatible: false,
  problem: `${name}.avsc was released and has changed; put the change into ${record}.v${version + 1}.avsc`,
});

function bothWays(schema: string, older: RecordSchema, newer: RecordSchema): CompatibilityCheck[] {
  return [check(schema, 'backward', {writer: older, reader: newer}), check(schema, 'forward', {writer: newer, reader: older})];
}

function check(
  schema: string,
  direction: CompatibilityDirection,
  {writer, reader}: {readonly writer: RecordSchema; readonly reader: RecordSchema},
): CompatibilityCheck {
  const problems = recordProblems(writer.schema, reader.schema);
  return {schema, direction, compatible: problems.length === 0, problem: problems.join('; ')};
}

type Field = {readonly name: string; readonly type: unknown; readonly default?: unknown; readonly aliases?: readonly string[]};

/**
 * All problems of a record, not only the first that avsc meets: each of the
 * reader's fields is resolved by itself.
 */
function recordProblems(writer: unknown, reader: unknown): string[] {
  const [from, to] = [fieldsOf(writer), fieldsOf(reader)];
  const whole = resolveProblem(writer, reader);
  if (whole === undefined) return [];
  if (from === undefined || to === undefined) return [whole];
  const namespace = namespaceOf(reader);
  const named = to.flatMap(field => {
    const source = from.find(({name}) => name === field.name || (field.aliases ?? []).includes(name));
    if (source === undefined) return 'default' in field ? [] : [`field ${field.name} has no default and is not in what was written`];
    const problem = resolveProblem(alone(source.type, namespace), alone(field.type, namespace));
    const missing = missingSymbols(source.type, field.type);
    const cause = missing.length > 0 ? `symbol ${missing.join(', ')} is unknown to the reader` : problem;
    return cause === undefined ? [] : [`field ${field.name}: ${cause}`];
  });
  return named.length > 0 ? named : [whole];
}

/** A field's type as a schema of its own, so that one field can be resolved without its neighbours. */
const alone = (type: unknown, namespace: string): unknown => ({type: 'record', name: 'Alone', namespace, fields: [{name: 'value', type}]});

function resolveProblem(writer: unknown, reader: unknown): string | undefined {
  try {
    typeOf(reader).createResolver(typeOf(writer));
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

const typeOf = (schema: unknown): avro.Type => avro.Type.forSchema(structuredClone(schema) as avro.Schema);

function missingSymbols(writer: unknown, reader: unknown): string[] {
  const [from, to] = [symbolsOf(writer), symbolsOf(reader)];
  return from === undefined || to === undefined ? [] : from.filter(symbol => !to.includes(symbol));
}

function symbolsOf(type: unknown): string[] | undefined {
  const {type: kind, symbols} = (typeof type === 'object' && type !== null ? type : {}) as Record<string, unknown>;
  return kind === 'enum' && Array.isArray(symbols) ? symbols.map(String) : undefined;
}

function fieldsOf(schema: unknown): Field[] | undefined {
  const {fields} = (typeof schema === 'object' && schema !== null ? schema : {}) as {fields?: unknown};
  return Array.isArray(fields) ? (fields as Field[]) : undefined;
}

function namespaceOf(schema: unknown): string {
  const {namespace} = schema as {namespace?: unknown};
  return typeof namespace === 'string' ? namespace : '';
}
