import type {WindowsAround} from '../../src/core/verdict.ts';

/** A change at 08:00 with three windows of an arm on each side; the treatment drops after it. */
export function changeOf({variant = 'v2', ...over}: Partial<WindowsAround> & {readonly variant?: string} = {}): WindowsAround {
  const at = Date.parse('2026-11-21T08:00:00.000Z');
  const point = (index: number, arm: string) => ({
    start: new Date(at + index * 60_000).toISOString(),
    side: index < 0 ? ('before' as const) : ('after' as const),
    variant: arm,
    n: 40,
    value: arm === 'v1' ? 0.5 + index / 100 : index < 0 ? 0.6 : 0.4,
  });
  return {
    at: new Date(at).toISOString(), version: 2, phase: 2, author: 'ops', reason: 'half of the traffic', window_ms: 60_000,
    windows: [-3, -2, -1, 0, 1, 2].flatMap(index => [point(index, 'v1'), point(index, variant)]),
    ...over,
  };
}
