import type {Clock} from '../core/clock.ts';
import {AssayError} from '../core/errors.ts';
import type {EpochMs} from '../core/units.ts';
import type {EventLog} from './event-log.ts';

/**
 * How long a refused append counts when no other follows. A balancer sends nothing
 * to a process that is not ready, so without an end nobody would ever try again.
 */
const REFUSAL_LASTS_MS = 10_000;

/** A log whose appends are watched: readiness must not say yes while the log takes nothing. */
export function watchAppends(log: EventLog, clock: Clock): {readonly log: EventLog; readonly refusal: () => string | null} {
  let refused: {readonly at: EpochMs; readonly why: string} | null = null;
  const watched: EventLog = {
    createTopic: spec => log.createTopic(spec),
    describeTopic: topic => log.describeTopic(topic),
    listTopics: () => log.listTopics(),
    openConsumer: options => log.openConsumer(options),
    read: options => log.read(options),
    offsets: topic => log.offsets(topic),
    committed: (topic, group) => log.committed(topic, group),
    close: () => log.close(),
    append: async (topic, records) => {
      try {
        const appended = await log.append(topic, records);
        refused = null;
        return appended;
      } catch (error) {
        if (error instanceof AssayError && error.code === 'ASSAY_LOG_UNAVAILABLE') refused = {at: clock.now(), why: error.message};
        throw error;
      }
    },
  };
  return {log: watched, refusal: () => (refused !== null && clock.now() - refused.at < REFUSAL_LASTS_MS ? refused.why : null)};
}
