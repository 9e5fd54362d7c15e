import {z} from 'zod';
import type {DeliveryRow} from '../../warehouse/warehouse.ts';
import {currentVersions} from '../../experiment/state.ts';
import type {Backend} from '../backend.ts';
import {ProblemError} from '../problem.ts';
import {json, type Route, route, wholeNumber} from '../route.ts';

const stream = z.string().max(200).optional().describe('Default: live, or the only stream there is.');
const ALERT = z.looseObject({alert_id: z.string(), rule: z.string(), experiment: z.string(), variant: z.string(), state: z.enum(['pending', 'firing', 'resolved']), severity: z.string(), changed_at: z.string()});
const DELIVERY = z.object({
  delivery_id: z.string(), channel: z.string(), subject: z.string(), content_type: z.string(), state: z.enum(['due', 'delivered', 'failed', 'disabled']), attempt: z.number(), created_at: z.string(),
  next_attempt_at: z.string().nullable(), changed_at: z.string(), last_status: z.number().nullable(), last_error: z.string(), duration_ms: z.number().nullable(),
});
const GUARD = z.object({
  experiment: z.string(), version: z.number(), metric: z.string(), window_s: z.number(), above: z.number().nullable(), below: z.number().nullable(), min_n: z.number(), action: z.string(), lifecycle: z.string(),
});
const LISTED_MAX = 1_000;

export const alertRoutes = (backend: Backend): Route[] => [...stateRoutes(backend), ...deliveryRoutes(backend)];

const stateRoutes = (backend: Backend): Route[] => [
  route({
    method: 'GET',
    path: '/v1/alerts',
    permission: 'read',
    tag: 'alerts',
    summary: 'The newest state of every alert.',
    query: z.object({stream, state: z.enum(['pending', 'firing', 'resolved']).optional()}),
    answers: {200: {describe: 'Newest first.', schema: z.object({alerts: z.array(ALERT)})}},
    handle: async ({query}) => {
      const rows = await backend.warehouse.latestAlerts((await backend.stream(query.stream)).name);
      const shown = rows.filter(({state}) => query.state === undefined || state === query.state);
      return json({alerts: shown.sort((a, b) => (a.changed_at > b.changed_at ? -1 : 1))});
    },
  }),
  route({
    method: 'GET',
    path: '/v1/guards',
    permission: 'read',
    tag: 'alerts',
    summary: 'The guards of every experiment as they are in force.',
    query: z.object({stream}),
    answers: {200: {describe: 'By experiment.', schema: z.object({guards: z.array(GUARD)})}},
    handle: async ({query}) => {
      const {name} = await backend.stream(query.stream);
      const versions = currentVersions(backend.registry.snapshot(), name).sort((a, b) => (a.experiment < b.experiment ? -1 : 1));
      const guards = versions.flatMap(({experiment, version, definition}) =>
        definition.guards.map(({metric, windowMs, above, below, minN, action}) => ({
          experiment, version, metric, window_s: windowMs / 1000, above, below, min_n: minN, action, lifecycle: definition.lifecycle,
        })),
      );
      return json({guards});
    },
  }),
];

const deliveryRoutes = (backend: Backend): Route[] => [
  route({
    method: 'GET',
    path: '/v1/deliveries',
    permission: 'read',
    tag: 'alerts',
    summary: 'Messages of the outbox, newest first, without their bodies.',
    query: z.object({state: z.enum(['due', 'delivered', 'failed', 'disabled']).optional(), limit: wholeNumber(1, LISTED_MAX).default(200)}),
    answers: {200: {describe: 'The newest state of each.', schema: z.object({deliveries: z.array(DELIVERY)})}},
    handle: async ({query}) => {
      const rows = await backend.warehouse.deliveries({states: query.state === undefined ? [] : [query.state], limit: LISTED_MAX});
      const newest = rows.sort((a, b) => (a.created_at > b.created_at ? -1 : 1)).slice(0, query.limit);
      return json({deliveries: newest.map(withoutBody)});
    },
  }),
  route({
    method: 'GET',
    path: '/v1/deliveries/:delivery',
    permission: 'read',
    tag: 'alerts',
    summary: 'The log of one message: every attempt, oldest first, and what was sent.',
    answers: {200: {describe: 'The log.', schema: z.object({attempts: z.array(DELIVERY), body: z.string()})}, 404: {describe: 'There is none.'}},
    handle: async ({params}) => {
      const rows = await backend.warehouse.deliveryHistory(params['delivery'] ?? '');
      const [first] = rows;
      if (first === undefined) throw new ProblemError({status: 404, title: 'Not found', detail: `there is no delivery ${params['delivery']}`});
      return json({attempts: rows.map(withoutBody), body: first.body});
    },
  }),
  route({
    method: 'POST',
    path: '/v1/deliveries/:delivery/redeliver',
    permission: 'change',
    tag: 'alerts',
    summary: 'One more attempt as soon as the outbox runs; the id stays.',
    isAudited: true,
    answers: {202: {describe: 'It is due.', schema: DELIVERY}, 404: {describe: 'There is none, or its channel is not configured.'}},
    handle: async ({params}) => json(withoutBody(await backend.redeliver(params['delivery'] ?? '')), {status: 202}),
  }),
];

const withoutBody = ({body: _, ...row}: DeliveryRow): z.infer<typeof DELIVERY> => row;
