import {readFileSync} from 'node:fs';
import {resolve} from 'node:path';
import {Closer} from '../../closing/closer.ts';
import {AssayError, messageOf} from '../../core/errors.ts';
import {LIMITS} from '../../core/limits.ts';
import {type Stream, streamTopic} from '../../core/streams.ts';
import {durationMs, epochMs} from '../../core/units.ts';
import {draftDefinition, mergeDraft} from '../../experiment/draft.ts';
import {currentOf} from '../../experiment/state.ts';
import {closingTime, type ImportedExperiment, type ImportFile, type ImportPlan, planImport, sendEvents, sendTicks} from '../../import/import-files.ts';
import {parseImportMap} from '../../import/import-map.ts';
import {awaitDrained} from '../../roles/drain.ts';
import type {Platform} from '../../roles/platform.ts';
import {openProducedStream} from '../../roles/streams.ts';
import {startWorkers, type Workers} from '../../roles/workers.ts';
import {type Command, EXIT, type Invocation, textOption} from '../command.ts';
import {openProgress} from '../progress.ts';

const OWNER = 'import';

export const importCommand: Command = {
  name: 'import',
  arguments: '<files...>',
  summary: 'make events of CSV or NDJSON files (FILE… --map MAP.yaml, or FILE=MAP.yaml …)',
  options: [
    {flags: '--map <file>', describe: 'how rows become events; for all files without a map of their own'},
    {flags: '--speed <factor>', describe: 'replay this many times faster than the events’ own clock (default: as fast as it goes)'},
    {flags: '--partitions <n>', describe: 'partitions of a new stream'},
  ],
  needs: 'platform',
  run: async invocation => {
    const {args, options, io, config} = invocation;
    const files = args.map(arg => importFile(arg, textOption(options, 'map'), io.cwd));
    const speed = positive(options, 'speed');
    const partitions = positive(options, 'partitions') ?? config.number('live.partitions');
    const plan = planImport(files);
    if (plan.events.length === 0) throw new AssayError('ASSAY_INPUT_UNREADABLE', 'the files hold no row that becomes an event; look at `where` and `emit` of the map');
    const platform = await invocation.platform();
    const stream = await openProducedStream(platform, importStream(textOption(options, 'stream') ?? 'import', partitions));
    for (const experiment of plan.experiments) await publishDraft(platform, stream, experiment);
    const summary = await runImport(platform, {plan, stream, speed, invocation});
    io.out(options['json'] === true ? `${JSON.stringify(summary)}\n` : `${summary.events} events of ${summary.rows} rows in stream ${summary.stream}; data through ${summary.data_through}\n`);
    return EXIT.done;
  },
};

type Run = {readonly plan: ImportPlan; readonly stream: Stream; readonly speed: number | null; readonly invocation: Invocation};

async function runImport(platform: Platform, {plan, stream, speed, invocation}: Run) {
  const {io, isInsideOwner} = invocation;
  const {log, warehouse, clock, logger, metrics, closing} = platform;
  const codec = await platform.codecOf(stream.topic);
  const stopped = new AbortController();
  io.signal.addEventListener('abort', () => stopped.abort(), {once: true});
  // An import brings a worker of its own, so that it also ends where none runs.
  const workers: Workers | null = isInsideOwner ? null : await startWorkers(platform, stopped.signal, ({name}) => name === stream.name);
  const progress = openProgress(io);
  try {
    const startedAt = clock.now();
    await sendEvents(plan.events, {
      log, clock, stream, speed,
      encode: codec.encode,
      signal: io.signal,
      onProgress: sent => progress.show(`sent ${sent} of ${plan.events.length} events`),
    });
    const drained = {stream, signal: io.signal, workers, onProgress: (share: number) => progress.show(`counted ${Math.floor(share * 100)} %`)};
    await awaitDrained(platform, drained);
    await sendTicks({log, stream, owner: OWNER, encodeTick: codec.encodeTick, at: await tickTime(platform, plan, stream)});
    await awaitDrained(platform, drained);
    progress.show('closing slices');
    const closer = new Closer({log, warehouse, config: closing, clock, logger, metrics});
    const round = await closer.closeAll(stream);
    progress.done();
    return {
      stream: stream.name,
      files: invocation.args.length,
      rows: plan.rows,
      rows_filtered: plan.rowsFiltered,
      events: plan.events.length,
      experiments: plan.experiments.map(({experiment}) => experiment),
      data_through: new Date(plan.events.reduce((last, {event}) => Math.max(last, event.eventTs), 0)).toISOString(),
      closed_through: round.closedThrough === null ? null : new Date(round.closedThrough).toISOString(),
      slices_closed: round.slicesClosed,
      slices_revised: round.slicesRevised,
      seconds: (clock.now() - startedAt) / 1000,
    };
  } finally {
    progress.done();
    stopped.abort();
    await workers?.ended;
  }
}

/** Beyond all slices of this import, and beyond what arrived in the stream before: late rows count by revisions. */
async function tickTime({log, warehouse}: Platform, plan: ImportPlan, stream: Stream) {
  const info = await log.describeTopic(stream.topic);
  const ends = await log.offsets(stream.topic);
  const highs = await Promise.all(
    ends.map(({partition, end}) => warehouse.arrivalHigh({stream: stream.name, logEpoch: info?.logEpoch ?? 1, partition, belowOffset: end})),
  );
  return epochMs(Math.max(closingTime(plan.events, stream), ...highs.map(high => (high === null ? 0 : high + 1))));
}

async function publishDraft({registry}: Platform, stream: Stream, seen: ImportedExperiment): Promise<void> {
  const {experiment, design, variants, weights, measures} = seen;
  const current = currentOf(registry.snapshot(), stream.name, experiment)?.definition;
  const control = seen.control ?? current?.control ?? variants[0];
  if (control === undefined) return;
  const added = draftDefinition({experiment, design, variants, control, weights, measures});
  if (current !== undefined && current.design !== design) {
    throw new AssayError('ASSAY_EXPERIMENT_INVALID', `experiment ${experiment} has design ${current.design} in stream ${stream.name}, the map says ${design}; use another experiment name or --stream`);
  }
  const definition = current === undefined ? added : mergeDraft(current, added);
  if (definition !== current) await registry.publish({stream: stream.name, definition, author: OWNER, reason: 'imported'});
}

function importStream(name: string, partitions: number): Stream {
  if (!/^[a-z0-9][a-z0-9._-]{0,60}$/i.test(name)) {
    throw new AssayError('ASSAY_USAGE', `--stream ${JSON.stringify(name)} is not a stream name; use letters, digits, dots, dashes`);
  }
  return {
    name,
    kind: 'import',
    topic: streamTopic(name),
    latenessMs: durationMs(LIMITS.latenessMs),
    sliceMs: durationMs(LIMITS.sliceMs),
    maxAgeMs: null,
    partitions,
  };
}

function importFile(arg: string, sharedMap: string | undefined, cwd: string): ImportFile {
  const at = arg.lastIndexOf('=');
  const isPair = at > 0 && /\.ya?ml$/.test(arg);
  const file = isPair ? arg.slice(0, at) : arg;
  const map = isPair ? arg.slice(at + 1) : sharedMap;
  if (map === undefined) throw new AssayError('ASSAY_USAGE', `${file} has no map; give --map MAP.yaml or write ${file}=MAP.yaml`);
  const path = resolve(cwd, map);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new AssayError('ASSAY_INPUT_UNREADABLE', `the import map ${map} cannot be read (${messageOf(error)}); give an existing YAML file`, {cause: error});
  }
  return {path: resolve(cwd, file), map: parseImportMap(text, map)};
}

function positive(options: Readonly<Record<string, unknown>>, name: string): number | null {
  if (options[name] === undefined) return null;
  const value = Number(options[name]);
  if (value > 0 && Number.isFinite(value)) return value;
  throw new AssayError('ASSAY_USAGE', `--${name} must be a number above 0, got ${JSON.stringify(options[name])}`);
}
