import type {Platform} from './platform.ts';

/** A busy engine may take seconds; what takes longer does not answer, and whoever probes has given up long before. */
const ANSWER_WITHIN_MS = 5_000;

/** Why this process cannot do its work now; empty when it can. Asks log and warehouse. */
export async function unreadyReasons(
  {registry, warehouse, log, clock, appendRefusal}: Platform,
  {topic, own}: {readonly topic: string; readonly own: readonly string[]},
): Promise<string[]> {
  const answers = async (ask: Promise<unknown>): Promise<boolean> => {
    const answered = new AbortController();
    const late = clock.sleep(ANSWER_WITHIN_MS, answered.signal).then(() => false);
    const isThere = await Promise.race([ask.then(() => true, () => false), late]);
    answered.abort();
    return isThere;
  };
  const [hasWarehouse, hasLog] = await Promise.all([answers(warehouse.ping()), answers(log.offsets(topic))]);
  const refusal = appendRefusal();
  return [
    ...own,
    ...(registry.isAway ? ['the experiments topic cannot be read; the last good configuration is in force'] : []),
    ...(hasWarehouse ? [] : ['the warehouse does not answer']),
    ...(hasLog ? [] : ['the event log does not answer']),
    ...(refusal === null ? [] : [`the event log takes nothing: ${refusal}`]),
  ];
}
