/** The real server with 200 experiments and answers whose every text is hostile. */
import type {Verdict} from '../../src/core/verdict.ts';
import {epochMs} from '../../src/core/units.ts';
import {createExperiment, changeLifecycle} from '../../src/experiment/change-experiment.ts';
import {parseDefinition, requireDefinition} from '../../src/experiment/definition.ts';
import type {DeliveryRow} from '../../src/warehouse/warehouse.ts';
import {nightRows} from '../report/make-verdict.ts';
import {type Access, emptyWarehouse, openTestServer, STREAM, type TestServer} from '../web/test-server.ts';

/** Script, a picture from elsewhere, closing tags, and a character that turns the reading direction. */
export const HOSTILE = '</script></pre><script>document.title="owned"</script><img src="https://evil.example/x.png" onerror="document.title=1">" onload="x()" javascript:alert(1) \u202eevil';
/** As a variant or metric may be named: no control characters. */
export const HOSTILE_NAME = HOSTILE.replaceAll('\u202e', '').slice(0, 120).trim();
export const EXPERIMENTS = 200;

const T0 = Date.parse('2026-11-21T07:00:00.000Z');

export type DashboardServer = TestServer & {readonly redelivered: string[]};

export async function openDashboard(access?: Access): Promise<DashboardServer> {
  const redelivered: string[] = [];
  const deliveries = [delivery()];
  const server = await openTestServer(
    {
      warehouse: emptyWarehouse({
        query: (sql, options) => Promise.resolve(answerTo(sql, String(options?.parameters?.['experiment'] ?? ''))),
        windows: ({experiment}) => Promise.resolve(experiment === 'experiment-000' ? windows() : []),
        latestVerdicts: (_stream, experiment) => Promise.resolve(experiment === 'experiment-000' ? verdicts() : []),
        latestAlerts: () => Promise.resolve([{
          alert_id: 'al_1', stream: STREAM.name, rule: HOSTILE, experiment: 'experiment-000', variant: HOSTILE_NAME, state: 'firing' as const, severity: 'critical', value: 0.4, threshold: 0.3,
          window_start: null, window_end: null, reason: HOSTILE, context: {}, changed_at: '2026-11-21T07:30:00.000Z',
        }]),
        newestDeliveries: () => Promise.resolve(deliveries),
        deliveryHistory: () => Promise.resolve(deliveries),
        deadLetters: () => Promise.resolve([{stream: STREAM.name, partition: 0, offset: '7', code: 'undecodable', message: HOSTILE, key: HOSTILE, value: new Uint8Array([1]), arrival_ts: '2026-11-21T07:00:00.000Z'}]),
      }),
      pipeline: ({name}) => Promise.resolve({
        stream: name, lag_records: 12, progress: '2026-11-21T07:59:00.000Z', closed_through: '2026-11-21T07:58:00.000Z', revised_cut: null, paused_seconds: 1.5, audit: {mismatch: 0, slices_checked: 200, checked_at: '2026-11-21T07:59:30.000Z'}, versions: {assay: '0.1.0', engine: HOSTILE},
        partitions: [{partition: 0, log_epoch: 1, first_offset: '0', end_offset: '90', committed_offset: '78', lag_records: 12, progress: '2026-11-21T07:59:00.000Z'}],
      }),
      backtest: ({rule, days}) => Promise.resolve({
        rule, from: new Date(Date.parse('2026-11-21T08:00:00.000Z') - days * 86_400_000).toISOString(), to: '2026-11-21T08:00:00.000Z',
        episodes: [1, 2, 3].map(day => ({rule, experiment: 'experiment-000', variant: HOSTILE_NAME, window_start: null, fired_at: `2026-11-1${day}T08:00:00.000Z`, resolved_at: null, value: 120, threshold: 100, n: 500, reason: HOSTILE, action: 'roll_back' as const,
          prevented: {outcomes: 12_034, metrics: [{metric: HOSTILE_NAME, n: 12_034, value: 0.41, control: 0.01, excess: 4_813.6}]},
        })),
      }),
      compare: ({experiment, windowMs, to}) => Promise.resolve({
        experiment, phase: 1, config_version: 2, control: 'v1', window_start: new Date(to - windowMs).toISOString(), window_end: new Date(to).toISOString(),
        comparisons: [
          {metric: HOSTILE_NAME, variant: HOSTILE_NAME, aggregate: 'share', direction: 'lower', n_control: 12_000, n_variant: 11_000, control: 0.01, value: 0.05, difference: 0.04, relative: 4, standard_error: 0.001, tolerated: 0.0005, state: 'worse', reason: HOSTILE},
          {metric: 'latency_p95', variant: HOSTILE_NAME, aggregate: 'p95', direction: 'lower', n_control: 12_000, n_variant: 20, control: 812, value: null, difference: null, relative: null, standard_error: null, tolerated: null, state: 'inconclusive', reason: HOSTILE},
        ],
        health: [
          {variant: 'v1', score: 0.97, grade: 'healthy', best_case: 0.98, components: {[HOSTILE_NAME]: 0.97}, n: 12_000, reason: HOSTILE},
          {variant: HOSTILE_NAME, score: 0.42, grade: 'critical', best_case: 0.5, components: {[HOSTILE_NAME]: 0.42}, n: 11_000, reason: HOSTILE},
        ],
      }),
      redeliver: id => {
        redelivered.push(id);
        return Promise.resolve(delivery());
      },
    },
    access,
  );
  for (let index = 0; index < EXPERIMENTS; index += 1) {
    const name = `experiment-${String(index).padStart(3, '0')}`;
    const definition = requireDefinition(parseDefinition({
      experiment: name, owner: HOSTILE, hypothesis: HOSTILE, variants: {v1: 50, [HOSTILE_NAME]: 50}, control: 'v1',
      metrics: [{key: HOSTILE_NAME, measure: 'score', role: 'goal', direction: 'higher'}, {key: 'latency_p95', measure: 'latency_ms', aggregate: 'p95', role: 'guardrail', direction: 'lower'}],
      guards: [{metric: 'latency_p95', window: '60s', above: 100}],
    }));
    const change = {stream: STREAM.name, author: HOSTILE, reason: HOSTILE};
    await createExperiment(server.registry, definition, change);
    if (index < 3) await changeLifecycle(server.registry, 'start', {...change, experiment: name});
  }
  return {...server, redelivered};
}

function verdicts(): Verdict[] {
  return nightRows().map((row, index) => ({
    ...row,
    experiment: 'experiment-000',
    variant: HOSTILE_NAME,
    metric: index === 0 ? HOSTILE_NAME : row.metric,
    sql: `SELECT '${HOSTILE}'`,
    reasons: [...row.reasons, `guardrail_harmed:${HOSTILE}`],
    arms: row.arms.map((arm, place) => ({...arm, variant: place === 0 ? 'v1' : HOSTILE_NAME})),
    versions: {...row.versions, engine: HOSTILE},
    calibration:
      index === 0
        ? {status: 'unhealthy', alpha: 0.05, relabellings: 200, computed: 200, rejected: 61, rate: 0.305, low: 0.2454, high: 0.372, cut_ms: T0}
        : {status: 'not-computable', reason: HOSTILE, alpha: 0.05, relabellings: 200, computed: 0, rejected: 0, rate: null, low: null, high: null, cut_ms: T0},
  }));
}

const windows = () =>
  Array.from({length: 40}, (_, index) => index).flatMap(index =>
    ['v1', HOSTILE_NAME].map((variant, place) => ({
      stream: STREAM.name, experiment: 'experiment-000', phase: 1, variant, metric: HOSTILE_NAME, window_start: epochMs(T0 + index * 10_000), window_end: epochMs(T0 + index * 10_000 + 60_000),
      n: 100 + index, estimated_n: 100 + index, sum: 80, mean: 0.8 + place / 20 + Math.sin(index / 4) / 50, sd: 0.1, min: 0, max: 1, p50: 0.8, p95: 0.95, p99: 0.99, status: index > 36 ? ('provisional' as const) : ('closed' as const), revision: 0,
    })),
  );

/** What the named queries of the server answer. */
function answerTo(sql: string, experiment: string): Record<string, unknown>[] {
  if (sql.includes('AS newest_ms')) return [{newest_ms: experiment === 'experiment-000' ? T0 + 400_000 : 0}];
  if (sql.includes('AS open')) return [{open: [1], closed: [1]}];
  if (sql.includes('AS is_unhealthy')) {
    const common = {variant: HOSTILE_NAME, reasons: ['goals_improved'], is_checked: 1, units: 12_345, outcomes_late: 0, data_to: '2026-11-21T07:59:58.400Z', analysed_at: '2026-11-21T08:00:00.000Z'};
    return [{...common, experiment: 'experiment-000', decision: 'roll_back', is_unhealthy: 0}, {...common, experiment: 'experiment-001', decision: 'ship', is_unhealthy: 0}, {...common, experiment: 'experiment-002', decision: 'unhealthy', is_unhealthy: 1}];
  }
  if (sql.includes('AS analysed_ms')) {
    return Array.from({length: 50}, (_, index) => ({
      analysed_ms: T0 + index * 60_000, data_to: new Date(T0 + index * 60_000).toISOString(), phase: 1, config_version: 2, decision: 'keep_running', n_control: 100, n_variant: 100,
      effect: 0.05, ci_low: 0.04, ci_high: 0.06, cs_low: 0.05 - 1 / (index + 2), cs_high: 0.05 + 1 / (index + 2),
    }));
  }
  if (sql.includes('AS minute_ms')) return Array.from({length: 30}, (_, index) => ({minute_ms: T0 + (30 - index) * 60_000, records: 900 + index * 7, dead_letters: index % 7}));
  if (sql.includes('v_ledger_all')) return [{stream: 'live', log_epoch: 1, partition: 0, appended: 90, accepted: 80, duplicate: 9, conflict: 0, dead_lettered: 1, forgotten: 0, facts: 80, mismatch: 0}];
  return [];
}

const delivery = (): DeliveryRow => ({
  delivery_id: 'msg_1', channel: HOSTILE, subject: HOSTILE, body: HOSTILE, content_type: 'application/json', state: 'failed', attempt: 3, created_at: '2026-11-21T07:00:00.000Z', next_attempt_at: null,
  changed_at: '2026-11-21T07:00:01.000Z', last_status: 500, last_error: HOSTILE, duration_ms: 12,
});
