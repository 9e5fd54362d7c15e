import {z} from 'zod';
import type {DeliveryRow} from '../../warehouse/warehouse.ts';
import {currentVersions} from '../../experiment/state.ts';
import {ruleNameOf} from '../../guard/guard-findings.ts';
import type {Backend} from '../backend.ts';
import {ProblemError} from '../problem.ts';
import {below, json, pageOf, paging, placeOf, type Route, route, wholeNumber} from '../route.ts';

const stream = z.string().max(200).optional().describe('Default: live, or the only stream there is.');
const ALERT = z.looseObject({alert_id: z.string(), rule: z.string(), experiment: z.string(), variant: z.string(), state: z.enum(['pending', 'firing', 'resolved']), severity: z.string(), changed_at: z.string()});
const DELIVERY = z.object({
  delivery_id: z.string(), channel: z.string(), subject: z.string(), content_type: z.string(), state: z.enum(['due', 'delivered', 'failed', 'disabled']), attempt: z.number(), created_at: z.string(),
  next_attempt_at: z.string().nullable(), changed_at: z.string(), last_status: z.number().nullable(), last_error: z.string(), duration_ms: z.number().nullable(),
});
const GUARD = z.object({
  rule: z.string().describe('For a backtest.'),
  kind: z.enum(['window', 'compare', 'health', 'drift']),
  experiment: z.string(), version: z.number(), metric: z.string().describe('Of drift a measure; empty of health.'), window_s: z.number(), above: z.number().nullable(), below: z.number().nullable(),
  tolerate: z.union([z.object({relative: z.number()}), z.object({absolute: z.number()})]).nullable().describe('Of compare: a share of control’s value, or an amount in the metric’s unit.'),
  min_n: z.number(), action: z.string(), lifecycle: z.string(),
});
const PREVENTED = z.object({
  outcomes: z.number().describe('Of the variant while it would have been cut off; of an alert, while it fired.'),
  metrics: z.array(z.object({
    metric: z.string(), n: z.number(), value: z.number().nullable(), control: z.number().nullable(),
    excess: z.number().nullable().describe('Harm beyond that of the same number of control’s outcomes: of a share, outcomes; of a mean, its sum.'),
  })),
});
const EPISODE = z.object({
  rule: z.string(), experiment: z.string(), variant: z.string(), action: z.string(), window_start: z.string().nullable(), fired_at: z.string(), resolved_at: z.string().nullable(), value: z.number().nullable(), threshold: z.number().nullable(), n: z.number(), reason: z.string(),
  prevented: PREVENTED.nullable(),
});

export const alertRoutes = (backend: Backend): Route[] => [...stateRoutes(backend), backtestRoute(backend), ...deliveryRoutes(backend)];

const stateRoutes = (backend: Backend): Route[] => [
  route({
    method: 'GET',
    path: '/v1/alerts',
    permission: 'read',
    tag: 'alerts',
    summary: 'The newest state of every alert.',
    query: z.object({stream, state: z.enum(['pending', 'firing', 'resolved']).optional(), ...paging(1_000, 1_000)}),
    answers: {200: {describe: 'A page, newest first.', schema: z.object({alerts: z.array(ALERT), next_cursor: z.string().nullable()})}},
    handle: async ({query: {state: wanted, limit, cursor, ...query}}) => {
      const rows = await backend.warehouse.latestAlerts((await backend.stream(query.stream)).name);
      const place = placeOf(cursor);
      const {through = Number.POSITIVE_INFINITY, skip = 0} = below(place);
      const found = rows
        .filter(({state, changed_at: at}) => (wanted === undefined || state === wanted) && Date.parse(at) <= through)
        .sort((a, b) => (a.changed_at === b.changed_at ? (a.alert_id < b.alert_id ? -1 : 1) : a.changed_at > b.changed_at ? -1 : 1))
        .slice(skip);
      const {page, next_cursor} = pageOf(found, {limit, place, timeOf: ({changed_at: at}) => at});
      return json({alerts: page, next_cursor});
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
        definition.guards.map((guard, index) => {
          const {kind = 'window', metric, windowMs, above, below, tolerate = null, minN, action} = guard;
          return {rule: ruleNameOf({experiment}, guard, index), kind, experiment, version, metric, window_s: windowMs / 1000, above, below, tolerate, min_n: minN, action, lifecycle: definition.lifecycle};
        }),
      );
      return json({guards});
    },
  }),
];

/** One at a time: a week of windows is much to read, and the page asks for one guard after the other. */
function backtestRoute(backend: Backend): Route {
  let isRunning = false;
  return route({
    method: 'GET',
    path: '/v1/guards/backtest',
    permission: 'read',
    tag: 'alerts',
    summary: 'When a guard of any kind would have fired over the stored slices of the last days, and what it would have prevented. Nothing is stored and nobody is told.',
    query: z.object({stream, rule: z.string().min(1, 'name the guard as /v1/guards does').max(500), days: wholeNumber(1, 31).default(7)}),
    answers: {200: {describe: 'Oldest first.', schema: z.object({rule: z.string(), from: z.string(), to: z.string(), episodes: z.array(EPISODE)})}, 404: {describe: 'There is no such guard, or no data.'}, 429: {describe: 'Another backtest is under way.'}},
    handle: async ({query}) => {
      if (isRunning) throw new ProblemError({status: 429, title: 'Too many requests', detail: 'another backtest is under way; wait for it', retryAfterSeconds: 2});
      isRunning = true;
      try {
        return json(await backend.backtest({stream: await backend.stream(query.stream), rule: query.rule, days: query.days}));
      } finally {
        isRunning = false;
      }
    },
  });
}

const deliveryRoutes = (backend: Backend): Route[] => [
  route({
    method: 'GET',
    path: '/v1/deliveries',
    permission: 'read',
    tag: 'alerts',
    summary: 'Messages of the outbox, newest first, without their bodies.',
    query: z.object({state: z.enum(['due', 'delivered', 'failed', 'disabled']).optional(), ...paging(1_000, 200)}),
    answers: {200: {describe: 'A page: the newest state of each.', schema: z.object({deliveries: z.array(DELIVERY), next_cursor: z.string().nullable()})}},
    handle: async ({query: {state, limit, cursor}}) => {
      const place = placeOf(cursor);
      const found = await backend.warehouse.newestDeliveries({states: state === undefined ? [] : [state], limit: limit + 1, ...below(place)});
      const {page, next_cursor} = pageOf(found, {limit, place, timeOf: ({created_at: at}) => at});
      return json({deliveries: page.map(withoutBody), next_cursor});
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
