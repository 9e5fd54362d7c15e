import {expect} from 'vitest';

/** Equal to a relative 1e-9. */
export function expectClose(actual: number | null | undefined, expected: number): void {
  const size = Math.max(Math.abs(expected), 1e-300);
  expect(Math.abs((actual ?? Number.NaN) - expected) / size, `${actual} against ${expected}`).toBeLessThan(1e-9);
}
