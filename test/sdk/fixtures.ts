import {AsyncLocalStorage} from 'node:async_hooks';
import type {SdkConfig} from '../../src/assign/sdk-config.ts';
import {deriveSlots} from '../../src/assign/slots.ts';
import {seededRng} from '../../src/core/rng.ts';
import {SILENT_LOGGER} from '../../src/core/telemetry.ts';
import {SYSTEM_CLOCK} from '../../src/roles/system.ts';
import {ConfigHolder, type ConfigSource} from '../../src/sdk/config-source.ts';
import type {DiskSpool} from '../../src/sdk/disk-spool.ts';
import {SDK_LIMITS, type SdkLimits} from '../../src/sdk/limits.ts';
import type {PriceTable} from '../../src/sdk/price-table.ts';
import {Sender} from '../../src/sdk/sender.ts';
import {type Budget, SpendLedger} from '../../src/sdk/spend-ledger.ts';
import {Tracker} from '../../src/sdk/tracker.ts';
import type {QueuedEvent, SendResult, Transport} from '../../src/sdk/transport.ts';

/** A transport that does what the test says, and remembers what it took. */
export class ScriptedTransport implements Transport {
  readonly batches: QueuedEvent[][] = [];
  mode: 'up' | 'down' | 'hanging' | 'refusing' = 'up';
  tries = 0;

  async send(batch: readonly QueuedEvent[], signal: AbortSignal): Promise<SendResult> {
    this.tries += 1;
    if (this.mode === 'down') throw new Error('nobody there');
    if (this.mode === 'hanging') await new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted'))));
    if (this.mode === 'refusing') return {refused: batch.length, reason: 'not wanted'};
    this.batches.push([...batch]);
    return {refused: 0};
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  get events(): QueuedEvent['event'][] {
    return this.batches.flat().map(({event}) => event);
  }
}

export function configOf(more: object = {}, weights = [60, 30, 10]): SdkConfig {
  const variants = weights.map((weight, index) => ({key: `v${index + 1}`, weight}));
  const definition = {variants, control: 'v1', fallback: 'v1', salt: 'e', layer: null, lifecycle: 'running' as const, targeting: {}, overrides: [{kind: 'header' as const, name: 'x-variant'}], sampleRate: 1, ...more};
  return {revision: 'r', experiments: new Map([['e', {version: 3, phase: 2, slots: deriveSlots(variants, 1), layerSlots: new Uint8Array(0), definition}]])};
}

/** A source that says what it is told to. */
export class ScriptedConfig extends ConfigHolder implements ConfigSource {
  readonly isAway = false;

  current(): SdkConfig {
    return this.config;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

export type Given = {
  readonly limits?: Partial<SdkLimits>;
  readonly spool?: DiskSpool;
  readonly config?: SdkConfig;
  readonly prices?: PriceTable;
  readonly monotonicMs?: () => number;
  readonly budgets?: readonly Budget[];
};

export function openTestTracker(given: Given = {}) {
  const limits: SdkLimits = {...SDK_LIMITS, retryBackoffMsMin: 1, retryBackoffMsMax: 5, ...given.limits};
  const transport = new ScriptedTransport();
  const rng = seededRng(7);
  const sender = new Sender({transport, clock: SYSTEM_CLOCK, rng, logger: SILENT_LOGGER, limits, ...(given.spool === undefined ? {} : {spool: given.spool})});
  const config = new ScriptedConfig(given.config ?? configOf());
  const tracker = new Tracker({
    sender, config, rng, limits,
    clock: SYSTEM_CLOCK,
    logger: SILENT_LOGGER,
    context: new AsyncLocalStorage(),
    monotonicMs: given.monotonicMs ?? (() => performance.now()),
    prices: given.prices ?? {},
    spend: new SpendLedger({budgets: given.budgets ?? [], clock: SYSTEM_CLOCK, limits}),
    attributes: {service: 'answers'},
    fallbacks: {other: 'b'},
  });
  return {tracker, transport, sender, config};
}
