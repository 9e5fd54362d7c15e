import {z} from 'zod';
import {requireCurrent} from '../../experiment/change-experiment.ts';
import type {Backend} from '../backend.ts';
import {ProblemError} from '../problem.ts';
import {json, type Route, route, wholeNumber} from '../route.ts';
import {instant, newestEnd} from './results.ts';

const number = z.number().nullable();
const COMPARISON = z.object({
  metric: z.string(), variant: z.string(), aggregate: z.string(), direction: z.enum(['higher', 'lower']), n_control: z.number(), n_variant: z.number(), control: number, value: number,
  difference: number.describe('value − control.'),
  relative: number.describe('The difference as a share of control; null when control is 0.'),
  standard_error: number,
  tolerated: number.describe('How far on the harmful side of control is tolerated, in the metric’s unit: as the experiment’s own compare guard says, otherwise 15 % of control, for shares 0.0005.'),
  state: z.enum(['within', 'worse', 'unclear', 'inconclusive']).describe('worse: beyond what is tolerated by more than noise explains. unclear: beyond it, but noise may explain it. inconclusive: too few outcomes.'),
  reason: z.string(),
});
const HEALTH = z.object({
  variant: z.string(), score: number.describe('0 to 1; null while a metric has too few outcomes.'), grade: z.enum(['healthy', 'warning', 'critical']).nullable(), best_case: number.describe('If noise made every metric look worse than it is.'),
  components: z.record(z.string(), z.number()).describe('By metric, 0 to 1.'), n: z.number(), reason: z.string(),
});
const TABLE = z.object({
  experiment: z.string(), phase: z.number(), config_version: z.number(), control: z.string(), window_start: z.string(), window_end: z.string(), comparisons: z.array(COMPARISON),
  health: z.array(HEALTH).describe('Empty when the definition says nothing under health.'),
});

export const comparisonRoutes = ({registry, warehouse, stream: streamOf, compare}: Backend): Route[] => [
  route({
    method: 'GET',
    path: '/v1/comparison',
    permission: 'read',
    tag: 'results',
    summary: 'Each treatment beside control in one window of the present phase, with what is tolerated, and the health score of every variant: what guards judge by.',
    query: z.object({
      stream: z.string().max(200).optional().describe('Default: live, or the only stream there is.'),
      experiment: z.string().min(1, 'name the experiment').max(200),
      window_s: wholeNumber(1, 31 * 86_400).default(3_600).describe('Length of the window; a multiple of the base slice.'),
      to: instant.optional().describe('The window’s end. Default: where the newest data ends.'),
    }),
    answers: {
      200: {describe: 'The table; null while the experiment has no data.', schema: z.object({comparison: TABLE.nullable()})},
      404: {describe: 'There is no such experiment.'},
    },
    handle: async ({query: {experiment, window_s: windowS, ...query}}) => {
      const stream = await streamOf(query.stream, experiment);
      requireCurrent(registry, stream.name, experiment);
      const windowMs = windowS * 1_000;
      if (windowMs % stream.sliceMs !== 0) {
        throw new ProblemError({status: 400, title: 'The query is wrong', detail: `window_s must be a multiple of the base slice, which is ${stream.sliceMs / 1_000} s in stream ${stream.name}; got ${windowS}`});
      }
      const to = query.to ?? (await newestEnd(warehouse, {stream, experiment, sizeMs: stream.sliceMs}));
      if (to === null) return json({comparison: null});
      return json({comparison: await compare({stream, experiment, windowMs, to})});
    },
  }),
];
