import {randomBytes} from 'node:crypto';
import {existsSync, mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import type {AuditReport} from '../../closing/audit.ts';
import {AssayError} from '../../core/errors.ts';
import type {Stream} from '../../core/streams.ts';
import type {Verdict} from '../../core/verdict.ts';
import {openWebhookReceiver, type WebhookReceiver} from '../../notify/receiver.ts';
import {auditStream} from '../../roles/analysis.ts';
import {DEMO_OPTIONS, openSimulation, planSimulation, sendSimulation} from '../../roles/demo-run.ts';
import {awaitDrained} from '../../roles/drain.ts';
import {startHttp} from '../../roles/http.ts';
import {Jobs} from '../../roles/jobs.ts';
import {openNotifications} from '../../roles/notifications.ts';
import type {Platform} from '../../roles/platform.ts';
import {renderReport, requireReport} from '../../roles/reports.ts';
import {startWorkers} from '../../roles/workers.ts';
import {DEMO_EXPERIMENTS} from '../../simulate/demo-experiments.ts';
import {type Command, EXIT, type Invocation} from '../command.ts';
import {openProgress} from '../progress.ts';
import {formatTable} from '../table.ts';
import {ledgerOf} from './verify.ts';

export const demoCommand: Command = {
  name: 'demo',
  summary: 'run a simulated LLM platform with a known truth through the real pipeline, then serve it',
  options: [{flags: '--exit', describe: 'end after the report instead of serving'}],
  needs: 'owner',
  run: runDemo,
};

/** Beyond this the local receiver counts as not answering. */
const DELIVERY_WAIT_MS = 20_000;

async function runDemo(invocation: Invocation): Promise<number> {
  const {io, options} = invocation;
  if (invocation.config.text('log.kind') !== 'embedded' || invocation.config.text('warehouse.kind') !== 'embedded') {
    throw new AssayError('ASSAY_USAGE', 'the demo runs embedded; leave --log and --warehouse out');
  }
  const base = await invocation.platform();
  const secret = demoSecret(base.config.text('data'));
  const receiver = await openWebhookReceiver({secret, clock: base.clock});
  const webhook = {name: 'demo-receiver', kind: 'generic' as const, language: 'en' as const, url: receiver.url, secrets: [secret], events: ['decision_changed', 'digest', 'alert'] as const, allow: [`127.0.0.1:${receiver.port}`]};
  const platform: Platform = {...base, config: base.config.with({}, [webhook])};
  const stop = new AbortController();
  io.signal.addEventListener('abort', () => stop.abort(), {once: true});
  if (io.signal.aborted) stop.abort();
  const workers = await startWorkers(platform, stop.signal);
  try {
    const result = await runToReport(platform, {receiver, workers, invocation, signal: stop.signal});
    if (options['json'] === true) io.out(`${JSON.stringify(result)}\n`);
    if (options['exit'] !== true) await serveUntilStopped(platform, {invocation, signal: stop.signal});
    return result.mismatch === 0 && result.slices_checked > 0 ? EXIT.done : EXIT.found;
  } finally {
    stop.abort();
    await workers.ended;
    await receiver.close();
  }
}

type DemoRun = {
  readonly receiver: WebhookReceiver;
  readonly workers: Awaited<ReturnType<typeof startWorkers>>;
  readonly invocation: Invocation;
  readonly signal: AbortSignal;
};

async function runToReport(platform: Platform, {receiver, workers, invocation, signal}: DemoRun) {
  const {io} = invocation;
  const startedAt = platform.clock.now();
  const progress = openProgress(io);
  const stream = await openSimulation(platform, DEMO_OPTIONS);
  progress.show('simulating the platform');
  const planned = await planSimulation(platform, stream, DEMO_OPTIONS);
  const notifications = openNotifications(platform);
  const jobs = new Jobs(platform, notifications);
  // Slices close while events still come, as they would in production.
  const rounds = new AbortController();
  const closing = jobs.closer.run(rounds.signal);
  const {events} = await sendSimulation(platform, {stream, planned, signal, onProgress: sent => progress.show(`sent ${sent} of ${planned.length} records`)});
  if (signal.aborted) throw new AssayError('ASSAY_USAGE', 'the demo was stopped; run it again on the same data directory to go on');
  await awaitDrained(platform, {stream, signal, workers, onProgress: share => progress.show(`counted ${Math.floor(share * 100)} %`)});
  rounds.abort();
  await closing;
  progress.show('closing the last slices');
  await jobs.closer.closeAll(stream);
  progress.show('auditing');
  const audit = await auditStream(platform, stream, null);
  progress.show('analysing');
  const fresh = await jobs.analyseNow(stream);
  const verdicts = fresh.length > 0 ? fresh : await platform.warehouse.latestVerdicts(stream.name, null);
  progress.show('posting the report');
  const deliveries = await deliver(notifications, {platform, signal});
  const report = await writeReport(platform, stream);
  progress.done();
  const result = {
    events,
    seconds: (platform.clock.now() - startedAt) / 1000,
    ledger: ledgerOf(audit),
    mismatch: audit.mismatch,
    slices_checked: audit.slices_checked,
    verdicts: verdicts.map(verdictLine),
    report,
    deliveries,
  };
  if (invocation.options['json'] !== true) io.out(summaryText(result, {audit, received: receiver.received.length}));
  return result;
}

async function deliver({outbox}: ReturnType<typeof openNotifications>, {platform, signal}: {platform: Platform; signal: AbortSignal}) {
  const until = platform.clock.now() + DELIVERY_WAIT_MS;
  for (;;) {
    await outbox.runDue();
    const waiting = await outbox.list(['due']);
    if (waiting.length === 0 || platform.clock.now() > until || signal.aborted) break;
    await platform.clock.sleep(200, signal);
  }
  return (await outbox.list()).map(row => ({delivery_id: row.delivery_id, subject: row.subject, state: row.state, attempts: row.attempt, status: row.last_status}));
}

function verdictLine(verdict: Verdict) {
  return {
    experiment: verdict.experiment,
    metric: verdict.metric,
    variant: verdict.variant,
    test: verdict.test,
    n_control: verdict.n_control,
    n_variant: verdict.n_variant,
    effect_absolute: verdict.effect_absolute,
    p_value: verdict.p_value,
    decision: verdict.decision,
    truth: DEMO_EXPERIMENTS.find(({experiment}) => experiment === verdict.experiment)?.truth ?? 'null',
  };
}

async function writeReport(platform: Platform, stream: Stream): Promise<{json: string; html: string}> {
  const report = await requireReport(platform, {stream, experiment: null});
  const directory = join(platform.config.text('data'), 'reports');
  mkdirSync(directory, {recursive: true});
  const files = {json: join(directory, 'demo.json'), html: join(directory, 'demo.html')};
  writeFileSync(files.json, renderReport(report, 'json'));
  writeFileSync(files.html, renderReport(report, 'html'));
  return files;
}

type Result = Awaited<ReturnType<typeof runToReport>>;

function summaryText(result: Result, {audit, received}: {audit: AuditReport; received: number}): string {
  const {ledger} = result;
  return [
    formatTable(result.verdicts.map(({truth, decision, ...rest}) => ({truth, decision, ...rest}))),
    `${result.events} events in ${result.seconds.toFixed(1)} s: ${ledger.appended} appended = ${ledger.accepted} accepted + ${ledger.duplicate} duplicate + ${ledger.dead_lettered} dead-lettered`,
    `audit: mismatch ${result.mismatch}, ${result.slices_checked} slices recomputed from facts in ${audit.partitions.length} partitions`,
    `${received} reports received and verified by the local webhook receiver`,
    `report: ${result.report.html}`,
    '',
  ].join('\n');
}

async function serveUntilStopped(platform: Platform, {invocation, signal}: {invocation: Invocation; signal: AbortSignal}): Promise<void> {
  const {io, config} = invocation;
  const server = await startHttp({...platform, config});
  io.err(`assay: serving on ${server.url}${server.sqlUrl === null ? '' : `, SQL on ${server.sqlUrl}`}; stop with Ctrl-C\n`);
  await new Promise<void>(resolve => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), {once: true});
  });
  await server.close();
}

/** Kept in the data directory, so that a demo that is started again signs with the same secret. */
function demoSecret(directory: string): string {
  const file = join(directory, 'demo-webhook-secret');
  if (existsSync(file)) return readFileSync(file, 'utf8').trim();
  const secret = `whsec_${randomBytes(32).toString('base64')}`;
  writeFileSync(file, secret, {mode: 0o600});
  return secret;
}

