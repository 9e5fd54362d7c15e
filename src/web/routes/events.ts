import {z} from 'zod';
import {messageOf} from '../../core/errors.ts';
import type {Backend} from '../backend.ts';
import {ProblemError} from '../problem.ts';
import {json, type Route, route} from '../route.ts';

const EVENTS_MAX = 5_000;

const RESULT = z.object({
  accepted: z.number().int().describe('Durable in the log.'),
  errors: z.array(z.object({index: z.number().int(), field: z.string(), message: z.string()})).describe('One entry for every event that was not taken.'),
});

export const eventRoutes = ({door}: Backend): Route[] => [
  route({
    method: 'POST',
    path: '/v1/events',
    permission: 'send',
    tag: 'events',
    summary: 'Exposures and outcomes as a JSON array, one JSON object or NDJSON, also from sendBeacon (with ?key=…). Sending the same event_id again is harmless. Events without trace_id get the trace of the request’s traceparent header.',
    query: z.object({key: z.string().optional().describe('The API key, for beacons, which have no headers.')}),
    body: 'text',
    answers: {202: {describe: 'What was taken; wrong events are named.', schema: RESULT}, 400: {describe: 'None was taken; `errors` and `accepted` are those of 202.'}},
    handle: async ({body, headers}) => {
      const read = readEvents(body, String(headers['content-type'] ?? ''));
      if (typeof read === 'string') throw new ProblemError({status: 400, title: 'The events cannot be read', detail: read});
      const sent = read.events.length + read.errors.length;
      if (sent > EVENTS_MAX) throw new ProblemError({status: 413, title: 'Too many events', detail: `${sent} events; send at most ${EVENTS_MAX} at once`});
      const {traceparent} = headers;
      const taken = await door.accept(read.events.map(({value}) => value), typeof traceparent === 'string' ? {traceparent} : {});
      const named = taken.errors.map(error => ({...error, index: read.events[error.index]?.index ?? error.index}));
      const result = {accepted: taken.accepted, errors: [...named, ...read.errors].sort((a, b) => a.index - b.index)};
      const [first] = result.errors;
      if (first === undefined || result.accepted > 0) return json(result, {status: 202});
      const detail = `event ${first.index}: ${[first.field, first.message].filter(part => part !== '').join(' ')}${result.errors.length > 1 ? `; ${result.errors.length - 1} more in errors` : ''}`;
      return json({type: 'about:blank', title: 'No event was taken', status: 400, detail, ...result}, {status: 400, type: 'application/problem+json'});
    },
  }),
];

type ReadEvents = {
  readonly events: readonly {readonly index: number; readonly value: unknown}[];
  /** Lines that are not JSON; what the others hold is taken. */
  readonly errors: readonly {readonly index: number; readonly field: string; readonly message: string}[];
};

/** @returns the events, or what is wrong with the body. */
function readEvents(body: string, contentType: string): ReadEvents | string {
  if (body.trim() === '') return 'the body is empty; send a JSON array, one JSON object, or NDJSON';
  try {
    if (!contentType.includes('ndjson')) {
      const value: unknown = JSON.parse(body);
      return {events: (Array.isArray(value) ? value : [value]).map((one: unknown, index) => ({index, value: one})), errors: []};
    }
  } catch (error) {
    if (contentType.includes('application/json')) return `the body is not JSON (${messageOf(error)})`;
  }
  return readLines(body);
}

/** An index counts the lines that hold anything. */
function readLines(body: string): ReadEvents | string {
  const events: {index: number; value: unknown}[] = [];
  const errors: {index: number; field: string; message: string}[] = [];
  for (const [index, {line, number}] of body.split('\n').map((line, at) => ({line, number: at + 1})).filter(({line}) => line.trim() !== '').entries()) {
    try {
      events.push({index, value: JSON.parse(line)});
    } catch (error) {
      errors.push({index, field: '', message: `line ${number} is not JSON (${messageOf(error)})`});
    }
  }
  return events.length === 0 ? (errors[0]?.message ?? '') : {events, errors};
}
