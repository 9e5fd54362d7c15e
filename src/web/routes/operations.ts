import {z} from 'zod';
import type {Backend} from '../backend.ts';
import {makeOpenApi} from '../openapi.ts';
import {json, type Route, route} from '../route.ts';

/** @param routes all there are, these included; asked when the document is. */
export function operationRoutes(backend: Backend, {routes, version}: {readonly routes: () => readonly Route[]; readonly version: string}): Route[] {
  let document: unknown;
  return [
    route({
      method: 'GET',
      path: '/healthz',
      permission: 'public',
      tag: 'operations',
      summary: 'The process lives.',
      answers: {200: {describe: 'It does.', schema: z.object({status: z.literal('ok')})}},
      handle: () => json({status: 'ok'}),
    }),
    route({
      method: 'GET',
      path: '/readyz',
      permission: 'public',
      tag: 'operations',
      summary: 'Whether requests should come here, and why not.',
      answers: {200: {describe: 'Ready.', schema: z.object({status: z.string(), reasons: z.array(z.string())})}, 503: {describe: 'Not ready.', schema: z.object({status: z.string(), reasons: z.array(z.string())})}},
      handle: async () => {
        const reasons = await backend.unready();
        return json({status: reasons.length === 0 ? 'ready' : 'not ready', reasons}, {status: reasons.length === 0 ? 200 : 503, headers: {'cache-control': 'no-store'}});
      },
    }),
    route({
      method: 'GET',
      path: '/metrics',
      permission: 'read',
      tag: 'operations',
      summary: 'Prometheus metrics of this process; with keys, scrape with one of a viewer.',
      answers: {200: {describe: 'Prometheus text format.', type: 'text/plain'}},
      handle: async () => ({body: await backend.metrics.render(), type: backend.metrics.contentType}),
    }),
    route({
      method: 'GET',
      path: '/openapi.json',
      permission: 'public',
      tag: 'operations',
      summary: 'This document.',
      answers: {200: {describe: 'OpenAPI 3.1.'}},
      handle: () => {
        document ??= makeOpenApi(routes(), version);
        return json(document);
      },
    }),
  ];
}
