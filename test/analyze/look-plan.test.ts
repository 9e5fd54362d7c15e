import {describe, expect, test} from 'vitest';
import {LookPlan} from '../../src/analyze/look-plan.ts';
import type {ExperimentDefinition, ExperimentView} from '../../src/core/experiment.ts';
import {epochMs} from '../../src/core/units.ts';
import {parseDefinition, requireDefinition} from '../../src/experiment/definition.ts';

const USUAL_MS = 20_000;

function looked(experiment: string, analysis: Record<string, unknown> = {}): Pick<ExperimentView, 'stream' | 'experiment' | 'definition'> {
  const document = {
    experiment, variants: {a: 1, b: 1}, control: 'a', analysis,
    metrics: [{key: 'score', measure: 'score', aggregate: 'mean', role: 'goal', direction: 'higher'}],
  };
  const definition: ExperimentDefinition = requireDefinition(parseDefinition(document), experiment);
  return {stream: 'live', experiment, definition};
}

/** Seconds at which each is looked at, when a new cut comes every second. */
function looksOf(views: readonly ReturnType<typeof looked>[], seconds: number): Record<string, number[]> {
  const plan = new LookPlan(USUAL_MS);
  const looks: Record<string, number[]> = Object.fromEntries(views.map(({experiment}) => [experiment, []]));
  for (let now = 0; now <= seconds * 1_000; now += plan.waitMs(views)) {
    const at = {now, cut: epochMs(now)};
    for (const view of views.filter(one => plan.isDue(one, at))) {
      plan.looked(view, at);
      looks[view.experiment]?.push(now / 1_000);
    }
  }
  return looks;
}

describe('when an experiment is looked at', () => {
  test('as often as its definition says, else as often as the server', () => {
    const views = [looked('usual'), looked('often', {look_every: '5s'}), looked('seldom', {look_every: '1h'}), looked('minute', {look_every: '90s'})];
    expect(looksOf(views, 100)).toEqual({
      usual: [0, 20, 40, 60, 80, 100], often: Array.from({length: 21}, (_, look) => look * 5), seldom: [0], minute: [0, 90],
    });
  });

  test('nobody waits for less than the usual time where nobody asks for it', () => {
    const plan = new LookPlan(USUAL_MS);
    expect([plan.waitMs([]), plan.waitMs([looked('seldom', {look_every: '1h'})]), plan.waitMs([looked('hasty', {look_every: '10ms'})])]).toEqual([USUAL_MS, USUAL_MS, 1_000]);
  });

  test('not again under the same cut', () => {
    const plan = new LookPlan(USUAL_MS);
    const view = looked('x');
    plan.looked(view, {now: 0, cut: epochMs(7)});
    expect(plan.isDue(view, {now: 10 * USUAL_MS, cut: epochMs(7)})).toBe(false);
    expect(plan.isDue(view, {now: USUAL_MS - 1, cut: epochMs(8)})).toBe(false);
    expect(plan.isDue(view, {now: USUAL_MS, cut: epochMs(8)})).toBe(true);
  });
});
