import {AssayError} from '../core/errors.ts';
import {deriveSlots, type SlotTable, VARIANTS_MAX, type WeightedVariant} from './slots.ts';

/**
 * `a=60,b=30,c=10` → variants with their weights, in written order.
 * @throws AssayError ASSAY_USAGE listing everything that is wrong.
 */
export function parseWeights(text: string): WeightedVariant[] {
  const errors: string[] = [];
  const variants = text.split(',').map(part => {
    const at = part.lastIndexOf('=');
    const key = (at < 0 ? part : part.slice(0, at)).trim();
    const written = at < 0 ? '' : part.slice(at + 1).trim();
    const weight = written === '' ? Number.NaN : Number(written);
    if (key === '') errors.push(`${JSON.stringify(part)} names no variant`);
    else if (!(weight >= 0 && weight <= 1e9)) errors.push(`${key} has weight ${JSON.stringify(written)}; write a number from 0`);
    return {key, weight};
  });
  const keys = variants.map(({key}) => key);
  const twice = keys.filter((key, index) => key !== '' && keys.indexOf(key) !== index);
  for (const key of new Set(twice)) errors.push(`${key} is there twice`);
  if (variants.length > VARIANTS_MAX) errors.push(`${variants.length} variants, at most ${VARIANTS_MAX}`);
  if (errors.length === 0 && variants.every(({weight}) => weight === 0)) errors.push('all weights are 0');
  if (errors.length === 0) return variants;
  throw new AssayError('ASSAY_USAGE', `the weights ${JSON.stringify(text)} are wrong: ${errors.join('; ')}; write them like a=60,b=30,c=10`);
}

/** The table for the last of these weights, each derived from the one before it; the first stands alone. */
export function deriveChain(steps: readonly (readonly WeightedVariant[])[]): SlotTable {
  const history: SlotTable[] = [];
  for (const variants of steps) history.unshift({variants, slots: deriveSlots(variants, 1, history)});
  return history[0] ?? {variants: [], slots: new Int8Array(0)};
}
