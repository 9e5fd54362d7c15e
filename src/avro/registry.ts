import {AssayError, type ErrorCode, messageOf} from '../core/errors.ts';
import type {Framing} from './codec.ts';
import {kindOfSchema, MAPPINGS} from './records.ts';
import {newestOf, type RecordSchema} from './schema-files.ts';

export type SchemaRegistryOptions = {
  /** Where the Confluent REST API is, without a slash at its end: `http://host:8081`, Apicurio's `…/apis/ccompat/v7`. */
  readonly url: string;
  readonly fetch: typeof globalThis.fetch;
  /** For one request. Default: 5 000. */
  readonly timeoutMs?: number;
  readonly headers?: Readonly<Record<string, string>>;
};

const TIMEOUT_MS_DEFAULT = 5_000;
/** Bytes of an answer that are read; our schemas have a few thousand. */
const ANSWER_CHARS_MAX = 1_000_000;
const CONTENT_TYPE = 'application/vnd.schemaregistry.v1+json';

/**
 * The few calls of the Confluent Schema Registry's REST API that Assay makes.
 * Every call may throw ASSAY_LOG_UNAVAILABLE (no answer, 5xx, 429: try again) or
 * ASSAY_SCHEMA_INCOMPATIBLE (it was refused).
 */
export class SchemaRegistryClient {
  readonly #options: SchemaRegistryOptions;

  constructor(options: SchemaRegistryOptions) {
    this.#options = options;
  }

  /** The schema's id; registering the same schema again gives the same id. */
  async register(subject: string, schema: unknown): Promise<number> {
    const answer = await this.#call('POST', `/subjects/${encodeURIComponent(subject)}/versions`, {schema: JSON.stringify(schema)});
    const id = (answer as {id?: unknown} | undefined)?.id;
    if (typeof id !== 'number') throw unavailable(`registering ${subject} gave no id`);
    return id;
  }

  /** The parsed schema behind an id; undefined when there is none. */
  async schemaById(id: number): Promise<unknown> {
    const answer = await this.#call('GET', `/schemas/ids/${id}`);
    if (answer === undefined) return undefined;
    const text = (answer as {schema?: unknown}).schema;
    if (typeof text !== 'string') throw unavailable(`schema ${id} has no text`);
    try {
      return JSON.parse(text);
    } catch (error) {
      throw unavailable(`schema ${id} is not JSON: ${messageOf(error)}`);
    }
  }

  /** Whether the registry would take this schema as the subject's next version; true for a new subject. */
  async isCompatible(subject: string, schema: unknown): Promise<boolean> {
    const path = `/compatibility/subjects/${encodeURIComponent(subject)}/versions/latest`;
    const answer = await this.#call('POST', path, {schema: JSON.stringify(schema)});
    return answer === undefined || (answer as {is_compatible?: unknown}).is_compatible === true;
  }

  /** The parsed answer; undefined for 404. */
  async #call(method: 'GET' | 'POST', path: string, body?: unknown): Promise<unknown> {
    const {url, fetch, headers, timeoutMs = TIMEOUT_MS_DEFAULT} = this.#options;
    let response: Response;
    let text: string;
    try {
      response = await fetch(url + path, {
        method,
        headers: {accept: CONTENT_TYPE, ...(body === undefined ? {} : {'content-type': CONTENT_TYPE}), ...headers},
        redirect: 'error',
        signal: AbortSignal.timeout(timeoutMs),
        ...(body === undefined ? {} : {body: JSON.stringify(body)}),
      });
      text = (await response.text()).slice(0, ANSWER_CHARS_MAX);
    } catch (cause) {
      throw unavailable(`${method} ${path}: ${messageOf(cause)}`, cause);
    }
    if (response.status === 404) return undefined;
    if (response.status >= 500 || response.status === 429) throw unavailable(`${method} ${path} answered ${response.status}: ${text.slice(0, 300)}`);
    if (!response.ok) throw refused(`${method} ${path} answered ${response.status}: ${text.slice(0, 300)}`);
    try {
      return JSON.parse(text);
    } catch (cause) {
      throw unavailable(`${method} ${path} answered no JSON`, cause);
    }
  }
}

/** TopicRecordNameStrategy: one topic holds several record types. */
export const subjectOf = (topic: string, fullName: string): string => `${topic}-${fullName}`;

/**
 * Confluent framing for one topic. Writing uses the ids that `open` registered;
 * reading is synchronous, so `prepare` fetches unknown ids of a batch first.
 */
export class RegistryFraming implements Framing {
  readonly #client: SchemaRegistryClient;
  readonly #idByFingerprint = new Map<bigint, number>();
  /** An id that does not exist is not remembered: it may be registered later. */
  readonly #schemaById = new Map<number, unknown>();

  private constructor(client: SchemaRegistryClient) {
    this.#client = client;
  }

  /** Registers the newest version of the record types given (all, unless named) for a topic. */
  static async open(
    client: SchemaRegistryClient,
    options: {readonly topic: string; readonly schemas: readonly RecordSchema[]; readonly records?: readonly string[]},
  ): Promise<RegistryFraming> {
    const framing = new RegistryFraming(client);
    for (const [record, schema] of newestOf(options.schemas)) {
      if (options.records !== undefined && !options.records.includes(record)) continue;
      const kind = kindOfSchema(schema.schema);
      if (kind === undefined) throw refused(`${schema.name} describes none of Assay's records`);
      const id = await client.register(subjectOf(options.topic, MAPPINGS[kind].fullName), schema.schema);
      framing.#idByFingerprint.set(schema.fingerprint, id);
      framing.#schemaById.set(id, schema.schema);
    }
    return framing;
  }

  idOf(schema: RecordSchema): number {
    const id = this.#idByFingerprint.get(schema.fingerprint);
    if (id === undefined) throw refused(`${schema.name} is not registered for this topic`);
    return id;
  }

  schemaOf(id: number): unknown {
    return this.#schemaById.get(id);
  }

  /** Fetches the schemas that these records name and that are not known yet. */
  async prepare(values: Iterable<Uint8Array>): Promise<void> {
    const ids = new Set<number>();
    for (const value of values) {
      const id = idIn(value);
      if (id !== undefined && !this.#schemaById.has(id)) ids.add(id);
    }
    for (const id of ids) {
      const schema = await this.#client.schemaById(id);
      if (schema !== undefined) this.#schemaById.set(id, schema);
    }
  }
}

function idIn(value: Uint8Array): number | undefined {
  if (value.length < 5 || value[0] !== 0) return undefined;
  return new DataView(value.buffer, value.byteOffset).getUint32(1);
}

const problem = (code: ErrorCode, message: string, cause?: unknown): AssayError =>
  new AssayError(code, `schema registry: ${message}`, cause === undefined ? undefined : {cause});
const unavailable = (message: string, cause?: unknown): AssayError => problem('ASSAY_LOG_UNAVAILABLE', message, cause);
const refused = (message: string): AssayError => problem('ASSAY_SCHEMA_INCOMPATIBLE', message);
