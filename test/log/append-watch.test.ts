import {expect, test} from 'vitest';
import {AssayError} from '../../src/core/errors.ts';
import {watchAppends} from '../../src/log/append-watch.ts';
import {MemoryEventLog} from '../../src/log/memory/memory-event-log.ts';
import {ManualClock} from '../notify/manual-clock.ts';

function opened() {
  const clock = new ManualClock();
  const inner = new MemoryEventLog({clock});
  const append = inner.append.bind(inner);
  const state: {error: Error | null} = {error: null};
  inner.append = (topic, records) => (state.error === null ? append(topic, records) : Promise.reject(state.error));
  const {log, refusal} = watchAppends(inner, clock);
  const put = () => log.append('t', [{key: 'k', value: new Uint8Array([1])}]);
  return {clock, log, refusal, put, state};
}

test('a log that takes nothing is named with its reason until it takes something again', async () => {
  const {log, refusal, put, state} = opened();
  await log.createTopic({topic: 't', partitions: 1, clock: 'log', retentionMs: null});
  await put();
  expect(refusal()).toBeNull();
  state.error = new AssayError('ASSAY_LOG_UNAVAILABLE', 'ENOSPC: no space');
  await expect(put()).rejects.toThrow('ENOSPC');
  expect(refusal()).toBe('ENOSPC: no space');
  state.error = null;
  await put();
  expect(refusal()).toBeNull();
});

test('without another try the refusal ends by itself, or nobody would ever try', async () => {
  const {clock, refusal, put, state} = opened();
  state.error = new AssayError('ASSAY_LOG_UNAVAILABLE', 'ENOSPC: no space');
  await expect(put()).rejects.toThrow();
  clock.set(clock.now() + 9_999);
  expect(refusal()).not.toBeNull();
  clock.set(clock.now() + 1);
  expect(refusal()).toBeNull();
});

test('what the caller did wrong says nothing about the log', async () => {
  const {refusal, put} = opened();
  await expect(put()).rejects.toThrow(/t/);
  expect(refusal()).toBeNull();
});
