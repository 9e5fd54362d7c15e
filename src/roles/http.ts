import {LIVE_STREAM} from '../core/streams.ts';
import {makeSdkConfig} from '../experiment/make-sdk-config.ts';
import type {ExperimentRegistry} from '../experiment/registry.ts';
import {currentOf, type ExperimentsState} from '../experiment/state.ts';
import {EventDoor} from '../ingest/accept-events.ts';
import type {ConfigFeed} from '../web/config-routes.ts';
import {openServer} from '../web/server.ts';
import type {Platform} from './platform.ts';
import {currentReport, renderReport} from './reports.ts';
import {defaultStream, openLiveStream} from './streams.ts';

export type HttpServer = {readonly url: string; close(): Promise<void>};

/** The HTTP server of `up`, `server` and `demo`. `unready` names what else must run in this process. */
export async function startHttp(platform: Platform, unready: () => readonly string[] = () => []): Promise<HttpServer> {
  const {config, log, warehouse, registry, clock, rng, logger, metrics} = platform;
  const live = await openLiveStream(platform);
  const codec = await platform.codecOf(live.topic);
  const door = new EventDoor({
    log,
    topic: live.topic,
    encode: codec.encode,
    context: {
      clock,
      rng,
      currentPhase: experiment => currentOf(registry.snapshot(), LIVE_STREAM, experiment),
    },
    metrics,
  });
  const streamName = async (): Promise<string> => (await defaultStream(platform)).name;
  return openServer({
    host: config.text('server.host'),
    port: config.number('server.port'),
    logger,
    door,
    experiments: configFeed(registry),
    warehouse,
    metrics,
    stream: streamName,
    unready: async () => {
      const reasons = [...unready()];
      if (registry.isAway) reasons.push('the experiments topic cannot be read; the last good configuration is in force');
      await warehouse.ping().catch(() => reasons.push('the warehouse does not answer'));
      await log.offsets(live.topic).catch(() => reasons.push('the event log does not answer'));
      return reasons;
    },
    report: async (format, experiment) => {
      const report = await currentReport(platform, {stream: await streamName(), experiment});
      return report === null ? null : renderReport(report, format);
    },
  });
}

/** Thousands of SDKs ask for the same answer after each change, so it is made once. */
function configFeed(registry: ExperimentRegistry): ConfigFeed {
  let made: {readonly state: ExperimentsState; readonly document: ReturnType<typeof makeSdkConfig>} | undefined;
  return {
    current: () => {
      const state = registry.snapshot();
      if (made?.state !== state) made = {state, document: makeSdkConfig(state, LIVE_STREAM)};
      return made.document;
    },
    subscribe: listener => registry.subscribe(listener),
  };
}
