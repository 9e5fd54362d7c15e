import type {FactRows} from '../core/facts.ts';

/** The rows of all parts, one part after the other. */
export function joined<Row>(parts: readonly FactRows<Row>[]): FactRows<Row> {
  return {
    length: parts.reduce((sum, {length}) => sum + length, 0),
    *[Symbol.iterator]() {
      for (const part of parts) yield* part;
    },
  };
}
