import {z} from 'zod';
import {assign} from '../../assign/assign.ts';
import {assignRequestOf} from '../../assign/http-request.ts';
import {LIVE_STREAM} from '../../core/streams.ts';
import {requireCurrent} from '../../experiment/change-experiment.ts';
import {onlyStreamHolding} from '../../experiment/state.ts';
import {namesEtag} from '../etag.ts';
import type {Backend} from '../backend.ts';
import {CONFIG_WAIT_MS_MAX, ConfigWaiting, makeConfigFeed} from '../config-routes.ts';
import {json, type Route, route, wholeNumber} from '../route.ts';

const ASSIGNMENT = z.object({
  experiment: z.string(), unit_id: z.string(), variant: z.string(), reason: z.enum(['assigned', 'override', 'fallback']), cause: z.string(), phase: z.number().int(), config_version: z.number().int(),
});

export function servingRoutes({registry}: Backend): Route[] {
  const waiting = new ConfigWaiting(makeConfigFeed(registry));
  return [
    route({
      method: 'GET',
      path: '/v1/config',
      permission: 'serve',
      tag: 'serving',
      summary: 'What a service splits its traffic by: the slot tables of every experiment. Answers at once, or within wait_ms as soon as its revision is another than the one named.',
      query: z.object({
        revision: z.string().max(100_000).optional().describe('The revision the caller has.'),
        wait_ms: wholeNumber(0, 3_600_000).default(0).describe(`How long to wait for a change, at most ${CONFIG_WAIT_MS_MAX}.`),
      }),
      answers: {200: {describe: 'The configuration.', schema: z.object({revision: z.string(), experiments: z.array(z.looseObject({experiment: z.string()}))})}, 304: {describe: 'Unchanged: the revision, or the ETag of If-None-Match, is the current one.'}},
      handle: async ({query, headers, raw}) => {
        const known = query.revision ?? unquote(headers['if-none-match']);
        const document = await waiting.next({revision: known, waitMs: query.wait_ms, gone: raw});
        const validators = {etag: `"${encodeURIComponent(document.revision)}"`, 'cache-control': 'no-store'};
        const isKnown = query.revision === undefined ? namesEtag(headers['if-none-match'], validators.etag) : document.revision === known;
        return isKnown ? {status: 304, headers: validators, body: null} : json(document, {headers: validators});
      },
    }),
    route({
      method: 'GET',
      path: '/v1/assign',
      permission: 'serve',
      tag: 'serving',
      summary: 'The variant of one unit, decided as the SDK decides it. Attributes for targeting as attribute.NAME=VALUE. For overrides the request’s own query, headers and cookies (the session) count; who asks for somebody else says header.NAME=VALUE and session.NAME=VALUE. An exposure is still to be sent.',
      query: z.looseObject({
        experiment: z.string().min(1, 'name the experiment'),
        unit: z.string().min(1, 'give the unit_id').max(512),
        stream: z.string().optional().describe('Default: live, or the only one that holds the experiment.'),
      }),
      answers: {200: {describe: 'The assignment.', schema: ASSIGNMENT}},
      handle: ({query: {experiment, unit, stream, ...rest}, headers}) => {
        const version = requireCurrent(registry, stream ?? onlyStreamHolding(registry.snapshot(), experiment) ?? LIVE_STREAM, experiment);
        const {variant, reason, cause, phase, configVersion} = assign(version, assignRequestOf(unit, {query: rest, headers}));
        return json({experiment, unit_id: unit, variant, reason, cause, phase, config_version: configVersion}, {headers: {'cache-control': 'no-store'}});
      },
    }),
  ];
}

const unquote = (etag: string | undefined): string | undefined => {
  const [, inner] = /^(?:W\/)?"(.*)"$/.exec(etag ?? '') ?? [];
  try {
    return inner === undefined ? undefined : decodeURIComponent(inner);
  } catch {
    return undefined;
  }
};
