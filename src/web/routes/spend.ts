import {z} from 'zod';
import {type EpochMs, epochMs} from '../../core/units.ts';
import type {Backend} from '../backend.ts';
import {ProblemError} from '../problem.ts';
import {json, type Route, route} from '../route.ts';

const DAY_MS = 86_400_000;
const ASKS_MAX = 20;
const KEYS_MAX = 1_000;

const ASK = z.object({
  per: z.union([z.enum(['unit', 'all']), z.object({attribute: z.string().min(1).max(200)})]).describe('Whose spending: of units, of the values of an attribute, or all together (key: the empty text).'),
  measure: z.string().min(1).max(200).default('cost_usd'),
  window_ms: z.number().int().min(1_000).max(31 * DAY_MS).default(DAY_MS),
  window_start_ms: z.number().int().min(0).describe('A multiple of window_ms, of a window that is not over for longer than another one.'),
  keys: z.array(z.string().max(1_024)).min(1).max(KEYS_MAX),
});

export const spendRoutes = ({spend, clock}: Backend): Route[] => [
  route({
    method: 'POST',
    path: '/v1/spend',
    permission: 'read',
    tag: 'serving',
    summary: 'What all processes together have spent of budgets in a window of the live stream, as far as outcomes have arrived. Of sampled outcomes the sums over several units are of all those they stand for.',
    body: z.object({asks: z.array(ASK).min(1).max(ASKS_MAX)}),
    answers: {
      200: {
        describe: 'One entry for each ask.',
        schema: z.object({cut_ms: z.number().nullable().describe('Outcomes that arrived up to here are in the sums; null while there are none.'), sums: z.array(z.record(z.string(), z.number())).describe('By key; a key without spending is left out.')}),
      },
    },
    handle: async ({body}) => {
      const now = clock.now();
      const {cut, sums} = await spend(body.asks.map(({per, measure, window_ms: windowMs, window_start_ms: start, keys}, index) => {
        checkWindow({windowMs, start, now, field: `asks.${index}.window_start_ms`});
        return {per, measure, keys, windowStart: epochMs(start), windowEnd: epochMs(start + windowMs)};
      }));
      return json({cut_ms: cut, sums}, {headers: {'cache-control': 'no-store'}});
    },
  }),
];

function checkWindow({windowMs, start, now, field}: {readonly windowMs: number; readonly start: number; readonly now: EpochMs; readonly field: string}): void {
  const current = Math.floor(now / windowMs) * windowMs;
  if (start % windowMs === 0 && Math.abs(start - current) <= windowMs) return;
  throw new ProblemError({status: 400, title: 'The body is wrong', detail: `${field}: is ${start}; write ${current}, where the present window begins`});
}
