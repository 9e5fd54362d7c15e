import type {Platform} from './platform.ts';

/** Whoever probes gives up after a second or two. A busy engine may take longer than a log that is there. */
const ANSWER_WITHIN_MS = {log: 1_000, warehouse: 5_000} as const;

/** Why this process cannot do its work now; empty when it can. Asks log and warehouse unless the answer is known. */
export async function unreadyReasons(
  {registry, warehouse, log, clock, appendRefusal}: Platform,
  {topic, own}: {readonly topic: string; readonly own: readonly string[]},
): Promise<string[]> {
  // What is known needs no asking: a worker that is being rebuilt says so at once.
  if (own.length > 0) return [...own];
  const answers = async (ask: Promise<unknown>, withinMs: number): Promise<boolean> => {
    const answered = new AbortController();
    const late = clock.sleep(withinMs, answered.signal).then(() => false);
    const isThere = await Promise.race([ask.then(() => true, () => false), late]);
    answered.abort();
    return isThere;
  };
  const [hasWarehouse, hasLog] = await Promise.all([answers(warehouse.ping(), ANSWER_WITHIN_MS.warehouse), answers(log.offsets(topic), ANSWER_WITHIN_MS.log)]);
  const refusal = appendRefusal();
  return [
    ...(registry.isAway ? ['the experiments topic cannot be read; the last good configuration is in force'] : []),
    ...(hasWarehouse ? [] : ['the warehouse does not answer']),
    ...(hasLog ? [] : ['the event log does not answer']),
    ...(refusal === null ? [] : [`the event log takes nothing: ${refusal}`]),
  ];
}
