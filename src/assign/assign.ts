import type {ExperimentDefinition, ExperimentVersion} from '../core/experiment.ts';
import type {ExposureReason} from '../core/events.ts';
import {LIMITS} from '../core/limits.ts';
import {hashUnit} from './hash.ts';
import {holdsLayerSlot, layerSalt} from './layer.ts';
import {SLOTS} from './slots.ts';

/** The parts of a definition that decide who meets what. */
export type AssignableDefinition = Pick<
  ExperimentDefinition,
  'variants' | 'control' | 'fallback' | 'lifecycle' | 'salt' | 'layer' | 'targeting' | 'overrides' | 'sampleRate'
>;

/** A version and, when it is in a layer, the layer's slots it holds. */
export type AssignableVersion = Pick<ExperimentVersion, 'slots' | 'phase' | 'version'> & {
  readonly definition: AssignableDefinition;
  /** One bit per slot of the layer; empty without a share of a layer. */
  readonly layerSlots?: Uint8Array;
};

/** What is known of a unit when it asks. Header names may have any case; the rest is compared as written. */
export type AssignRequest = {
  readonly unitId: string;
  readonly attributes?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string>>;
  readonly session?: Readonly<Record<string, string>>;
};

/**
 * Why a unit got its variant. All but `slot` and `override` serve the fallback:
 * not running (draft, paused, concluded), not targeted, not allocated (its slot
 * has no owner), in another experiment of the layer, an unusable unit id, a budget
 * that is nearly spent (then the cheaper variant it names), an experiment this process knows nothing of (yet), or an error of ours.
 */
export type AssignCause =
  | 'slot'
  | 'override'
  | 'not_running'
  | 'not_targeted'
  | 'not_allocated'
  | 'not_in_layer_share'
  | 'invalid_unit'
  | 'budget'
  | 'unknown_experiment'
  | 'error';

export type Assignment = {
  readonly variant: string;
  /** What an exposure to this variant must say. */
  readonly reason: ExposureReason;
  readonly cause: AssignCause;
  readonly phase: number;
  readonly configVersion: number;
};

/** The slot of a unit under a salt: the hash scaled to 0…9 999, so all its bits count. */
export const slotOf = (salt: string, unitId: string): number => Math.floor((hashUnit(salt, unitId) * SLOTS) / 2 ** 32);

/**
 * The variant that owns the unit's slot; undefined when nobody does. Pure, and
 * allocates nothing.
 */
export function assignVariant(options: {
  readonly salt: string;
  readonly unitId: string;
  readonly slots: Int8Array;
  readonly variants: readonly {readonly key: string}[];
}): string | undefined {
  const owner = options.slots[slotOf(options.salt, options.unitId)] ?? -1;
  return owner < 0 ? undefined : options.variants[owner]?.key;
}

/** Whether a unit is in a sample of this rate (0, 1]: whole units, the same share of every variant. */
export const isSampled = (salt: string, unitId: string, rate: number): boolean =>
  rate >= 1 || hashUnit(`${salt}/sample`, unitId) < rate * 2 ** 32;

/** Decides a unit's variant. Never throws: whatever goes wrong, the unit gets the fallback. */
export function assign(version: AssignableVersion, request: AssignRequest): Assignment {
  const {definition} = version;
  try {
    const overridden = overrideOf(definition, request);
    if (overridden !== undefined) return answer(version, overridden, 'override');
    const cause = exclusionOf(version, request);
    if (cause !== undefined) return answer(version, definition.fallback, cause);
    const {salt, variants} = definition;
    const variant = assignVariant({salt, variants, slots: version.slots, unitId: request.unitId});
    return variant === undefined ? answer(version, definition.fallback, 'not_allocated') : answer(version, variant, 'slot');
  } catch {
    return answer(version, definition.fallback, 'error');
  }
}

function answer(version: AssignableVersion, variant: string, cause: AssignCause): Assignment {
  const reason = cause === 'slot' ? 'assigned' : cause === 'override' ? 'override' : 'fallback';
  return {variant, reason, cause, phase: version.phase, configVersion: version.version};
}

/** A tester's wish counts until the experiment is over; a variant that does not exist is no wish. */
function overrideOf(definition: AssignableDefinition, request: AssignRequest): string | undefined {
  if (definition.lifecycle === 'concluded' || definition.lifecycle === 'archived') return undefined;
  for (const {kind, name} of definition.overrides) {
    const wish = kind === 'header' ? header(request.headers, name) : own(kind === 'query' ? request.query : request.session, name);
    if (wish !== undefined && definition.variants.some(({key}) => key === wish)) return wish;
  }
  return undefined;
}

function exclusionOf(version: AssignableVersion, request: AssignRequest): AssignCause | undefined {
  const {definition, layerSlots} = version;
  const {unitId} = request;
  if (typeof unitId !== 'string' || unitId === '' || unitId.length > LIMITS.unitIdCharsMax) return 'invalid_unit';
  if (definition.lifecycle !== 'running') return 'not_running';
  if (!isTargeted(definition.targeting, request.attributes)) return 'not_targeted';
  if (definition.layer === null) return undefined;
  const slot = slotOf(layerSalt(definition.layer), unitId);
  return layerSlots !== undefined && holdsLayerSlot(layerSlots, slot) ? undefined : 'not_in_layer_share';
}

/** Every attribute named must have one of its values. */
function isTargeted(targeting: AssignableDefinition['targeting'], attributes: AssignRequest['attributes']): boolean {
  for (const name in targeting) {
    const value = own(attributes, name);
    if (value === undefined || !targeting[name]?.includes(value)) return false;
  }
  return true;
}

function header(headers: AssignRequest['headers'], name: string): string | undefined {
  if (headers === undefined) return undefined;
  const exact = own(headers, name);
  if (exact !== undefined) return exact;
  const wanted = name.toLowerCase();
  const found = Object.keys(headers).find(key => key.toLowerCase() === wanted);
  return found === undefined ? undefined : headers[found];
}

const own = (map: Readonly<Record<string, string>> | undefined, name: string): string | undefined =>
  map !== undefined && Object.hasOwn(map, name) ? map[name] : undefined;
