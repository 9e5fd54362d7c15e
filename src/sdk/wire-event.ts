import {eventIdToText, parseEventId} from '../avro/event-id.ts';
import type {Event, ExposureReason, OutcomeStatus} from '../core/events.ts';
import {epochMs} from '../core/units.ts';

/** An event as `POST /v1/events` takes it: field names as in `schemas/`, plus `type`. */
export type WireEvent = Readonly<Record<string, unknown>>;

export function toWire(event: Event): WireEvent {
  const shared = {
    event_id: eventIdToText(event.eventId),
    unit_id: event.unitId,
    event_ts: event.eventTs,
    item_id: event.itemId,
    sample_rate: event.sampleRate,
    trace_id: event.traceId,
    attributes: event.attributes,
  };
  if (event.kind === 'outcome') {
    return {type: 'outcome', ...shared, variant_hint: event.variantHint, measures: event.measures, status: event.status};
  }
  const {experiment, variant, phase, configVersion, reason, sessionId} = event;
  return {type: 'exposure', ...shared, experiment, variant, phase, config_version: configVersion, reason, session_id: sessionId};
}

/** What `toWire` wrote. @throws Error when it did not write that: a torn line of a spool, say. */
export function fromWire(wire: WireEvent): Event {
  const eventId = parseEventId(String(wire['event_id']));
  const type = wire['type'];
  if (eventId === undefined || (type !== 'exposure' && type !== 'outcome')) throw new Error('this is no event');
  const shared = {
    eventId,
    unitId: String(wire['unit_id']),
    eventTs: epochMs(Number(wire['event_ts'])),
    itemId: textOrNull(wire['item_id']),
    sampleRate: Number(wire['sample_rate']),
    traceId: String(wire['trace_id']),
    attributes: wire['attributes'] as Readonly<Record<string, string>>,
  };
  if (type === 'outcome') {
    return {
      kind: 'outcome',
      ...shared,
      variantHint: wire['variant_hint'] as Readonly<Record<string, string>>,
      measures: wire['measures'] as Readonly<Record<string, number>>,
      status: wire['status'] as OutcomeStatus,
    };
  }
  return {
    kind: 'exposure',
    ...shared,
    experiment: String(wire['experiment']),
    variant: String(wire['variant']),
    phase: Number(wire['phase']),
    configVersion: Number(wire['config_version']),
    reason: wire['reason'] as ExposureReason,
    sessionId: textOrNull(wire['session_id']),
  };
}

const textOrNull = (value: unknown): string | null => (typeof value === 'string' ? value : null);
