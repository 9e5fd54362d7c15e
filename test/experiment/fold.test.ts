import {describe, expect, test} from 'vitest';
import {encodeExperiment, encodeStream} from '../../src/avro/released.ts';
import type {ExperimentRecord} from '../../src/avro/records.ts';
import {murmur3} from '../../src/assign/hash.ts';
import {layersOverlap} from '../../src/assign/layer.ts';
import {canonicalJson} from '../../src/core/canonical-json.ts';
import type {Lifecycle} from '../../src/core/experiment.ts';
import {type Rng, seededRng} from '../../src/core/rng.ts';
import {durationMs, epochMs} from '../../src/core/units.ts';
import {parseDefinition, requireDefinition} from '../../src/experiment/definition.ts';
import {foldRecord, type LoggedConfig} from '../../src/experiment/fold.ts';
import {transitionProblem} from '../../src/experiment/lifecycle.ts';
import {makeRecord} from '../../src/experiment/make-record.ts';
import {currentOf, currentVersions, EMPTY_STATE, type ExperimentsState, historyOf, versionAt, viewOf} from '../../src/experiment/state.ts';

const definitionOf = (other: object = {}) =>
  requireDefinition(parseDefinition({experiment: 'e', variants: {a: 1, b: 1}, control: 'a', lifecycle: 'running', ...other}));
const changeOf = (other: object = {}) => ({stream: 'live', definition: definitionOf(other), author: 'ann', reason: ''});

/** Folds values in order, one millisecond apart. */
const foldAll = (values: readonly Uint8Array[], state = EMPTY_STATE): ExperimentsState =>
  values.reduce((sum, value) => foldRecord(sum, {offset: sum.nextOffset, timestamp: epochMs(1_000 + Number(sum.nextOffset)), value}), state);
const fold = (state: ExperimentsState, record: ExperimentRecord, at: Partial<LoggedConfig> = {}): ExperimentsState =>
  foldRecord(state, {offset: state.nextOffset, timestamp: epochMs(1_000), value: encodeExperiment(record), ...at});

describe('the fold over the experiments topic', () => {
  const first = makeRecord(EMPTY_STATE, changeOf());
  const started = fold(EMPTY_STATE, first);

  test.each<[string, Partial<ExperimentRecord>, string, string]>([
    ['a stale predecessor', {predecessor: 0, version: 1}, 'stale_predecessor', 'the current one is 1 by ann'],
    ['a version that skips one', {version: 3}, 'stale_predecessor', ''],
    ['a wrong phase', {phase: 2}, 'malformed', 'this change makes phase 1'],
    ['a stream nobody announced', {stream: 'x'}, 'unknown_stream', 'stream x'],
    ['a definition that is no JSON', {definition: '{'}, 'malformed', 'not JSON'],
    ['a definition with mistakes', {definition: '{"experiment":"e"}'}, 'malformed', 'control'],
    ["another experiment's definition", {definition: first.definition.replace('"experiment":"e"', '"experiment":"f"')}, 'malformed', 'experiment f'],
    ['a short slot table', {slots: new Int8Array(3)}, 'malformed', '3 slots instead of 10000'],
    ['a slot of nobody known', {slots: first.slots.map(() => 2)}, 'malformed', 'variant 2'],
    ['slots that are not the weights', {slots: first.slots.map(() => 0)}, 'malformed', '10000/0 slots'],
    ['a share of a layer it is not in', {layerSlots: new Uint8Array(1250)}, 'malformed', 'layer'],
    ['an illegal transition', {definition: first.definition.replace('running', 'archived')}, 'illegal_transition', 'running cannot become archived'],
  ])('%s is refused and changes nothing', (_, other, code, words) => {
    const next = {...makeRecord(started, changeOf({owner: 'x'})), ...other};
    const state = fold(started, next);
    expect(state.refusals).toMatchObject([{offset: 1n, code, reason: expect.stringContaining(words)}]);
    expect(state.histories).toBe(started.histories);
    expect([state.nextOffset, state.refusedCount]).toEqual([2n, 1]);
    expect(fold(state, makeRecord(started, changeOf({owner: 'x'}))).refusedCount).toBe(1);
  });

  test('a record of a newer Assay, with keys not known here, is accepted as everywhere', () => {
    const next = makeRecord(started, changeOf({owner: 'x'}));
    const state = fold(started, {...next, definition: JSON.stringify({...JSON.parse(next.definition), brand_new: {x: 1}})});
    expect(currentOf(state, 'live', 'e')).toMatchObject({version: 2, definition: {owner: 'x'}});
  });

  test('a clock that runs backwards does not: versions hold in their order', () => {
    const state = fold(started, makeRecord(started, changeOf({allocation: 0.5})), {timestamp: epochMs(10)});
    expect(historyOf(state, 'live', 'e').map(({validFrom}) => validFrom)).toEqual([1_000, 1_000]);
    expect(versionAt(historyOf(state, 'live', 'e'), 999)).toBeUndefined();
    expect(versionAt(historyOf(state, 'live', 'e'), 1_000)?.version).toBe(2);
  });

  test('an unchanged slot table is held once, however many versions have it', () => {
    const state = fold(started, makeRecord(started, changeOf({owner: 'x'})));
    const [one, two] = historyOf(state, 'live', 'e');
    expect(one?.slots).toBe(two?.slots);
  });

  test('phases of an import stay one, and hold from the beginning of time', () => {
    const stream = {name: 'imp', kind: 'import', topic: 't', latenessMs: durationMs(0), sliceMs: durationMs(1), maxAgeMs: null, partitions: 1} as const;
    let state = foldAll([encodeStream(stream), encodeStream(stream), encodeStream({...stream, partitions: 2})]);
    expect(state.refusals).toMatchObject([{code: 'stream_changed', stream: 'imp'}]);
    for (const weights of [{a: 1, b: 1}, {a: 1, b: 2}]) {
      state = fold(state, makeRecord(state, {...changeOf({lifecycle: 'draft', variants: weights}), stream: 'imp'}));
    }
    expect(viewOf(state, {stream: 'imp', experiment: 'e'})).toMatchObject({version: 2, phases: [{phase: 1, validFrom: 0, validTo: null, weights: {a: 1, b: 2}}]});
    expect(viewOf(state, {stream: 'live', experiment: 'e'})).toBeUndefined();
  });

  const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));

  test(`writers that look at old states never break a history, whatever the order (SEED=${seed})`, () => {
    const rng = seededRng(seed);
    const values: Uint8Array[] = [];
    const states: ExperimentsState[] = [EMPTY_STATE];
    for (let step = 0; step < 250; step += 1) {
      const seen = states[Math.max(0, states.length - 1 - Math.floor(rng.next() ** 3 * 5))] ?? EMPTY_STATE;
      const value = randomRecord(seen, rng);
      if (value === undefined) continue;
      values.push(value);
      states.push(foldAll([value], states.at(-1)));
    }
    const end = states.at(-1) ?? EMPTY_STATE;
    // Readers that start anew, or at any point, come to the same state.
    expect(digest(foldAll(values))).toBe(digest(end));
    const middle = Math.floor(values.length / 2);
    expect(digest(foldAll(values.slice(middle), states[middle]))).toBe(digest(end));
    expect(end.refusedCount).toBeGreaterThan(5);
    checkHistories(end);
  });
});

/** Everything a state says, short enough to compare often. */
function digest(state: ExperimentsState): string {
  const histories = [...state.histories].map(([key, history]) => [
    key,
    history.map(version => ({...version, slots: murmur3(version.slots.join()), layerSlots: murmur3(version.layerSlots.join())})),
  ]);
  return canonicalJson({...state, histories, streams: [...state.streams]});
}

function randomRecord(seen: ExperimentsState, rng: Rng): Uint8Array | undefined {
  const pick = <T>(...items: readonly T[]): T => items[Math.floor(rng.next() * items.length)] as T;
  if (rng.next() < 0.05) return rng.bytes(30);
  const experiment = pick('x', 'y', 'z');
  const lifecycle = pick<Lifecycle>('running', 'running', 'running', 'paused', 'paused', 'draft');
  const change = changeOf({experiment, lifecycle, variants: {a: pick(1, 2, 3), b: 1}, layer: 'l', allocation: pick(0.2, 0.3, 0.5)});
  try {
    return encodeExperiment(makeRecord(seen, change));
  } catch {
    return undefined;
  }
}

function checkHistories(state: ExperimentsState): void {
  for (const history of state.histories.values()) {
    history.forEach((version, index) => {
      const previous = history[index - 1];
      expect([version.version, version.predecessor]).toEqual([index + 1, index]);
      expect(transitionProblem(previous?.definition, version.definition)).toBeUndefined();
      expect(version.phase - (previous?.phase ?? 1)).toBeLessThan(2);
      expect(version.validFrom).toBeGreaterThanOrEqual(previous?.validFrom ?? 0);
    });
  }
  const holders = currentVersions(state, 'live');
  for (const one of holders) for (const two of holders) if (one !== two) expect(layersOverlap(one.layerSlots, two.layerSlots)).toBe(false);
}
