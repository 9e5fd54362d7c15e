import {parseArgs} from 'node:util';
import {Closer} from '../closing/closer.ts';
import {loadConfig} from '../config/load.ts';
import {messageOf} from '../core/errors.ts';
import {NO_METRICS, SILENT_LOGGER} from '../core/telemetry.ts';
import {openClusterSurgery} from '../log/kafka/cluster-surgery.ts';
import {BUGS, FAILPOINTS, sabotage} from '../simulate/real/failpoints.ts';
import type {RealPorts} from '../simulate/real/ground.ts';
import {FAULTS, resultRow, runFaults, summaryLine} from '../simulate/real/run-faults.ts';
import {EMBEDDED_FAULTS} from '../simulate/real/embedded-faults.ts';
import {isExact} from '../simulate/real/fault.ts';
import {openPlatform, type Platform} from './platform.ts';
import {SYSTEM_CLOCK, SYSTEM_RNG} from './system.ts';
import {kafkaOptions} from './wire-log.ts';
import {startWorkers} from './workers.ts';

const SEED_DEFAULT = 1;

const USAGE = `Injects faults into real processes on a real broker and the real engine, and compares what is stored with an oracle.

  --only a,b   some of the faults: ${[...FAULTS, ...EMBEDDED_FAULTS].map(({name}) => name).join(', ')}
  --long       the long forms
  --seed N     the same seed makes the same history (default ${SEED_DEFAULT})
`;

export const realPorts: RealPorts = {
  clock: SYSTEM_CLOCK,
  openGround: file => openPlatform(loadConfig({file, env: {}}), {role: 'faults'}),
  openSurgery: file => openClusterSurgery(kafkaOptions(loadConfig({file, env: {}}), {clock: SYSTEM_CLOCK, rng: SYSTEM_RNG, logger: SILENT_LOGGER, metrics: NO_METRICS})),
};

/** `npm run faults`: the table on stdout, progress on stderr. @returns the exit code, 1 when something was not exact */
async function runTable(args: readonly string[]): Promise<number> {
  const {values} = parseArgs({
    args: [...args],
    options: {only: {type: 'string', default: ''}, long: {type: 'boolean', default: false}, seed: {type: 'string', default: String(SEED_DEFAULT)}, help: {type: 'boolean'}},
  });
  const only = values.only.split(',').filter(name => name !== '');
  const unknown = only.filter(name => ![...FAULTS, ...EMBEDDED_FAULTS].some(fault => fault.name === name));
  if (values.help === true || unknown.length > 0) {
    process.stderr.write(`${unknown.length > 0 ? `there is no fault ${unknown.join(', ')}\n` : ''}${USAGE}`);
    return unknown.length > 0 ? 2 : 0;
  }
  const results = await runFaults({
    ports: realPorts, only, isLong: values.long, seed: Number(values.seed),
    note: line => void process.stderr.write(`${line}\n`),
    onResult: result => void process.stdout.write(`${resultRow(result)}\n`),
  });
  process.stdout.write(`${summaryLine(results)}\n`);
  return results.every(isExact) ? 0 : 1;
}

/** A worker or a closer of one stream in this process, perhaps sabotaged; the harness starts it. */
async function runPart(part: 'worker' | 'closer', args: readonly string[]): Promise<number> {
  const {values} = parseArgs({
    args: [...args],
    options: {config: {type: 'string'}, stream: {type: 'string'}, 'fail-at': {type: 'string'}, nth: {type: 'string', default: '1'}, bug: {type: 'string'}},
  });
  const stop = new AbortController();
  process.once('SIGTERM', () => stop.abort());
  // The harness is gone: nobody would end this process.
  process.once('disconnect', () => process.exit(1));
  const platform = await openPlatform(loadConfig({file: String(values.config), env: {}}), {role: part});
  try {
    if (part === 'closer') {
      await close(platform, String(values.stream), stop.signal);
      return 0;
    }
    const sabotaged = sabotage(platform, {
      failpoint: FAILPOINTS.find(point => point === values['fail-at']) ?? null,
      nth: Number(values.nth),
      bug: BUGS.find(bug => bug === values.bug) ?? null,
      sleep: ms => SYSTEM_CLOCK.sleep(ms),
      onCommit: () => void process.send?.('commit'),
    });
    const {ended} = await startWorkers({...platform, ...sabotaged}, stop.signal, stream => stream.name === values.stream);
    const end = await ended;
    if (end.reason === 'fatal') throw end.error;
    return 0;
  } finally {
    await platform.close();
  }
}

function close(platform: Platform, name: string, signal: AbortSignal): Promise<void> {
  const {closing} = platform;
  const config = {...closing, streams: () => closing.streams().filter(stream => stream.name === name)};
  return new Closer({...platform, config, closeEveryMs: 200, reviseEveryMs: 1_000}).run(signal);
}

if (import.meta.filename === process.argv[1]) {
  const [part, ...rest] = process.argv.slice(2);
  const work = part === 'worker' || part === 'closer' ? runPart(part, rest) : runTable(process.argv.slice(2));
  process.exitCode = await work.catch((error: unknown) => {
    process.stderr.write(`faults: ${messageOf(error)}\n`);
    return 1;
  });
  // What a failed start left open must not keep the process from ending.
  process.exit();
}
