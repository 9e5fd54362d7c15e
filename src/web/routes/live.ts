import {z} from 'zod';
import type {Backend} from '../backend.ts';
import {type Route, route, wholeNumber} from '../route.ts';
import {SECURITY_HEADERS} from '../security-headers.ts';
import {windowSpan} from './results.ts';

export const liveRoutes = (backend: Backend): Route[] => [
  route({
    method: 'GET',
    path: '/v1/live',
    permission: 'read',
    tag: 'results',
    summary: 'Server-sent events: `windows` of one experiment, `decision` and `config` as they change.',
    query: z.object({
      stream: z.string().max(200).optional(),
      experiment: z.string().max(200).optional().describe('Left out: decisions and changes of every experiment.'),
      size_s: wholeNumber(1, 31 * 86_400).default(60),
      slide_s: wholeNumber(1, 31 * 86_400).default(10),
    }),
    answers: {200: {describe: 'A stream that goes on until the caller leaves.', type: 'text/event-stream'}},
    handle: async ({query, raw}) => {
      const stream = await backend.stream(query.stream, query.experiment);
      const {experiment = null, size_s: sizeS, slide_s: slideS} = query;
      await windowSpan(backend.warehouse, stream, {experiment: experiment ?? '', size_s: sizeS, slide_s: slideS, to: backend.clock.now()});
      backend.live.join({stream, experiment, sizeS, slideS}, raw, SECURITY_HEADERS);
      return {body: null, isTaken: true};
    },
  }),
];
