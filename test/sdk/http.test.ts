/** The SDK over HTTP against the real door and the real configuration route, on the log of this process. */
import {type FastifyInstance, fastify} from 'fastify';
import {afterEach, beforeEach, describe, expect, test} from 'vitest';
import {decodeRecord, encodeExposure, encodeOutcome} from '../../src/avro/released.ts';
import {LIVE_STREAM, LIVE_TOPIC} from '../../src/core/streams.ts';
import {SILENT_LOGGER} from '../../src/core/telemetry.ts';
import {parseDefinitionText, requireDefinition} from '../../src/experiment/definition.ts';
import {makeSdkConfig} from '../../src/experiment/make-sdk-config.ts';
import {ExperimentRegistry} from '../../src/experiment/registry.ts';
import {MemoryEventLog} from '../../src/log/memory/memory-event-log.ts';
import {openTracker} from '../../src/roles/sdk.ts';
import {SYSTEM_CLOCK} from '../../src/roles/system.ts';
import type {Tracker} from '../../src/sdk/tracker.ts';
import {addConfig} from '../../src/web/config-routes.ts';

const YAML = 'experiment: e\nvariants: {v1: 60, v2: 40}\ncontrol: v1\nlifecycle: running\n';
const definitionOf = (yaml: string) => requireDefinition(parseDefinitionText(yaml));

let log: MemoryEventLog;
let registry: ExperimentRegistry;
let server: FastifyInstance | undefined;
let tracker: Tracker | undefined;

beforeEach(async () => {
  log = new MemoryEventLog({clock: SYSTEM_CLOCK, logger: SILENT_LOGGER});
  registry = await ExperimentRegistry.open({log, clock: SYSTEM_CLOCK, logger: SILENT_LOGGER});
  await registry.publish({stream: LIVE_STREAM, definition: definitionOf(YAML), author: 'a', reason: 'r'});
});
afterEach(async () => {
  await tracker?.close(100);
  await server?.close();
  await registry.close();
  await log.close();
});

async function listen(port = 0): Promise<string> {
  server = fastify({forceCloseConnections: true});
  addConfig(server, {current: () => makeSdkConfig(registry.snapshot(), LIVE_STREAM), subscribe: listener => registry.subscribe(listener)});
  return server.listen({port, host: '127.0.0.1'});
}

/** Resolves with the tracker's next configuration. */
const nextConfig = (of: Tracker): Promise<void> =>
  new Promise(done => {
    const stop = of.onConfig(() => {
      stop();
      done();
    });
  });

const setWeights = (v1: number, v2: number) =>
  registry.publish({stream: LIVE_STREAM, definition: definitionOf(YAML.replace('60', String(v1)).replace('40', String(v2))), author: 'a', reason: 'r'});
const shares = (of: Tracker): number => Array.from({length: 2_000}, (_, index) => of.assign('e', {unitId: `u${index}`}).variant).filter(variant => variant === 'v2').length / 2_000;

describe('configuration', () => {
  test('a change is there without a restart, by the same assignments as in the process of the registry', async () => {
    tracker = openTracker({http: {url: await listen()}});
    expect(await tracker.ready()).toBe(true);
    expect(shares(tracker)).toBeCloseTo(0.4, 1);
    const changed = nextConfig(tracker);
    await setWeights(100, 0);
    await changed;
    expect(shares(tracker)).toBe(0);
    const inside = openTracker({inProcess: {log, registry, encode: event => (event.kind === 'exposure' ? encodeExposure(event) : encodeOutcome(event))}});
    await inside.ready();
    const again = Promise.all([nextConfig(tracker), nextConfig(inside)]);
    await setWeights(70, 30);
    await again;
    for (let i = 0; i < 500; i += 1) expect(tracker.assign('e', {unitId: `u${i}`})).toEqual(inside.assign('e', {unitId: `u${i}`}));
    await inside.close();
  });

  test('the last good one stays while the server is away, and the newest is there when it is back', async () => {
    const url = await listen();
    tracker = openTracker({http: {url}, limits: {retryBackoffMsMin: 5, retryBackoffMsMax: 20}});
    await tracker.ready();
    await server?.close();
    expect(shares(tracker)).toBeCloseTo(0.4, 1);
    await setWeights(0, 100);
    const back = nextConfig(tracker);
    await listen(Number(new URL(url).port));
    await back;
    expect(shares(tracker)).toBe(1);
    expect(tracker.isConfigAway).toBe(false);
  });

  test('a server without any experiment is an answer, and the first experiment arrives', async () => {
    await registry.publish({stream: LIVE_STREAM, definition: {...definitionOf(YAML), lifecycle: 'concluded'}, author: 'a', reason: 'r'});
    await registry.publish({stream: LIVE_STREAM, definition: {...definitionOf(YAML), lifecycle: 'archived'}, author: 'a', reason: 'r'});
    tracker = openTracker({http: {url: await listen()}});
    expect(await tracker.ready()).toBe(true);
    const changed = nextConfig(tracker);
    await registry.publish({stream: LIVE_STREAM, definition: definitionOf(YAML.replace('experiment: e', 'experiment: f')), author: 'a', reason: 'r'});
    await changed;
    expect(tracker.assign('f', {unitId: 'u'}).reason).toBe('assigned');
  });

  test('nobody there at the start: fallbacks are served, nothing throws', async () => {
    tracker = openTracker({http: {url: 'http://127.0.0.1:9'}, fallbacks: {e: 'v1'}});
    expect(tracker.expose('e', {unitId: 'u'}).variant).toBe('v1');
    expect(await tracker.ready(20)).toBe(false);
    expect(tracker.isConfigAway).toBe(true);
  });
});

test('in process: exposure and outcome lie in the log, keyed by unit, with their headers', async () => {
  await log.createTopic({topic: LIVE_TOPIC, partitions: 2, clock: 'log', retentionMs: null});
  tracker = openTracker({inProcess: {log, registry, encode: event => (event.kind === 'exposure' ? encodeExposure(event) : encodeOutcome(event))}});
  await tracker.ready();
  tracker.run({unitId: 'u', region: 'eu'}, () => {
    tracker?.expose('e');
    tracker?.outcome({measures: {score: 1}});
  });
  expect(await tracker.flush()).toBe(true);
  const kinds: string[] = [];
  for (const {partition, start, end} of await log.offsets(LIVE_TOPIC)) {
    if (start === end) continue;
    for await (const records of log.read({topic: LIVE_TOPIC, partition, fromOffset: start, toOffset: end})) {
      for (const {key, value, headers} of records) {
        const decoded = decodeRecord(value);
        kinds.push(`${key} ${decoded.ok ? decoded.event.kind : decoded.message} ${headers['x-assay-region']}`);
      }
    }
  }
  expect(kinds).toEqual(['u exposure eu', 'u outcome eu']);
});

test('options that name no transport, or two, are refused', () => {
  expect(() => openTracker({})).toThrow('exactly one of kafka, http and inProcess, got none');
  expect(() => openTracker({http: {url: 'http://x'}, kafka: {brokers: ['x:1']}})).toThrow('got kafka and http');
});
