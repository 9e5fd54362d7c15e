import type {ExperimentDefinition, Lifecycle} from '../core/experiment.ts';

/**
 *     draft ──► running ⇄ paused
 *       │          │        │
 *       │          ▼        ▼
 *       │        concluded ◄┘
 *       ▼          ▼
 *     archived ◄───┘
 *
 * A draft may be archived at once: an import's experiments are drafts for ever,
 * and facts expire only when every experiment they touch is archived.
 */
const NEXT: Readonly<Record<Lifecycle, readonly Lifecycle[]>> = {
  draft: ['running', 'archived'],
  running: ['paused', 'concluded'],
  paused: ['running', 'concluded'],
  concluded: ['archived'],
  archived: [],
};

/** Why a version may not follow another, in words; undefined when it may. `from` is undefined for a first version. */
export function transitionProblem(from: ExperimentDefinition | undefined, to: ExperimentDefinition): string | undefined {
  if (from === undefined) {
    if (to.lifecycle === 'draft' || to.lifecycle === 'running') return undefined;
    return `a first version is a draft or running, not ${to.lifecycle}`;
  }
  if (from.lifecycle === 'archived') return 'it is archived; start a new experiment';
  if (from.lifecycle !== to.lifecycle && !NEXT[from.lifecycle].includes(to.lifecycle)) {
    return `${from.lifecycle} cannot become ${to.lifecycle}, only ${NEXT[from.lifecycle].join(' or ')}`;
  }
  if (from.lifecycle === 'draft') return undefined;
  // Attribution looks at the design, so changing it would rewrite what is already counted.
  for (const field of ['design', 'unit'] as const) {
    if (from[field] !== to[field]) return `${field} cannot change from ${from[field]} to ${to[field]} once it ran; start a new experiment`;
  }
  return undefined;
}

/** Whether it keeps its share of a layer: also while paused, so that it can resume with the same units. */
export const holdsLayerShare = ({layer, lifecycle}: ExperimentDefinition): boolean =>
  layer !== null && (lifecycle === 'running' || lifecycle === 'paused');
