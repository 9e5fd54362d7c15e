import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, describe, expect, test} from 'vitest';
import type {Clock} from '../../src/core/clock.ts';
import {AssayError} from '../../src/core/errors.ts';
import type {ExperimentDefinition} from '../../src/core/experiment.ts';
import {EXPERIMENTS_TOPIC, type Stream} from '../../src/core/streams.ts';
import {SILENT_LOGGER} from '../../src/core/telemetry.ts';
import {durationMs, epochMs} from '../../src/core/units.ts';
import {parseDefinition, requireDefinition} from '../../src/experiment/definition.ts';
import {ExperimentRegistry} from '../../src/experiment/registry.ts';
import {seedExperiments} from '../../src/experiment/seed.ts';
import {currentOf, historyOf, viewOf} from '../../src/experiment/state.ts';
import type {EventLog} from '../../src/log/event-log.ts';
import {MemoryEventLog} from '../../src/log/memory/memory-event-log.ts';

/** Waits are real but short, so that backoff does not make the test slow. */
const clock: Clock = {
  now: () => epochMs(Date.now()),
  sleep: (ms, signal) =>
    new Promise(resolve => {
      const end = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', end);
        resolve();
      };
      const timer = setTimeout(end, ms >= 15_000 ? 2_000 : 5);
      signal?.addEventListener('abort', end);
    }),
};

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

const makeLog = (): MemoryEventLog => new MemoryEventLog({clock});

async function openOn(log: MemoryEventLog): Promise<ExperimentRegistry> {
  const registry = await ExperimentRegistry.open({log, clock, logger: SILENT_LOGGER});
  closing.push(() => registry.close());
  return registry;
}

const definitionOf = (other: object = {}): ExperimentDefinition =>
  requireDefinition(parseDefinition({experiment: 'e', variants: {a: 60, b: 30, c: 10}, control: 'a', ...other}));
const change = (definition: ExperimentDefinition, other: object = {}) => ({stream: 'live', definition, author: 'ann', reason: 'because', ...other});
const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(() => 'ok', (error: unknown) => (error instanceof AssayError ? `${error.code} ${error.message}` : String(error)));

const STREAM: Stream = {name: 'sim-1', kind: 'simulation', topic: 'assay.events.sim-1.v1', latenessMs: durationMs(2_000), sliceMs: durationMs(1_000), maxAgeMs: null, partitions: 2};

describe('the registry', () => {
  test('a published change is accepted, seen by every other reader, and survives a restart', async () => {
    const log = makeLog();
    const [one, two] = [await openOn(log), await openOn(log)];
    const seen: number[] = [];
    two.subscribe(({versions}) => seen.push(...versions.map(({version}) => version)));
    const first = await one.publish(change(definitionOf()));
    expect(first).toMatchObject({version: 1, predecessor: 0, phase: 1, author: 'ann', stream: 'live'});
    const second = await one.publish(change(definitionOf({lifecycle: 'running'})));
    await two.caughtUp();
    expect(currentOf(two.snapshot(), 'live', 'e')).toEqual(second);
    expect(seen).toEqual([1, 2]);
    expect(historyOf((await openOn(log)).snapshot(), 'live', 'e')).toEqual([first, second]);
  });

  test('of two changes made from one version the first in the log wins, and the other is told by whom', async () => {
    const log = makeLog();
    const [one, two] = [await openOn(log), await openOn(log)];
    await one.publish(change(definitionOf()));
    await two.caughtUp();
    const answers = await Promise.all([
      codeOf(one.publish(change(definitionOf({owner: 'one'}), {author: 'ann'}))),
      codeOf(two.publish(change(definitionOf({owner: 'two'}), {author: 'bob'}))),
    ]);
    expect(answers[0]).toBe('ok');
    expect(answers[1]).toContain('ASSAY_EXPERIMENT_CONFLICT');
    expect(answers[1]).toContain('version 2 by ann');
    await one.caughtUp();
    await two.caughtUp();
    expect(one.snapshot().histories).toEqual(two.snapshot().histories);
    expect(two.snapshot().refusals).toMatchObject([{code: 'stale_predecessor', experiment: 'e', version: 2}]);
    expect(await codeOf(one.publish(change(definitionOf(), {expectedVersion: 1})))).toContain('version 2 by ann is newer');
  });

  test('phases start with a change of the split or a resume, not with a pause or a metric', async () => {
    const registry = await openOn(makeLog());
    const steps: [object, number][] = [
      [{lifecycle: 'draft'}, 1],
      [{lifecycle: 'draft', variants: {a: 50, b: 50}}, 1],
      [{lifecycle: 'running'}, 1],
      [{lifecycle: 'running', owner: 'x', metrics: [{key: 'm'}]}, 1],
      [{lifecycle: 'running', variants: {a: 6, b: 3, c: 1}}, 1],
      [{lifecycle: 'running', variants: {a: 50, b: 30, c: 20}}, 2],
      [{lifecycle: 'running', variants: {a: 50, b: 30, c: 20}, allocation: 0.5}, 3],
      [{lifecycle: 'paused', variants: {a: 50, b: 30, c: 20}, allocation: 0.5}, 3],
      [{lifecycle: 'running', variants: {a: 50, b: 30, c: 20}, allocation: 0.5}, 4],
      [{lifecycle: 'running', variants: {a: 50, b: 30, c: 20}, salt: 's'}, 5],
      [{lifecycle: 'running', variants: {a: 50, b: 30, c: 20}, salt: 's', targeting: {region: 'eu'}}, 6],
      [{lifecycle: 'running', variants: {a: 50, b: 30, c: 20}, salt: 's', targeting: {region: 'eu'}, fallback: 'b'}, 7],
      [{lifecycle: 'running', variants: {a: 50, b: 30, c: 20}, salt: 's', targeting: {region: ['eu']}, fallback: 'b', sample_rate: 0.5}, 8],
      [{lifecycle: 'concluded', variants: {a: 50, b: 30, c: 20}, salt: 's', targeting: {region: 'eu'}, fallback: 'b', sample_rate: 0.5}, 8],
    ];
    for (const [other, phase] of steps) expect((await registry.publish(change(definitionOf(other)))).phase, JSON.stringify(other)).toBe(phase);
    const view = viewOf(registry.snapshot(), {stream: 'live', experiment: 'e'});
    expect(view?.phases.map(({phase, weights}) => [phase, weights])).toMatchObject([[1, {a: 6, b: 3, c: 1}], [2, {c: 20}], [3, {}], [4, {}], [5, {}], [6, {}], [7, {}], [8, {}]]);
    expect(view?.phases.map(({validTo}) => validTo)).toEqual([...(view?.phases.slice(1).map(({validFrom}) => validFrom) ?? []), null]);
    expect(viewOf(registry.snapshot(), {stream: 'live', experiment: 'e', version: 6})).toMatchObject({version: 6, phases: [{phase: 1}, {phase: 2, validTo: null}]});
  });

  test('a guard moves only the slots of the variant it rolls back, and a later change takes them back', async () => {
    const registry = await openOn(makeLog());
    const before = await registry.publish(change(definitionOf({lifecycle: 'running'})));
    const rolledBack = await registry.publish(change(definitionOf({lifecycle: 'running', variants: {a: 90, b: 0, c: 10}})));
    const moved = [...before.slots.keys()].filter(slot => before.slots[slot] !== rolledBack.slots[slot]);
    expect(moved).toHaveLength(3_000);
    expect(moved.every(slot => before.slots[slot] === 1 && rolledBack.slots[slot] === 0)).toBe(true);
    const again = await registry.publish(change(definitionOf({lifecycle: 'running'})));
    expect(again.slots).toEqual(before.slots);
  });

  test('what is illegal is refused before it is written', async () => {
    const registry = await openOn(makeLog());
    expect(await codeOf(registry.publish(change(definitionOf({lifecycle: 'paused'}))))).toContain('a first version is a draft or running');
    await registry.publish(change(definitionOf({lifecycle: 'running'})));
    expect(await codeOf(registry.publish(change(definitionOf({lifecycle: 'draft'}))))).toContain('running cannot become draft, only paused or concluded');
    expect(await codeOf(registry.publish(change(definitionOf({lifecycle: 'running', unit: 'session'}))))).toContain('unit cannot change');
    expect(await codeOf(registry.publish(change(definitionOf(), {stream: 'nowhere'})))).toContain('stream nowhere was not announced');
    expect(await codeOf(registry.publish(change({...definitionOf(), control: 'z'})))).toContain('control: "z" is none of the variants');
    expect(registry.snapshot().nextOffset).toBe(1n);
  });

  test('a registry that has not read yet what another wrote looks again before it refuses', async () => {
    const log = makeLog();
    const one = await openOn(log);
    const slow = new MemoryEventLog({clock});
    Object.assign(slow, {
      createTopic: log.createTopic.bind(log),
      offsets: log.offsets.bind(log),
      append: log.append.bind(log),
      async *read(range: Parameters<EventLog['read']>[0]) {
        for await (const records of log.read(range)) {
          await new Promise(done => void setTimeout(done, 50));
          yield records;
        }
      },
    });
    const two = await openOn(slow);
    await one.announceStream(STREAM);
    await one.publish(change(definitionOf({lifecycle: 'running'}), {stream: 'sim-1', validFrom: epochMs(1)}));
    expect(two.snapshot().streams.has('sim-1')).toBe(false);
    const answer = await two.publish(change(definitionOf({lifecycle: 'paused'}), {stream: 'sim-1', validFrom: epochMs(2), expectedVersion: 1}));
    expect(answer).toMatchObject({version: 2, predecessor: 1});
    expect(await codeOf(two.publish(change(definitionOf(), {stream: 'sim-1', validFrom: epochMs(3), expectedVersion: 1})))).toContain('ASSAY_EXPERIMENT_CONFLICT');
  });

  test('experiments of one layer never hold a common slot, also when they start at the same moment', async () => {
    const log = makeLog();
    const [one, two] = [await openOn(log), await openOn(log)];
    const layered = (experiment: string, allocation: number) => change(definitionOf({experiment, layer: 'l', allocation, lifecycle: 'running'}));
    const [x, y] = await Promise.all([one.publish(layered('x', 0.5)), two.publish(layered('y', 0.4))]);
    expect(x.layerSlots.some((byte, index) => (byte & (y.layerSlots[index] ?? 0)) !== 0)).toBe(false);
    expect(x.slots.includes(-1)).toBe(false);
    await one.caughtUp();
    expect(await codeOf(one.publish(layered('z', 0.2)))).toContain('layer l has less than 0.2 left (taken: x 0.5, y 0.4)');
    await one.publish(change(definitionOf({experiment: 'x', layer: 'l', allocation: 0.5, lifecycle: 'concluded'})));
    expect((await one.publish(layered('z', 0.2))).layerSlots).toHaveLength(1_250);
  });

  test('versions hold from −∞ in an import, from virtual time in a simulation, from their append live', async () => {
    const registry = await openOn(makeLog());
    await registry.announceStream(STREAM);
    await registry.announceStream({...STREAM, name: 'imp', kind: 'import', topic: 'assay.events.imp.v1'});
    expect((await registry.publish(change(definitionOf(), {stream: 'imp', validFrom: epochMs(77)}))).validFrom).toBe(0);
    expect(await codeOf(registry.publish(change(definitionOf(), {stream: 'sim-1'})))).toContain('needs validFrom');
    expect((await registry.publish(change(definitionOf(), {stream: 'sim-1', validFrom: epochMs(77)}))).validFrom).toBe(77);
    expect((await registry.publish(change(definitionOf({owner: 'x'}), {stream: 'sim-1', validFrom: epochMs(5)}))).validFrom).toBe(77);
    expect((await registry.publish(change(definitionOf(), {validFrom: epochMs(77)}))).validFrom).toBeGreaterThan(1e12);
    expect((await registry.publish(change(definitionOf({owner: 'x'}), {stream: 'imp'}))).slots).toHaveLength(0);
  });

  test('a stream is announced once; the same again is fine, another one is refused', async () => {
    const log = makeLog();
    const registry = await openOn(log);
    const told: string[] = [];
    registry.subscribe(({streams}) => told.push(...streams.map(({name}) => name)));
    expect(await registry.announceStream(STREAM)).toEqual(STREAM);
    expect(await registry.announceStream({...STREAM})).toEqual(STREAM);
    expect(await codeOf(registry.announceStream({...STREAM, partitions: 3}))).toContain('ASSAY_EXPERIMENT_CONFLICT');
    expect(told).toEqual(['sim-1']);
    expect((await openOn(log)).snapshot().streams.get('sim-1')).toEqual(STREAM);
  });

  test('a lost answer does not make a conflict with oneself, and a short outage is retried', async () => {
    const log = makeLog();
    const registry = await openOn(log);
    log.faults.loseAppendAnswers = 1;
    expect(await registry.publish(change(definitionOf()))).toMatchObject({version: 1, author: 'ann'});
    expect(await registry.caughtUp()).toMatchObject({nextOffset: 2n, refusedCount: 1});
    log.faults.failAppends = 3;
    expect(await registry.publish(change(definitionOf({owner: 'x'})))).toMatchObject({version: 2});
    log.faults.failAppends = 100;
    expect(await codeOf(registry.publish(change(definitionOf({owner: 'y'}))))).toContain('ASSAY_LOG_UNAVAILABLE');
    expect(currentOf(registry.snapshot(), 'live', 'e')?.version).toBe(2);
  });

  test('bytes that are no record are refused and change nothing', async () => {
    const log = makeLog();
    const registry = await openOn(log);
    await registry.publish(change(definitionOf()));
    await log.append(EXPERIMENTS_TOPIC, [{key: 'x', value: Uint8Array.from([1, 2, 3]), partition: 0}]);
    const state = await registry.caughtUp();
    expect(state.refusals).toMatchObject([{offset: 1n, code: 'undecodable'}]);
    expect(state.histories.size).toBe(1);
  });

  test('a listener that throws does not stop the others', async () => {
    const registry = await openOn(makeLog());
    let heard = 0;
    registry.subscribe(() => {
      throw new Error('mine');
    });
    const stop = registry.subscribe(() => {
      heard += 1;
    });
    await registry.publish(change(definitionOf()));
    stop();
    await registry.publish(change(definitionOf({owner: 'x'})));
    expect(heard).toBe(1);
  });
});

describe('seeding', () => {
  test('publishes new and edited files only, and never undoes a pause', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'assay-seed-'));
    closing.push(async () => rmSync(directory, {recursive: true}));
    const write = (text: string): void => writeFileSync(join(directory, 'e.yaml'), text);
    const text = 'experiment: e\nvariants: {a: 1, b: 1}\ncontrol: a\n';
    const registry = await openOn(makeLog());
    const seed = () => seedExperiments(registry, {directory, stream: 'live'});
    write(text);
    expect(await seed()).toMatchObject([{version: 1, author: 'seed', reason: expect.stringContaining('new file e.yaml')}]);
    expect(await seed()).toEqual([]);
    const {definition} = currentOf(registry.snapshot(), 'live', 'e') ?? {definition: definitionOf()};
    await registry.publish(change({...definition, lifecycle: 'running'}));
    await registry.publish(change({...definition, lifecycle: 'paused'}));
    expect(await seed()).toEqual([]);
    write(`${text}owner: new\n`);
    expect(await seed()).toMatchObject([{version: 4, definition: {owner: 'new', lifecycle: 'paused'}}]);
    expect(await seed()).toEqual([]);
    write('experiment: 1');
    expect(await codeOf(seed())).toContain('e.yaml has 3 problem(s)');
  });
});
