import {createServer, type IncomingMessage, type Server} from 'node:http';
import type {AddressInfo} from 'node:net';
import {afterEach, describe, expect, test} from 'vitest';
import {RecordCodec} from '../../src/avro/codec.ts';
import {RegistryFraming, SchemaRegistryClient, subjectOf} from '../../src/avro/registry.ts';
import {RELEASED_SCHEMAS} from '../../src/avro/released.ts';
import {recordSchema} from '../../src/avro/schema-files.ts';
import type {AssayError} from '../../src/core/errors.ts';
import type {Tick} from '../../src/core/events.ts';
import {epochMs} from '../../src/core/units.ts';

const TICK: Tick = {kind: 'tick', sentTs: epochMs(5), owner: 'w'};

/** The calls of the real thing that we make, with its status codes. */
class FakeRegistry {
  readonly subjects = new Map<string, number[]>();
  readonly schemas: string[] = [];
  readonly seen: string[] = [];
  trouble: 'none' | '503' | 'silence' | 'html' = 'none';
  #server: Server | undefined;

  async start(): Promise<SchemaRegistryClient> {
    const server = createServer((request, response) => {
      void body(request).then(text => {
        this.seen.push(`${request.method} ${request.url}`);
        if (this.trouble === 'silence') return;
        if (this.trouble === 'html') return void response.end('<html>');
        const [status, answer] = this.trouble === '503' ? [503, {message: 'later'}] : this.#answer(request.url ?? '', text);
        response.writeHead(status as number, {'content-type': 'application/json'}).end(JSON.stringify(answer));
      });
    });
    this.#server = server;
    await new Promise<void>(done => server.listen(0, '127.0.0.1', done));
    const {port} = server.address() as AddressInfo;
    return new SchemaRegistryClient({url: `http://127.0.0.1:${port}`, fetch, timeoutMs: 300});
  }

  stop(): void {
    this.#server?.closeAllConnections();
    this.#server?.close();
  }

  #answer(url: string, text: string): [number, unknown] {
    const [, what, subject = ''] = /^\/(subjects|schemas\/ids|compatibility\/subjects)\/([^/]+)/.exec(url) ?? [];
    if (what === 'schemas/ids') {
      const schema = this.schemas[Number(subject) - 1];
      return schema === undefined ? [404, {error_code: 40403}] : [200, {schema}];
    }
    const {schema} = JSON.parse(text) as {schema: string};
    const known = this.subjects.get(decodeURIComponent(subject));
    if (what === 'compatibility/subjects') return known === undefined ? [404, {error_code: 40401}] : [200, {is_compatible: !schema.includes('must')}];
    if (schema.includes('must')) return [409, {error_code: 409, message: 'incompatible'}];
    const at = this.schemas.indexOf(schema);
    const id = at >= 0 ? at + 1 : this.schemas.push(schema);
    this.subjects.set(decodeURIComponent(subject), [...(known ?? []), id]);
    return [200, {id}];
  }
}

async function body(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return text;
}

const fakes: FakeRegistry[] = [];
afterEach(() => {
  for (const fake of fakes.splice(0)) fake.stop();
});
async function started(): Promise<{fake: FakeRegistry; client: SchemaRegistryClient}> {
  const fake = new FakeRegistry();
  fakes.push(fake);
  return {fake, client: await fake.start()};
}

const codeOf = (promise: Promise<unknown>): Promise<string> => promise.then(() => 'ok', (error: AssayError) => error.code);

describe('Confluent framing', () => {
  test('records are written with the registered id under topic and record name, and read back', async () => {
    const {fake, client} = await started();
    const framing = await RegistryFraming.open(client, {topic: 'assay.events.v1', schemas: RELEASED_SCHEMAS, records: ['exposure', 'outcome', 'tick']});
    expect([...fake.subjects.keys()]).toEqual(['assay.events.v1-assay.Exposure', 'assay.events.v1-assay.Outcome', 'assay.events.v1-assay.Tick']);
    const codec = new RecordCodec(RELEASED_SCHEMAS, framing);
    const bytes = codec.encode(TICK);
    expect([...bytes.subarray(0, 5)]).toEqual([0, 0, 0, 0, 3]);
    expect(codec.decode(bytes)).toMatchObject({ok: true, event: TICK, schema: {name: 'tick.v1'}, bodyOffset: 5});
    // Records from before the registry was there stay readable.
    expect(codec.decode(new RecordCodec(RELEASED_SCHEMAS).encode(TICK))).toMatchObject({ok: true, event: TICK});
    expect(() => codec.encode({kind: 'stream', stream: {} as never})).toThrow();
  });

  test('a newer version is read after its id was fetched once', async () => {
    const {fake, client} = await started();
    const framing = await RegistryFraming.open(client, {topic: 't', schemas: RELEASED_SCHEMAS, records: ['tick']});
    const v2 = structuredClone(RELEASED_SCHEMAS.find(({name}) => name === 'tick.v1')?.schema) as {fields: object[]};
    v2.fields.push({name: 'host', type: 'string', default: 'h'});
    const newer = await RegistryFraming.open(client, {topic: 't', schemas: [recordSchema('tick', 2, v2)]});
    const bytes = new RecordCodec([recordSchema('tick', 2, v2)], newer).encode(TICK);
    const codec = new RecordCodec(RELEASED_SCHEMAS, framing);
    expect(codec.decode(bytes)).toMatchObject({ok: false, code: 'unknown_schema'});
    const before = fake.seen.length;
    await framing.prepare([bytes, bytes, new Uint8Array(0), Uint8Array.of(0, 1)]);
    await framing.prepare([bytes]);
    expect(fake.seen.slice(before)).toEqual(['GET /schemas/ids/2']);
    expect(codec.decode(bytes)).toMatchObject({ok: true, event: TICK, schema: {name: 'tick#2'}});
    await framing.prepare([Uint8Array.of(0, 0, 0, 0, 99, 1)]);
    expect(codec.decode(Uint8Array.of(0, 0, 0, 0, 99, 1))).toMatchObject({ok: false, code: 'unknown_schema', message: expect.stringContaining('99')});
  });

  test('the compatibility of a subject is asked; an unknown one takes anything', async () => {
    const {client} = await started();
    expect(await client.isCompatible(subjectOf('t', 'assay.Tick'), {x: 1})).toBe(true);
    await client.register('t-assay.Tick', {x: 1});
    expect(await client.isCompatible('t-assay.Tick', {x: 2})).toBe(true);
    expect(await client.isCompatible('t-assay.Tick', {must: 2})).toBe(false);
    expect(await codeOf(client.register('t-assay.Tick', {must: 2}))).toBe('ASSAY_SCHEMA_INCOMPATIBLE');
  });

  test('a registry that is away, silent or not one is worth another try', async () => {
    const {fake, client} = await started();
    for (const trouble of ['503', 'silence', 'html'] as const) {
      fake.trouble = trouble;
      expect(await codeOf(client.schemaById(1)), trouble).toBe('ASSAY_LOG_UNAVAILABLE');
    }
    fake.stop();
    expect(await codeOf(client.schemaById(1))).toBe('ASSAY_LOG_UNAVAILABLE');
  });
});
