/**
 * The SDK on a real Kafka whose broker is slow, hangs, is killed and comes back: the
 * queue stays bounded, what does not fit into it is on disk, and in the end every event
 * is a fact once, whatever was sent twice.
 */
import {mkdtempSync, readdirSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {eventIdToText} from '../../src/avro/event-id.ts';
import {decodeRecord} from '../../src/avro/released.ts';
import {NO_METRICS, SILENT_LOGGER} from '../../src/core/telemetry.ts';
import {LIVE_TOPIC} from '../../src/core/streams.ts';
import {openKafkaEventLog} from '../../src/log/kafka/kafka-event-log.ts';
import {openTracker} from '../../src/roles/sdk.ts';
import {SYSTEM_CLOCK, SYSTEM_RNG} from '../../src/roles/system.ts';
import {type OwnKafka, startOwnKafka} from '../helpers/kafka.ts';

const PHASE_MS = 4_000;
const QUEUE_MAX = 1_000;

let kafka: OwnKafka;
let skipped: string | undefined;
beforeAll(async () => {
  const started = await startOwnKafka();
  if ('skipped' in started) skipped = started.skipped;
  else kafka = started;
}, 180_000);
afterAll(async () => kafka?.stop(), 60_000);

/** To the process of the broker: SIGSTOP makes it hang with its connections open. */
const signal = (name: 'SIGSTOP' | 'SIGCONT'): void => void process.kill(Number(readFileSync(join(kafka.directory, '1', 'pid'), 'utf8')), name);

const TROUBLE = {
  none: async () => sleep(PHASE_MS),
  slow: async () => {
    for (let i = 0; i < PHASE_MS / 400; i += 1) {
      signal('SIGSTOP');
      await sleep(350);
      signal('SIGCONT');
      await sleep(50);
    }
  },
  hanging: async () => {
    signal('SIGSTOP');
    await sleep(PHASE_MS);
    signal('SIGCONT');
  },
  stopped: async () => {
    await kafka.kill(1);
    await sleep(PHASE_MS);
    await kafka.restart(1);
  },
};

describe('the SDK and a broker in trouble', () => {
  test('slow, hanging, killed, back: bounded in memory, nothing dropped, every event once', async context => {
    if (skipped !== undefined) return context.skip(skipped);
    const {brokers} = kafka;
    const spool = mkdtempSync(join(tmpdir(), 'assay-sdk-kafka-'));
    const direct = await openKafkaEventLog({brokers, clientId: 'spool-test', clock: SYSTEM_CLOCK, rng: SYSTEM_RNG, logger: SILENT_LOGGER, metrics: NO_METRICS});
    const limits = {queueEventsMax: QUEUE_MAX, batchEventsMax: 50, batchAgeMsMax: 100, requestMsMax: 1_500};
    const tracker = openTracker({kafka: {brokers}, spool, limits});
    try {
      await direct.createTopic({topic: LIVE_TOPIC, partitions: 3, clock: 'log', retentionMs: null});
      const run = `run-${process.pid}-${performance.now()}`;
      let most = 0;
      for (const trouble of ['none', 'slow', 'hanging', 'stopped', 'none'] as const) {
        let isOver = false;
        const over = TROUBLE[trouble]().finally(() => {
          isOver = true;
        });
        for (; !isOver; await sleep(10)) {
          // As fast as the disk allows: with a batch under way beyond the spool (a half of the queue), without one below sampling (six tenths).
          if (tracker.counts().queued < QUEUE_MAX * 0.57) for (let i = 0; i < 5; i += 1) tracker.outcome({unitId: 'u1', itemId: run});
          most = Math.max(most, tracker.counts().queued);
        }
        await over;
      }
      expect(await tracker.flush(40_000)).toBe(true);
      const {offered, sent, dropped, sampledOut, spooled, failures} = tracker.counts();
      expect([sent, dropped, sampledOut, readdirSync(spool).length]).toEqual([offered, 0, 0, 0]);
      expect(spooled).toBeGreaterThan(0);
      expect(failures).toBeGreaterThan(0);
      expect(most).toBeLessThanOrEqual(QUEUE_MAX + 50);
      // Facts are kept by event id: what lies in the log twice counts once, and every event must lie there.
      const ids = new Set<string>();
      for (const {partition, start, end} of await direct.offsets(LIVE_TOPIC)) {
        if (start === end) continue;
        for await (const records of direct.read({topic: LIVE_TOPIC, partition, fromOffset: start, toOffset: end})) {
          for (const {value} of records) {
            const decoded = decodeRecord(value);
            if (decoded.ok && decoded.event.kind === 'outcome' && decoded.event.itemId === run) ids.add(eventIdToText(decoded.event.eventId));
          }
        }
      }
      expect(ids.size).toBe(offered);
    } finally {
      await tracker.close(1_000);
      await direct.close();
      rmSync(spool, {recursive: true, force: true});
    }
  }, 120_000);
});
