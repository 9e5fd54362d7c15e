import type {DeadLetterCode} from '../core/events.ts';
import {type EpochMs, epochMs} from '../core/units.ts';
import type {Stream} from '../core/streams.ts';
import type {EventLog, NewRecord} from '../log/event-log.ts';
import type {StoredDeadLetter} from '../warehouse/warehouse.ts';

/**
 * What a second look may accept: a schema that this version knows by now, a
 * clock that reality has caught up with. The others stay refused whatever happens.
 */
const FIXABLE = new Set<DeadLetterCode>(['undecodable', 'unknown_schema', 'schema_invalid', 'from_future']);

export const isFixable = (letter: Pick<StoredDeadLetter, 'code' | 'value'>): boolean =>
  FIXABLE.has(letter.code as DeadLetterCode) && letter.value.byteLength > 0;

export type RetryReport = {readonly sent: number; readonly leftAlone: number};

/**
 * Sends the raw bytes of fixable dead letters to their stream's topic again. They
 * are judged anew there; one that was accepted meanwhile is a duplicate and counts once.
 * On a topic whose producer stamps the time a letter keeps its own: the present would
 * push that stream's clock forward and close everything.
 */
export async function retryDeadLetters(
  letters: readonly StoredDeadLetter[],
  ports: {readonly log: EventLog; readonly streams: readonly Stream[]; readonly accept?: (letter: StoredDeadLetter) => boolean},
): Promise<RetryReport> {
  const byTopic = new Map<string, NewRecord[]>();
  let leftAlone = 0;
  for (const letter of letters) {
    const stream = ports.streams.find(({name}) => name === letter.stream);
    if (stream === undefined || !isFixable(letter) || ports.accept?.(letter) === false) {
      leftAlone++;
      continue;
    }
    const records = byTopic.get(stream.topic) ?? [];
    records.push(toRecord(letter));
    byTopic.set(stream.topic, records);
  }
  for (const [topic, records] of byTopic) await ports.log.append(topic, records);
  return {sent: letters.length - leftAlone, leftAlone};
}

function toRecord(letter: StoredDeadLetter): NewRecord {
  const place = letter.key === null ? {partition: letter.partition} : {};
  return {
    key: letter.key,
    value: letter.value,
    timestamp: parseInstant(letter.arrival_ts),
    headers: {retry_of: `${letter.stream}/${letter.partition}/${letter.offset}`},
    ...place,
  };
}

/** ClickHouse's `2026-01-02 03:04:05.678` or ISO 8601, both UTC. */
function parseInstant(text: string): EpochMs {
  return epochMs(Date.parse(/[zZ]$/.test(text) ? text : `${text.replace(' ', 'T')}Z`));
}
