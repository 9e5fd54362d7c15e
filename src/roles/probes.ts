import {EXPERIMENTS_TOPIC} from '../core/streams.ts';
import {openProbeServer, type ProbeServer} from '../observe/probe-server.ts';
import type {Platform} from './platform.ts';
import {unreadyReasons} from './readiness.ts';

/** Metrics and probes of a role's process, when the configuration asks for them. */
export async function openProbes(platform: Platform, unready: () => readonly string[]): Promise<ProbeServer | null> {
  const {config, metrics} = platform;
  const port = config.number('observe.port');
  if (port === 0) return null;
  return openProbeServer({
    host: config.text('observe.host'),
    port,
    metrics,
    unready: () => unreadyReasons(platform, {topic: EXPERIMENTS_TOPIC, own: unready()}),
  });
}
