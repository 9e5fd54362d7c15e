import {describe, expect, test} from 'vitest';
import {canonicalForm, fingerprintOf, fingerprintText} from '../../src/avro/fingerprint.ts';
import {RELEASED_SCHEMAS} from '../../src/avro/released.ts';

/** Facts of the Avro project's own share/test/data/schema-tests.txt: schema, canonical form, signed fingerprint. */
const VECTORS: readonly [unknown, string, bigint][] = [
  ['null', '"null"', 7195948357588979594n],
  ['int', '"int"', 8247732601305521295n],
  [{type: 'boolean'}, '"boolean"', -6970731678124411036n],
  ['string', '"string"', -8142146995180207161n],
  [[], '[]', -1241056759729112623n],
  [['int', {type: 'boolean'}], '["int","boolean"]', 5392556393470105090n],
  [{fields: [], type: 'record', name: 'foo', namespace: 'x.y'}, '{"name":"x.y.foo","type":"record","fields":[]}', 5916914534497305771n],
  [{fields: [], type: 'record', name: 'a.b.foo', namespace: 'x.y'}, '{"name":"a.b.foo","type":"record","fields":[]}', -4616218487480524110n],
  [
    {
      fields: [
        {type: 'boolean', aliases: [], name: 'f1', default: 'true'},
        {order: 'descending', name: 'f2', doc: 'Hello', type: 'int'},
      ],
      type: 'record',
      name: 'foo',
    },
    '{"name":"foo","type":"record","fields":[{"name":"f1","type":"boolean"},{"name":"f2","type":"int"}]}',
    -4860222112080293046n,
  ],
  [{namespace: 'x.y.z', type: 'enum', name: 'foo', doc: 'd', symbols: ['A1', 'A2']}, '{"name":"x.y.z.foo","type":"enum","symbols":["A1","A2"]}', -4448647247586288245n],
  [{name: 'foo', type: 'fixed', size: 15}, '{"name":"foo","type":"fixed","size":15}', 1756455273707447556n],
  [{items: {type: 'null'}, type: 'array'}, '{"type":"array","items":"null"}', -589620603366471059n],
  [{values: 'string', type: 'map'}, '{"type":"map","values":"string"}', -8732877298790414990n],
  [
    {name: 'PigValue', type: 'record', fields: [{name: 'value', type: ['null', 'int', 'long', 'PigValue']}]},
    '{"name":"PigValue","type":"record","fields":[{"name":"value","type":["null","int","long","PigValue"]}]}',
    -1759257747318642341n,
  ],
];

/** A released schema never changes: a change is a new file. Written down, so that an edit fails here. */
const RELEASED: Readonly<Record<string, string>> = {
  'experiment.v1': '30cf0e426cee31cd',
  'exposure.v1': 'fd237ee552cb816c',
  'outcome.v1': '7c6294cd7fb24743',
  'stream.v1': '1de53a978670da53',
  'tick.v1': 'e598d5484711b75e',
};

describe('CRC-64-AVRO over the Parsing Canonical Form', () => {
  test.each(VECTORS)('%j is as the Avro project computes it', (schema, canonical, fingerprint) => {
    expect(canonicalForm(schema)).toBe(canonical);
    expect(BigInt.asIntN(64, fingerprintOf(schema))).toBe(fingerprint);
  });

  test('"int" reads 7275d51a3f395c8f', () => {
    expect(fingerprintText(fingerprintOf('int'))).toBe('7275d51a3f395c8f');
  });

  test('released schemas have the fingerprints they were released with', () => {
    const found = Object.fromEntries(RELEASED_SCHEMAS.map(({name, fingerprint}) => [name, fingerprintText(fingerprint)]));
    expect(found).toEqual(RELEASED);
  });

  test('what is no schema is named', () => {
    expect(() => canonicalForm(7)).toThrow('not an Avro schema: 7');
    expect(() => canonicalForm({type: 'record', name: 'a'})).toThrow('list of fields');
  });
});
