/** A platform in memory for the roles that alert and notify: real registry, log, store and outbox, windows by hand. */
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {stringify} from 'yaml';
import {loadConfig} from '../../src/config/load.ts';
import {seededRng} from '../../src/core/rng.ts';
import {NO_METRICS, SILENT_LOGGER} from '../../src/core/telemetry.ts';
import {durationMs, type EpochMs, epochMs} from '../../src/core/units.ts';
import type {Stream} from '../../src/core/streams.ts';
import {parseDefinitionText, requireDefinition} from '../../src/experiment/definition.ts';
import {ExperimentRegistry} from '../../src/experiment/registry.ts';
import {MemoryEventLog} from '../../src/log/memory/memory-event-log.ts';
import {registryClosingConfig} from '../../src/roles/closing-config.ts';
import type {Platform} from '../../src/roles/platform.ts';
import {openMemoryWarehouse} from '../../src/warehouse/memory/memory-warehouse.ts';
import type {Warehouse, WindowRow} from '../../src/warehouse/warehouse.ts';
import {ManualClock} from '../notify/manual-clock.ts';
import {makeWindow} from './fixtures.ts';

export const NOW = epochMs(Date.parse('2026-11-21T08:00:00.000Z'));

export const LIVE: Stream = {name: 'live', kind: 'live', topic: 'assay.events.live.v1', latenessMs: durationMs(0), sliceMs: durationMs(10_000), maxAgeMs: null, partitions: 1};

const DEFINITION = 'experiment: answers\nvariants: {a: 50, b: 50}\ncontrol: a\nmetrics: [{key: error_rate, aggregate: share, status: [server_error], role: guardrail, direction: lower}]\n';

export type TestPlatform = {
  readonly platform: Platform;
  readonly clock: ManualClock;
  readonly warehouse: Warehouse;
  readonly rulesFile: string;
  readonly counted: string[];
  /** The error rate of variant b in every window that ends in (from, to]. */
  play(rate: number, from: EpochMs, to: EpochMs): void;
  /** Up to where data is complete. */
  completeTo(at: EpochMs): void;
  /** What `query` answers; by default it fails. */
  answer(query: Warehouse['query']): void;
  close(): Promise<void>;
};

export async function openTestPlatform({rules = '', webhooks = []}: {readonly rules?: string; readonly webhooks?: readonly object[]} = {}): Promise<TestPlatform> {
  const directory = mkdtempSync(join(tmpdir(), 'assay-roles-'));
  const [configFile, rulesFile] = [join(directory, 'assay.yaml'), join(directory, 'rules.yaml')];
  writeFileSync(configFile, stringify({webhooks}));
  writeFileSync(rulesFile, rules);
  const clock = new ManualClock(NOW);
  const log = new MemoryEventLog({clock, logger: SILENT_LOGGER});
  await log.createTopic({topic: LIVE.topic, partitions: 1, clock: 'log', retentionMs: null});
  const registry = await ExperimentRegistry.open({log, clock, logger: SILENT_LOGGER});
  await registry.announceStream(LIVE);
  await registry.publish({stream: 'live', definition: requireDefinition(parseDefinitionText(DEFINITION)), author: 'a', reason: 'r', validFrom: epochMs(NOW - 7_200_000)});
  let rows: WindowRow[] = [];
  let complete: EpochMs = NOW;
  let query: Warehouse['query'] = () => Promise.reject(new Error('no query was expected'));
  const counted: string[] = [];
  const warehouse: Warehouse = {
    ...openMemoryWarehouse(),
    progress: async () => [epochMs(complete + 1)],
    windows: async ({from, to, sizeMs}) => rows.filter(row => row.window_end > from && row.window_end <= to && row.window_end - row.window_start === sizeMs),
    query: (...args) => query(...args),
  };
  const config = loadConfig({flags: {'rules.file': rules === '' ? undefined : rulesFile}, file: configFile, env: {}});
  const metrics = {...NO_METRICS, count: (name: string) => void counted.push(name), text: () => Promise.resolve('')};
  const platform = {config, clock, rng: seededRng(1), logger: SILENT_LOGGER, metrics, log, warehouse, registry, closing: registryClosingConfig(registry)} as unknown as Platform;
  return {
    platform, clock, warehouse, rulesFile, counted,
    play: (rate, from, to) => {
      for (let end = Math.ceil((from + 1) / 10_000) * 10_000; end <= to; end += 10_000) {
        rows = [...rows.filter(row => row.window_end !== end), makeWindow({window_start: epochMs(end - 60_000), window_end: epochMs(end), n: 200, mean: rate, sum: 200 * rate})];
      }
    },
    completeTo: at => {
      complete = at;
    },
    answer: next => {
      query = next;
    },
    close: async () => {
      await registry.close();
      await log.close();
      rmSync(directory, {recursive: true, force: true});
    },
  };
}
