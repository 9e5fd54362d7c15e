import {resolve} from 'node:path';
import {AssayError, messageOf} from '../../core/errors.ts';
import {LIVE_STREAM} from '../../core/streams.ts';
import {seedExperiments} from '../../experiment/seed.ts';
import {startHttp} from '../../roles/http.ts';
import {openProbes} from '../../roles/probes.ts';
import {Jobs} from '../../roles/jobs.ts';
import {openNotifications} from '../../roles/notifications.ts';
import type {Platform} from '../../roles/platform.ts';
import {runAsSingleton} from '../../roles/singleton.ts';
import {openLiveStream} from '../../roles/streams.ts';
import {startWorkers} from '../../roles/workers.ts';
import {type Command, EXIT, type Invocation} from '../command.ts';

type Part = 'worker' | 'server' | 'jobs';

/** What each long-running command runs in its process. */
const roleCommand = (name: string, summary: string, parts: readonly Part[]): Command => ({
  name,
  summary,
  needs: 'owner',
  run: invocation => runRoles(invocation, parts),
});

export const upCommand = roleCommand('up', 'run everything in this process: workers, jobs and the HTTP server', ['worker', 'jobs', 'server']);
export const workerCommand = roleCommand('worker', 'run the consumer workers of all streams', ['worker']);
export const serverCommand = roleCommand('server', 'run the HTTP server', ['server']);
export const jobsCommand = roleCommand('jobs', 'run closing, analysis, audit, alerts and reports (one process at a time does)', ['jobs']);

async function runRoles({platform: open, io, config}: Invocation, parts: readonly Part[]): Promise<number> {
  const platform = await open();
  await openLiveStream(platform);
  await seed(platform, config.text('experiments.directory'), io.cwd);
  const stop = new AbortController();
  const onAbort = (): void => stop.abort();
  io.signal.addEventListener('abort', onAbort, {once: true});
  if (io.signal.aborted) stop.abort();
  const ends: Promise<unknown>[] = [aborted(stop.signal)];
  const unready: (() => readonly string[])[] = [];
  const closers: (() => Promise<unknown>)[] = [];
  try {
    if (parts.includes('worker')) {
      const {supervisor, ended} = await startWorkers(platform, stop.signal);
      ends.push(ended.then(end => (end.reason === 'fatal' ? Promise.reject(end.error) : end)));
      closers.push(() => ended);
      unready.push(() => (supervisor.readiness().isReady ? [] : ['a worker is being rebuilt']));
    }
    if (parts.includes('jobs')) {
      const notifications = openNotifications(platform);
      const jobs = runAsSingleton(platform, stop.signal, signal => new Jobs(platform, notifications).run(signal));
      ends.push(jobs);
      closers.push(() => jobs.catch(() => undefined));
    }
    if (parts.includes('server')) {
      const server = await startHttp(platform, () => unready.flatMap(ask => ask()));
      closers.push(() => server.close());
      io.err(`assay: serving on ${server.url}\n${server.sqlUrl === null ? '' : `assay: SQL on ${server.sqlUrl}\n`}`);
    }
    const probes = await openProbes(platform, () => unready.flatMap(ask => ask()));
    if (probes !== null) {
      closers.push(() => probes.close());
      io.err(`assay: metrics on ${probes.url}/metrics\n`);
    }
    io.err(`assay: ${parts.join(', ')} running; stop with Ctrl-C\n`);
    await Promise.race(ends);
    return EXIT.done;
  } finally {
    stop.abort();
    io.signal.removeEventListener('abort', onAbort);
    for (const close of closers.reverse()) await close();
  }
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise(resolve => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), {once: true});
  });

async function seed({registry}: Platform, directory: string, cwd: string): Promise<void> {
  if (directory === '') return;
  try {
    await seedExperiments(registry, {directory: resolve(cwd, directory), stream: LIVE_STREAM});
  } catch (error) {
    if (error instanceof AssayError) throw error;
    throw new AssayError('ASSAY_CONFIG_INVALID', `the experiments directory ${directory} cannot be read (${messageOf(error)}); give a folder of YAML definitions with --experiments`, {cause: error});
  }
}
