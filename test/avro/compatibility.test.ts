import {describe, expect, test} from 'vitest';
import {checkSchemaChange, checkSchemas} from '../../src/avro/compatibility.ts';
import {RELEASED_SCHEMAS} from '../../src/avro/released.ts';
import {recordSchema} from '../../src/avro/schema-files.ts';

type Avsc = {name: string; doc?: string; fields: {name: string; type: unknown; default?: unknown}[]};

const released = (name: string): Avsc => structuredClone(RELEASED_SCHEMAS.find(schema => schema.name === name)?.schema) as Avsc;
const edited = (name: string, edit: (schema: Avsc) => void): Avsc => {
  const schema = released(name);
  edit(schema);
  return schema;
};
const problems = (name: string, edit: (schema: Avsc) => void): string[] =>
  checkSchemaChange('r', released(name), edited(name, edit)).map(({direction, compatible, problem}) =>
    compatible ? `${direction} ok` : `${direction}: ${problem}`,
  );

describe('schema compatibility', () => {
  test('what is released is compatible with itself', () => {
    expect(checkSchemas(RELEASED_SCHEMAS, RELEASED_SCHEMAS)).toEqual([]);
  });

  test('a new field with a default is fine both ways', () => {
    expect(problems('exposure.v1', schema => void schema.fields.push({name: 'surface', type: 'string', default: ''}))).toEqual(['backward ok', 'forward ok']);
  });

  test('a new field without default breaks reading of what lies in the log', () => {
    expect(problems('exposure.v1', schema => void schema.fields.push({name: 'must', type: 'string'}))).toEqual([
      'backward: field must has no default and is not in what was written',
      'forward ok',
    ]);
  });

  test('dropping a field without default breaks workers that are not upgraded yet', () => {
    const drop = (...names: string[]) => (schema: Avsc) => {
      schema.fields = schema.fields.filter(({name}) => !names.includes(name));
    };
    expect(problems('exposure.v1', drop('variant', 'phase'))).toEqual([
      'backward ok',
      'forward: field variant has no default and is not in what was written; field phase has no default and is not in what was written',
    ]);
    expect(problems('exposure.v1', drop('session_id'))).toEqual(['backward ok', 'forward ok']);
  });

  test('a changed type names the field', () => {
    const [backward, forward] = problems('outcome.v1', schema => {
      for (const field of schema.fields) if (field.name === 'measures') field.type = {type: 'map', values: 'string'};
    });
    expect(backward).toMatch(/^backward: field measures: /);
    expect(forward).toMatch(/^forward: field measures: /);
    expect(problems('exposure.v1', schema => {
      for (const field of schema.fields) if (field.name === 'phase') field.type = 'long';
    })).toEqual(['backward ok', expect.stringMatching(/^forward: field phase: /)]);
  });

  test('a renamed enum symbol is named', () => {
    const rename = (schema: Avsc) => {
      for (const field of schema.fields) {
        if (field.name === 'reason') field.type = {type: 'enum', name: 'ExposureReason', symbols: ['assigned', 'forced', 'fallback']};
      }
    };
    expect(problems('exposure.v1', rename)).toEqual([
      'backward: field reason: symbol override is unknown to the reader',
      'forward: field reason: symbol forced is unknown to the reader',
    ]);
  });

  test('a released file must not change or vanish; docs may', () => {
    const others = RELEASED_SCHEMAS.filter(({name}) => name !== 'tick.v1');
    expect(checkSchemas(RELEASED_SCHEMAS, others)).toMatchObject([{schema: 'tick.v1', compatible: false, problem: expect.stringContaining('gone')}]);
    const more = edited('tick.v1', schema => void schema.fields.push({name: 'x', type: 'int', default: 0}));
    expect(checkSchemas(RELEASED_SCHEMAS, [...others, recordSchema('tick', 1, more)])[0]).toMatchObject({compatible: false, problem: expect.stringContaining('tick.v2.avsc')});
    const documented = edited('tick.v1', schema => {
      schema.doc = 'better words';
    });
    expect(checkSchemas(RELEASED_SCHEMAS, [...others, recordSchema('tick', 1, documented)])).toEqual([]);
  });

  test('every version is checked against every older one', () => {
    const v2 = edited('tick.v1', schema => void schema.fields.push({name: 'x', type: 'int', default: 0}));
    const v3 = edited('tick.v1', schema => void schema.fields.push({name: 'x', type: 'string', default: ''}));
    const checks = checkSchemas(RELEASED_SCHEMAS, [...RELEASED_SCHEMAS, recordSchema('tick', 2, v2), recordSchema('tick', 3, v3)]);
    expect(checks.map(({schema, direction, compatible}) => `${schema} ${direction} ${compatible}`)).toEqual([
      'tick.v1 → tick.v2 backward true', 'tick.v1 → tick.v2 forward true',
      'tick.v1 → tick.v3 backward true', 'tick.v1 → tick.v3 forward true',
      'tick.v2 → tick.v3 backward false', 'tick.v2 → tick.v3 forward false',
    ]);
  });
});
