/** A service on a fast clock, counted in slices of its own; registry, guards and assignment are the real ones. */
import {assignVariant} from '../../src/assign/assign.ts';
import {seededRng} from '../../src/core/rng.ts';
import {SILENT_LOGGER, NO_METRICS} from '../../src/core/telemetry.ts';
import {durationMs, type EpochMs, epochMs} from '../../src/core/units.ts';
import type {Verdict} from '../../src/core/verdict.ts';
import {parseDefinitionText, requireDefinition} from '../../src/experiment/definition.ts';
import {ExperimentRegistry} from '../../src/experiment/registry.ts';
import {currentOf, historyOf, type StoredVersion, viewOf} from '../../src/experiment/state.ts';
import type {GuardSpan} from '../../src/guard/backtest-guard.ts';
import type {GuardActed} from '../../src/guard/guard-look.ts';
import {runGuards} from '../../src/guard/run-guards.ts';
import {MemoryEventLog} from '../../src/log/memory/memory-event-log.ts';
import {SYSTEM_CLOCK} from '../../src/roles/system.ts';
import type {AlertRow, GuardStore, GuardWindow} from '../../src/warehouse/warehouse.ts';

export const START = epochMs(1_790_000_000_000);
const STREAM = 'sim';
const SLICE_MS = 10_000;
const LOOK_MS = 1_000;

/** The true failure rate and latency of a variant at a time since the start. */
export type Truth = (variant: string, sinceMs: number) => {readonly errorRate: number; readonly latencyMs: number};

export type World = {
  /** Runs the clock on; guards look once a second. */
  run(ms: number): Promise<GuardActed[]>;
  current(): StoredVersion;
  change(edit: (current: StoredVersion['definition']) => StoredVersion['definition']): Promise<void>;
  history(): readonly GuardActed[];
  now(): EpochMs;
  verdicts: Verdict[];
  readonly alerts: AlertRow[];
  /** What the engine says about distributions. */
  drift: (asked: unknown) => {n: number; earlier: number; distance: number | null};
  /** What a backtest of the guards of another definition reads. */
  past(yaml: string): Pick<GuardSpan, 'warehouse' | 'view' | 'history' | 'sliceMs'>;
  /** Slices younger than this are still on their way to the guards. */
  lagMs: number;
  share(variant: string): number;
  close(): Promise<void>;
};

export async function openWorld({yaml, truth, seed, perSecond = 2_000}: {readonly yaml: string; readonly truth: Truth; readonly seed: number; readonly perSecond?: number}): Promise<World> {
  const log = new MemoryEventLog({clock: SYSTEM_CLOCK, logger: SILENT_LOGGER});
  const registry = await ExperimentRegistry.open({log, clock: SYSTEM_CLOCK, logger: SILENT_LOGGER});
  const stream = {name: STREAM, kind: 'simulation' as const, topic: 't', latenessMs: durationMs(0), sliceMs: durationMs(SLICE_MS), maxAgeMs: null, partitions: 1};
  await registry.announceStream(stream);
  const definition = requireDefinition(parseDefinitionText(yaml));
  await registry.publish({stream: STREAM, definition, author: 'a', reason: 'r', validFrom: START});
  const rng = seededRng(seed);
  const units = Array.from({length: 2_000}, (_, index) => `u${index}`);
  const slices = new Map<number, Map<string, Cell>>();
  const acted: GuardActed[] = [];
  let now = START;
  const current = (): StoredVersion => {
    const version = currentOf(registry.snapshot(), STREAM, definition.experiment);
    if (version === undefined) throw new Error('no version');
    return version;
  };
  const world: World = {
    verdicts: [], alerts: [], lagMs: 0, drift: () => ({n: 0, earlier: 0, distance: null}), current,
    now: () => now,
    history: () => acted,
    share: variant => units.filter(unitId => assignVariant({salt: current().definition.salt, unitId, slots: current().slots, variants: current().definition.variants}) === variant).length / units.length,
    change: async edit => void (await registry.publish({stream: STREAM, definition: edit(current().definition), author: 'someone', reason: 'r', validFrom: now})),
    past: other => {
      const view = viewOf(registry.snapshot(), {stream: STREAM, experiment: definition.experiment});
      if (view === undefined) throw new Error('no view');
      return {warehouse: {guardHistory: guardWindows, query}, view: {...view, definition: requireDefinition(parseDefinitionText(other))}, history: historyOf(registry.snapshot(), STREAM, definition.experiment), sliceMs: SLICE_MS};
    },
    close: async () => {
      await registry.close();
      await log.close();
    },
    run: async ms => {
      const first = acted.length;
      for (const end = now + ms; now < end; ) {
        second();
        now = epochMs(now + LOOK_MS);
        const ports = {warehouse: {guardWindows, latestVerdicts: () => Promise.resolve(world.verdicts), latestAlerts: () => Promise.resolve([...world.alerts].reverse()), insertAlerts: async (rows: readonly AlertRow[]) => void world.alerts.push(...rows), query}, registry, logger: SILENT_LOGGER, metrics: NO_METRICS};
        acted.push(...(await runGuards(ports, {stream: STREAM, sliceMs: SLICE_MS, now, isVirtual: true})));
      }
      return acted.slice(first);
    },
  };

  const query = (_: string, {parameters}: {parameters?: {ends?: readonly number[]}} = {}) => Promise.resolve((parameters?.ends ?? []).map(at => ({at_ms: at, ...world.drift({...parameters, at})})));

  /** One second of requests: errors by a normal approximation of the binomial. */
  function second(): void {
    const {phase, definition: running} = current();
    const total = running.variants.reduce((sum, {weight}) => sum + weight, 0);
    const sliceStart = Math.floor(now / SLICE_MS) * SLICE_MS;
    const slice = slices.get(sliceStart) ?? new Map<string, Cell>();
    slices.set(sliceStart, slice);
    for (const {key, weight} of running.lifecycle === 'running' ? running.variants : []) {
      const n = Math.round((perSecond * weight) / total);
      if (n === 0) continue;
      const {errorRate, latencyMs} = truth(key, now - START);
      const noise = Math.sqrt(-2 * Math.log(1 - rng.next())) * Math.cos(2 * Math.PI * rng.next());
      const errors = Math.max(0, Math.min(n, Math.round(n * errorRate + noise * Math.sqrt(n * errorRate * (1 - errorRate)))));
      const cell = slice.get(`${phase} ${key}`) ?? {phase, variant: key, n: 0, errors: 0, latency: 0};
      slice.set(`${phase} ${key}`, {...cell, n: cell.n + n, errors: cell.errors + errors, latency: latencyMs});
    }
  }

  const guardWindows: GuardStore['guardWindows'] = async (_, asks) =>
    asks.flatMap(({phase, sizeMs, metrics, ends}) =>
      ends.flatMap(end => {
        const groups = new Map<string, Cell>();
        for (let start = end - sizeMs; start < end; start += SLICE_MS) {
          for (const [key, cell] of slices.get(start) ?? []) {
            if (start > now - world.lagMs) continue;
            const sum = groups.get(key);
            groups.set(key, {...cell, n: cell.n + (sum?.n ?? 0), errors: cell.errors + (sum?.errors ?? 0)});
          }
        }
        const rows = [...groups.values()].flatMap(cell => rowsOf(cell, {start: end - sizeMs, end}));
        return rows.filter(row => row.phase === phase && metrics.includes(row.metric));
      }),
    );
  return world;
}

type Cell = {readonly phase: number; readonly variant: string; readonly n: number; readonly errors: number; readonly latency: number};

function rowsOf({phase, variant, n, errors, latency}: Cell, {start, end}: {readonly start: number; readonly end: number}): GuardWindow[] {
  const row = (metric: string, mean: number): GuardWindow => ({
    stream: STREAM, experiment: 'e', phase, variant, metric, window_start: epochMs(start), window_end: epochMs(end), n, estimated_n: n, sum: n * mean, mean,
    sd: null, min: 0, max: mean, p50: mean, p95: mean, p99: mean, status: 'provisional', revision: 0,
    errors: {mean: Math.sqrt((mean * Math.max(0, 1 - mean)) / n), p50: mean / Math.sqrt(n), p95: mean / Math.sqrt(n), p99: mean / Math.sqrt(n)},
  });
  return [row('error_rate', errors / n), row('latency', latency)];
}
