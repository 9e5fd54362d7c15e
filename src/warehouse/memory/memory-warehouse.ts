import type {Warehouse} from '../warehouse.ts';
import {MemoryAnalysis} from './memory-analysis.ts';
import {MemoryClosing} from './memory-closing.ts';
import {MemoryFacts} from './memory-facts.ts';
import {MemoryPrivacy} from './memory-privacy.ts';
import {MemoryRead} from './memory-read.ts';
import {MemoryResults} from './memory-results.ts';
import {MemoryState, type MemoryWarehouseOptions} from './memory-state.ts';

/**
 * The warehouse port by plain loops over everything that was ever inserted: slow,
 * obvious, and thereby a second statement of what the SQL must compute. Simulation
 * runs against it; `onCall` and `onInsert` are where things go wrong there.
 */
export function openMemoryWarehouse(options: MemoryWarehouseOptions = {}): Warehouse {
  const state = new MemoryState(options);
  const closing = new MemoryClosing(state);
  const whole = Object.assign(
    Object.assign(bound(new MemoryFacts(state)), bound(new MemoryPrivacy(state)), bound(closing), bound(new MemoryAnalysis(state))),
    Object.assign(bound(new MemoryResults()), bound(new MemoryRead(state, closing))),
  );
  return Object.assign(whole, {
    migrate: () => Promise.resolve({applied: [], version: 1}),
    engineVersion: () => Promise.resolve('memory'),
    ping: () => state.called('ping'),
    close: () => Promise.resolve(),
  });
}

/** The part's methods as own properties, so that several parts make one object. */
function bound<Part extends object>(part: Part): Part {
  const methods: Record<string, unknown> = {};
  for (const name of Object.getOwnPropertyNames(Object.getPrototypeOf(part))) {
    const method = (part as Record<string, unknown>)[name];
    if (name !== 'constructor' && typeof method === 'function') methods[name] = method.bind(part);
  }
  return methods as Part;
}
