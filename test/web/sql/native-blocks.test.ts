import {describe, expect, test} from 'vitest';
import {nativeFor} from '../../../src/web/sql/native-blocks.ts';
import {withShownSettings} from '../../../src/web/sql/shown-settings.ts';

const text = (value: string): number[] => [value.length, ...Buffer.from(value)];
const uint64 = (value: number): number[] => [...new Uint8Array(new BigUint64Array([BigInt(value)]).buffer)];
const block = (rows: number, ...columns: readonly (readonly [name: string, type: string, data: readonly number[]])[]): Uint8Array =>
  Uint8Array.from([columns.length, rows, ...columns.flatMap(([name, type, data]) => [...text(name), ...text(type), ...data])]);
const INFO = [1, 0, 2, 255, 255, 255, 255, 0];

describe('Native for a client’s protocol version', () => {
  test('version 0 is what the engine writes', () => {
    const body = block(1, ['a', 'UInt8', [7]]);
    expect(nativeFor(0, body)).toBe(body);
    expect(nativeFor(54_460, new Uint8Array(0))).toHaveLength(0);
  });

  test('block information from 1 on, the flag of each column from 54454 on', () => {
    const body = block(2, ['a', 'UInt8', [7, 8]], ['s', 'String', [...text('xy'), ...text('')]]);
    expect([...nativeFor(54_453, body)]).toEqual([...INFO, ...body]);
    expect([...nativeFor(54_454, body)]).toEqual([...INFO, 2, 2, ...text('a'), ...text('UInt8'), 0, 7, 8, ...text('s'), ...text('String'), 0, ...text('xy'), ...text('')]);
  });

  test('every block gets both, also one without rows', () => {
    const [empty, full] = [block(0, ['a', 'Array(String)', []]), block(1, ['a', 'Array(String)', [...uint64(1), ...text('q')]])];
    const made = [...nativeFor(54_460, Buffer.concat([empty, full]))];
    expect(made).toEqual([...INFO, 1, 0, ...text('a'), ...text('Array(String)'), 0, ...INFO, 1, 1, ...text('a'), ...text('Array(String)'), 0, ...uint64(1), ...text('q')]);
  });

  test('dictionaries, nested in arrays of nullable parts too', () => {
    const dictionary = [...uint64(0x200), ...uint64(2), ...text(''), ...text('v'), ...uint64(3), 1, 0, 1];
    const body = block(2, ['l', 'Array(LowCardinality(Nullable(String)))', [...uint64(1), ...uint64(2), ...uint64(3), ...dictionary]], ['n', 'Nullable(UInt16)', [0, 1, 5, 0, 0, 0]]);
    const made = nativeFor(54_460, body);
    expect(made).toHaveLength(body.length + INFO.length + 2);
    expect([...made.slice(-7)]).toEqual([0, 0, 1, 5, 0, 0, 0]);
  });

  test.each(['AggregateFunction(uniq, UInt64)', 'JSON', 'Variant(String, UInt8)', 'Dynamic'])('%s has no layout that is known here, and the error says what to do', type => {
    expect(() => nativeFor(54_460, block(1, ['a', type, [1, 2, 3]]))).toThrow(/cannot be sent in Native to this client; convert it/);
  });

  test('a body that ends early is an error, not an answer', () => {
    expect(() => nativeFor(54_460, block(3, ['a', 'UInt64', [1, 2, 3]]))).toThrow(/ends within a block/);
  });
});

describe('system.settings as a client sees it', () => {
  const shown = (sql: string): string => withShownSettings(sql, {names: ['max_threads'], pattern: '^format_', except: '^format_schema'});

  test('only as a table, with the alias it has or its own name', () => {
    expect(shown('SELECT name FROM system.settings LIMIT 1')).toMatch(/^SELECT name FROM \(SELECT \* REPLACE \(.*\) FROM system\.settings\) AS settings LIMIT 1$/);
    expect(shown('SELECT 1 FROM system.settings AS s')).toMatch(/FROM system\.settings\) AS s$/);
    expect(shown('SELECT 1 FROM a, system . settings s')).toMatch(/FROM system\.settings\) s$/);
    for (const other of ["SELECT 'FROM system.settings'", 'SELECT system.settings.name FROM t', 'SELECT 1 FROM system.settings_changes', 'SELECT 1']) expect(shown(other)).toBe(other);
  });
});
