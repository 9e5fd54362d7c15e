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
    answers: {202: {describe: 'What was taken; wrong events are named.', schema: RESULT}, 400: {describe: 'None was taken.', schema: RESULT}},
    handle: async ({body, headers}) => {
      const values = readEvents(body, String(headers['content-type'] ?? ''));
      if (typeof values === 'string') throw new ProblemError({status: 400, title: 'The events cannot be read', detail: values});
      if (values.length > EVENTS_MAX) throw new ProblemError({status: 413, title: 'Too many events', detail: `${values.length} events; send at most ${EVENTS_MAX} at once`});
      const {traceparent} = headers;
      const result = await door.accept(values, typeof traceparent === 'string' ? {traceparent} : {});
      return json(result, {status: result.accepted === 0 && result.errors.length > 0 ? 400 : 202});
    },
  }),
];

/** @returns the events, or what is wrong with the body. */
function readEvents(body: string, contentType: string): unknown[] | string {
  if (body.trim() === '') return 'the body is empty; send a JSON array, one JSON object, or NDJSON';
  try {
    if (!contentType.includes('ndjson')) {
      const value: unknown = JSON.parse(body);
      return Array.isArray(value) ? value : [value];
    }
  } catch (error) {
    if (contentType.includes('application/json')) return `the body is not JSON (${messageOf(error)})`;
  }
  const values: unknown[] = [];
  for (const [index, line] of body.split('\n').entries()) {
    if (line.trim() === '') continue;
    try {
      values.push(JSON.parse(line));
    } catch (error) {
      return `line ${index + 1} is not JSON (${messageOf(error)})`;
    }
  }
  return values;
}
