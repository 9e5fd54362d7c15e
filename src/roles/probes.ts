import {EXPERIMENTS_TOPIC} from '../core/streams.ts';
import {openProbeServer, type ProbeServer} from '../observe/probe-server.ts';
import type {Platform} from './platform.ts';

/** Metrics and probes of a role's process, when the configuration asks for them. */
export async function openProbes(platform: Platform, unready: () => readonly string[]): Promise<ProbeServer | null> {
  const {config, metrics, warehouse, log, registry} = platform;
  const port = config.number('observe.port');
  if (port === 0) return null;
  return openProbeServer({
    host: config.text('observe.host'),
    port,
    metrics,
    unready: async () => {
      const reasons = [...unready()];
      if (registry.isAway) reasons.push('the experiments topic cannot be read; the last good configuration is in force');
      await warehouse.ping().catch(() => reasons.push('the warehouse does not answer'));
      const refusal = platform.appendRefusal();
      if (refusal !== null) reasons.push(`the event log takes nothing: ${refusal}`);
      await log.offsets(EXPERIMENTS_TOPIC).catch(() => reasons.push('the event log does not answer'));
      return reasons;
    },
  });
}
