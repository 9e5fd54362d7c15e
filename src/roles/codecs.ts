import {checkEvent} from '../avro/check-event.ts';
import {RecordCodec} from '../avro/codec.ts';
import {RegistryFraming, SchemaRegistryClient} from '../avro/registry.ts';
import {RELEASED_SCHEMAS} from '../avro/released.ts';
import type {Config} from '../config/load.ts';
import type {Event, Tick} from '../core/events.ts';
import type {EventCodec} from '../worker/event-codec.ts';
import {unitIdHasher, withUnitId} from './unit-ids.ts';

/** Bytes ⇄ events of one topic. */
export type TopicCodec = EventCodec & {encode(event: Event): Uint8Array; encodeTick(tick: Tick): Uint8Array};

/** Record types of an events topic; the others lie on the experiments topic, which never uses a registry. */
const EVENT_RECORDS = ['exposure', 'outcome', 'tick'];

/** The codec of each events topic: Confluent framing when a schema registry is configured, single-object encoding otherwise. */
export function topicCodecs(config: Config): (topic: string) => Promise<TopicCodec> {
  const url = config.text('schema_registry.url');
  const toStored = config.isOn('privacy.hash_unit_ids') ? unitIdHasher(config) : null;
  const byTopic = new Map<string, Promise<TopicCodec>>();
  const client = url === '' ? null : new SchemaRegistryClient({url, fetch});
  return topic => {
    const known = byTopic.get(topic) ?? openTopicCodec(topic, {client, toStored});
    byTopic.set(topic, known);
    // A registry that was away may answer next time.
    known.catch(() => byTopic.delete(topic));
    return known;
  };
}

type CodecParts = {readonly client: SchemaRegistryClient | null; /** null: unit ids are stored as they come. */ readonly toStored: ((unitId: string) => string) | null};

async function openTopicCodec(topic: string, {client, toStored}: CodecParts): Promise<TopicCodec> {
  const framing = client === null ? undefined : await RegistryFraming.open(client, {topic, schemas: RELEASED_SCHEMAS, records: EVENT_RECORDS});
  const codec = new RecordCodec(RELEASED_SCHEMAS, framing);
  return {
    encode: event => codec.encode(event),
    encodeTick: tick => codec.encode(tick),
    decode: toStored === null ? bytes => codec.decode(bytes) : bytes => withUnitId(codec.decode(bytes), toStored),
    // Shortcuts that hand out or hash the unit's id as it lies in the record.
    ...(toStored === null ? shortcutsOf(codec) : {storedUnitId: toStored}),
    check: checkEvent,
    ...(framing === undefined ? {} : {prepare: (values: Iterable<Uint8Array>) => framing.prepare(values)}),
  };
}

const shortcutsOf = (codec: RecordCodec): Pick<EventCodec, 'glance' | 'project' | 'locate'> => ({
  glance: (place, arrival) => codec.glance(place, arrival),
  project: bytes => codec.project(bytes),
  locate: (bytes, cells) => codec.locate(bytes, cells),
});
