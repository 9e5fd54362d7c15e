import {describe, expect, test} from 'vitest';
import {ByteCache, NOWHERE} from '../../src/avro/byte-cache.ts';

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const get = (cache: ByteCache<string>, text: string): string | undefined => {
  const bytes = bytesOf(`..${text}..`);
  return cache.get(bytes, 2, bytes.length - 2);
};

describe('bytes remembered by what they mean', () => {
  test('what was put in is found by its bytes, wherever they lie', () => {
    const cache = new ByteCache<string>(64);
    const place = cache.set(bytesOf('exp-1 a'), 'arm a');
    expect(get(cache, 'exp-1 a')).toBe('arm a');
    expect(cache.meaningAt(place)).toBe('arm a');
    expect([get(cache, 'exp-1 b'), get(cache, 'exp-1 a '), get(cache, 'exp-1')]).toEqual([undefined, undefined, undefined]);
    expect(cache.meaningAt(NOWHERE)).toBeUndefined();
  });

  test('nothing and long stretches are not remembered', () => {
    const cache = new ByteCache<string>(64);
    expect([cache.set(bytesOf(''), 'x'), cache.set(bytesOf('y'.repeat(65)), 'y')]).toEqual([NOWHERE, NOWHERE]);
    expect([get(cache, ''), get(cache, 'y'.repeat(65))]).toEqual([undefined, undefined]);
  });

  test('filled to a third nearly all stay; far overfilled nothing wrong is said', () => {
    const cache = new ByteCache<string>(65_536);
    const names = Array.from({length: 20_000}, (_, index) => `exp-${index % 10_000} ${index < 10_000 ? 'a' : 'b'}`);
    for (const name of names) cache.set(bytesOf(name), name);
    expect(names.filter(name => get(cache, name) !== name).length).toBeLessThan(20);
    const small = new ByteCache<string>(64);
    for (const name of names) small.set(bytesOf(name), name);
    const answers = names.map(name => [name, get(small, name)] as const).filter(([, answer]) => answer !== undefined);
    expect(answers.length).toBeGreaterThan(0);
    expect(answers.every(([name, answer]) => answer === name)).toBe(true);
  });
});
