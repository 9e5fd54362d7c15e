/** One trace from a service's call through its fact to the verdict that counts it. */
import {mkdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {openTracker} from '../../src/roles/sdk.ts';
import {cliSkipReason, type Running, startAssay, temporaryDirectory} from '../helpers/cli.ts';
import {openOtlpReceiver, type OtlpReceiver, type ReceivedSpan} from './otlp-receiver.ts';

const missing = await cliSkipReason();

const EXPERIMENT = `experiment: traced
hypothesis: v2 raises scores
owner: tests
unit: user
variants: {v1: 50, v2: 50}
control: v1
metrics:
  - {key: score, measure: score, aggregate: mean, role: goal, direction: higher}
analysis: {min_n: 2}
lifecycle: running
`;

describe.skipIf(missing !== null)(`a trace from SDK to fact to verdict${missing === null ? '' : ` (skipped: ${missing})`}`, () => {
  const home = temporaryDirectory('tracing');
  let collector: OtlpReceiver;
  let up: Running;
  let url = '';

  beforeAll(async () => {
    mkdirSync(join(home, 'experiments'));
    writeFileSync(join(home, 'experiments', 'traced.yaml'), EXPERIMENT);
    collector = await openOtlpReceiver();
    const env = {
      ASSAY_TRACING_OTLP_URL: collector.url, ASSAY_LIVE_LATENESS_MS: '500', ASSAY_LIVE_SLICE_MS: '1000', ASSAY_ANALYSIS_EVERY_MS: '1000', ASSAY_CLOSING_EVERY_MS: '200', ASSAY_SERVER_PORT: '0',
    };
    up = startAssay(['up', '--data', join(home, 'data'), '--experiments', join(home, 'experiments')], {env});
    url = (await up.waitFor(/serving on (http:\S+)/))[1] ?? '';
  }, 120_000);
  afterAll(async () => {
    await up?.stop();
    await collector?.close();
  });

  const named = (name: string): ReceivedSpan[] => collector.spans.filter(span => span.name === name);

  test('the caller’s trace holds the call, the events, their facts and the verdict', async () => {
    const tracker = openTracker({http: {url}, tracing: {url: collector.url, serviceName: 'answers'}});
    expect(await tracker.ready()).toBe(true);
    const caller = {traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7'};
    const inner: (string | undefined)[] = [];
    // An analysis tells traces that came since the one before, so traffic goes on until one told ours.
    for (let turn = 0; named('assay.verdict').length === 0; turn += 1) {
      for (let user = 0; user < 20; user += 1) {
        const traceparent = user === 0 && turn === 0 ? {traceparent: `00-${caller.traceId}-${caller.spanId}-01`} : {};
        await tracker.run({unitId: `u${user}`, ...traceparent}, async () => {
          tracker.expose('traced');
          await tracker.observe({model: 'm-1', measures: {score: user / 20}}, () => {
            if (user === 0 && turn === 0) inner.push(tracker.context().traceparent);
            return Promise.resolve({usage: {prompt_tokens: 11, completion_tokens: 5}});
          });
        });
      }
      await tracker.flush();
      await new Promise(resolve => setTimeout(resolve, 300));
    }
    await tracker.close();
    // Spans of one process go in batches, and a verdict's may come before its fact's.
    const isFactThere = (): boolean => collector.spans.some(({spanId}) => spanId === named('assay.verdict')[0]?.parentSpanId);
    for (let tries = 0; tries < 200 && !isFactThere(); tries++) await new Promise(resolve => setTimeout(resolve, 100));

    const ours = collector.spans.filter(({traceId}) => traceId === caller.traceId);
    const only = (name: string): ReceivedSpan | undefined => ours.find(span => span.name === name);
    expect(only('assay.observe')).toMatchObject({service: 'answers', parentSpanId: caller.spanId, attributes: {'gen_ai.response.model': 'm-1', 'gen_ai.usage.input_tokens': 11, 'gen_ai.usage.output_tokens': 5}});
    expect(inner).toEqual([`00-${caller.traceId}-${only('assay.observe')?.spanId}-01`]);
    expect(only('assay.exposure')).toMatchObject({parentSpanId: caller.spanId, attributes: {'assay.experiment': 'traced'}});
    expect(only('assay.outcome')).toMatchObject({parentSpanId: only('assay.observe')?.spanId});

    const [verdict] = named('assay.verdict');
    const fact = collector.spans.find(({spanId}) => spanId === verdict?.parentSpanId);
    const outcome = collector.spans.find(({spanId}) => spanId === fact?.parentSpanId);
    const observed = collector.spans.find(({spanId}) => spanId === outcome?.parentSpanId);
    const root = collector.spans.find(({spanId}) => spanId === observed?.parentSpanId);
    expect([verdict, fact, outcome, observed].map(one => [one?.name, one?.service])).toEqual([['assay.verdict', 'assay-up'], ['assay.fact', 'assay-up'], ['assay.outcome', 'answers'], ['assay.observe', 'answers']]);
    expect(root === undefined ? caller.traceId : root.name).toBe(root === undefined ? verdict?.traceId : 'assay.run');
    expect(new Set([verdict, fact, outcome, observed].map(one => one?.traceId)).size).toBe(1);
    expect(verdict?.attributes).toMatchObject({'assay.experiment': 'traced', 'assay.verdict_id': expect.stringMatching(/^vd_/)});
    const analysis = collector.spans.find(({spanId}) => spanId === verdict?.links[0]?.spanId);
    expect(analysis).toMatchObject({name: 'assay.analysis', links: expect.arrayContaining([{traceId: fact?.traceId, spanId: fact?.spanId}])});
    expect(named('assay.fact').length).toBe(new Set(named('assay.fact').map(({spanId}) => spanId)).size);
  }, 120_000);
});
