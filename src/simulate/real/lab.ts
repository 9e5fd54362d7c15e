import {mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {decodeRecord} from '../../avro/released.ts';
import {Closer} from '../../closing/closer.ts';
import {AssayError, messageOf} from '../../core/errors.ts';
import type {ExperimentView} from '../../core/experiment.ts';
import {LIVE_STREAM, LIVE_TOPIC, type Stream, streamTopic, workerGroup} from '../../core/streams.ts';
import {durationMs, type EpochMs, epochMs} from '../../core/units.ts';
import {parseDefinition, requireDefinition} from '../../experiment/definition.ts';
import {currentOf} from '../../experiment/state.ts';
import type {PlannedFault} from './planned-fault.ts';
import {type Comparison, compare, type Compared, differs} from './compare.ts';
import {FaultProxy} from './fault-proxy.ts';
import type {Ground, RealPorts, Surgery} from './ground.ts';
import {PAIRED, type Planned, SERIAL_HEADER, SPLIT} from './history.ts';
import {type Entry, judgeHistory} from './oracle.ts';
import {OwnSql} from './own-sql.ts';
import {Brokers, Kept, Proc, until} from './processes.ts';

export const SLICE_MS = 10_000;
export const LATENESS_MS = 5_000;
export const SESSION_MS = 3_000;
const BROKER_PORT = 23_092;
const BATCH_RECORDS = 500;
/** How long processes under test wait for the engine. */
const TESTED_TIMEOUT_MS = 4_000;
/** Each look is several requests to the brokers under test. */
const DRAIN_POLL_MS = 400;

const METRICS = [
  {key: 'score', measure: 'score', aggregate: 'mean', role: 'goal', direction: 'higher', dimensions: ['region']},
  {key: 'errors', status: ['server_error', 'timeout'], aggregate: 'share', role: 'guardrail', direction: 'lower'},
  {key: 'cost_per_success', aggregate: 'ratio', numerator: 'cost', denominator: 'success', role: 'diagnostic', direction: 'lower', scale: 12},
];

export type LabOptions = {readonly ports: RealPorts; readonly brokers?: 1 | 3; readonly note: (line: string) => void};

type LabParts = {
  readonly directory: string;
  readonly brokers: Brokers;
  readonly engine: Proc;
  readonly engineAddress: {readonly host: string; readonly port: number};
  readonly sql: OwnSql;
  readonly ground: Ground;
  readonly surgery: Surgery;
  readonly ports: RealPorts;
  readonly configFile: string;
  readonly checkerFile: string;
};

/** To the engine, for the processes of one fault alone. */
export type Way = {
  readonly proxy: FaultProxy;
  /** As whom they ask; faults of the engine's answers are planned for one user. */
  readonly user: string;
  readonly configFile: string;
};

/** Real brokers and the real engine behind HTTP, with a fault proxy before it where one is asked for. */
export class Lab {
  readonly brokers: Brokers;
  readonly sql: OwnSql;
  ground: Ground;
  readonly surgery: Surgery;
  readonly note: (line: string) => void;
  readonly #ports: RealPorts;
  readonly #directory: string;
  readonly #engine: Proc;
  readonly #engineAddress: LabParts['engineAddress'];
  readonly #groundsBefore: Ground[] = [];
  readonly #ways = new Set<FaultProxy>();
  /** For processes under test. */
  readonly #configFile: string;
  /** For operators' commands and the checker: with patience. */
  readonly #checkerFile: string;
  readonly #procs = new Set<Proc>();
  /** All that ever ran, for what they last said. */
  readonly #workers: Proc[] = [];

  private constructor(parts: LabParts, note: (line: string) => void) {
    this.brokers = parts.brokers;
    this.sql = parts.sql;
    this.ground = parts.ground;
    this.surgery = parts.surgery;
    this.note = note;
    this.#ports = parts.ports;
    this.#directory = parts.directory;
    this.#engine = parts.engine;
    this.#engineAddress = parts.engineAddress;
    this.#configFile = parts.configFile;
    this.#checkerFile = parts.checkerFile;
  }

  static async open({ports, brokers: count = 1, note}: LabOptions): Promise<Lab> {
    const brokers = await Brokers.start(count, BROKER_PORT);
    try {
      return await Lab.#openOn(brokers, {ports, note});
    } catch (error) {
      await brokers.stop();
      throw error;
    }
  }

  static async #openOn(brokers: Brokers, {ports, note}: LabOptions): Promise<Lab> {
    const directory = await mkdtemp(join(tmpdir(), 'assay-faults-'));
    const engine = Proc.start('engine', 'dist/roles/clickhouse-server.js', ['--data', join(directory, 'warehouse'), '--port', '0']);
    await until('the engine to start', 60_000, () => engine.lines.some(line => line.startsWith('{')) || !engine.isRunning);
    const {url} = JSON.parse(engine.lines.find(line => line.startsWith('{')) ?? '{}') as {url: string};
    const engineAddress = {host: '127.0.0.1', port: Number(new URL(url).port)};
    const write = async (name: string, timeoutMs: number): Promise<string> => {
      const file = join(directory, name);
      await writeFile(file, configText({brokers, clickhouse: url, timeoutMs}));
      return file;
    };
    const configFile = await write('tested.yaml', TESTED_TIMEOUT_MS);
    const checkerFile = await write('checker.yaml', 120_000);
    const ground = await ports.openGround(checkerFile);
    return new Lab({directory, brokers, engine, engineAddress, sql: new OwnSql(url), ground, ports, surgery: ports.openSurgery(checkerFile), configFile, checkerFile}, note);
  }

  startProc(name: string, file: string, args: readonly string[]): Proc {
    const proc = Proc.start(name, file, args);
    this.#procs.add(proc);
    void proc.exited.then(() => this.#procs.delete(proc));
    return proc;
  }

  /** A worker in a process of its own, of one stream; `extra` plants bugs and failpoints. */
  worker(stream: Stream, extra: readonly string[] = [], way?: Way): Proc {
    const worker = this.startProc(`worker of ${stream.name}`, 'dist/bundle/faults.js', ['worker', '--config', way?.configFile ?? this.#configFile, '--stream', stream.name, ...extra]);
    this.#workers.push(worker);
    return worker;
  }

  /** A worker that an outage may end, and that comes back as in operation. */
  keep(stream: Stream): Kept {
    return new Kept(() => this.worker(stream));
  }

  /** `assay forget UNIT`, as an operator types it. @returns what it says, and its exit code */
  async forget(stream: Stream, unitId: string): Promise<{readonly code: number | null; readonly through: number; readonly text: string}> {
    const proc = this.startProc('forget', 'bin/assay.cjs', ['forget', unitId, '--config', this.#checkerFile, '--stream', stream.name, '--json']);
    const code = await proc.exited;
    const text = proc.lines.join('\n');
    const through = /"forgotten_through":"([^"]+)"/.exec(text)?.[1];
    return {code, text, through: through === undefined ? 0 : Date.parse(through)};
  }

  /** Rounds of closing in a process of its own, for as long as it lives. */
  closer(stream: Stream, way?: Way): Proc {
    return this.startProc('closer', 'dist/bundle/faults.js', ['closer', '--config', way?.configFile ?? this.#configFile, '--stream', stream.name]);
  }

  /** A producer and checker that know nothing of how topics were before, as a process started now. Other faults may be using the one of before. */
  async reopen(): Promise<void> {
    this.#groundsBefore.push(this.ground);
    this.ground = await this.#ports.openGround(this.#checkerFile);
  }

  /** A way to the engine that only the processes started with it go. */
  async openWay(user: string): Promise<Way> {
    const proxy = await FaultProxy.open(this.#engineAddress);
    this.#ways.add(proxy);
    const configFile = join(this.#directory, `tested-${user}.yaml`);
    await writeFile(configFile, configText({brokers: this.brokers, clickhouse: `http://127.0.0.1:${proxy.port}`, user, timeoutMs: TESTED_TIMEOUT_MS}));
    return {proxy, user, configFile};
  }

  /** What the engine answers those who go this way. */
  planFault({user}: Way, fault: PlannedFault): void {
    this.#engine.child.send({...fault, user});
  }

  clearFaults({user}: Way): void {
    this.#engine.child.send({clear: user});
  }

  /** A stream on the producer's clock, with a split experiment running since before its start; and a paired one, where something is sent for it. */
  async openStream(name: string, given: {readonly partitions?: number; readonly maxAgeMs?: number | null; readonly startTs: number; readonly isPaired?: true}): Promise<Stream> {
    const {registry, log} = this.ground;
    const stream: Stream = {
      name, kind: 'simulation', topic: streamTopic(name), latenessMs: durationMs(LATENESS_MS), sliceMs: durationMs(SLICE_MS),
      maxAgeMs: given.maxAgeMs === undefined || given.maxAgeMs === null ? null : durationMs(given.maxAgeMs), partitions: given.partitions ?? 6,
    };
    await log.createTopic({topic: stream.topic, partitions: stream.partitions, clock: 'producer', retentionMs: null});
    await registry.announceStream(stream);
    const validFrom = epochMs(given.startTs - 40 * 86_400_000);
    await this.publish(stream, {experiment: SPLIT, design: 'split', weights: {c: 50, t: 50}, validFrom});
    if (given.isPaired === true) await this.publish(stream, {experiment: PAIRED, design: 'paired', weights: {c: 50, t: 50}, validFrom});
    return stream;
  }

  /** The live stream: the log stamps the records and workers tick. One to a lab. */
  async openLiveStream(): Promise<Stream> {
    const {registry, log} = this.ground;
    const stream: Stream = {
      name: LIVE_STREAM, kind: 'live', topic: LIVE_TOPIC, latenessMs: durationMs(LATENESS_MS), sliceMs: durationMs(SLICE_MS), maxAgeMs: durationMs(30 * 86_400_000), partitions: 8,
    };
    await log.createTopic({topic: stream.topic, partitions: stream.partitions, clock: 'log', retentionMs: null});
    await registry.announceStream(stream);
    await this.publish(stream, {experiment: SPLIT, design: 'split', weights: {c: 50, t: 50}});
    return stream;
  }

  /** Resolves once slices up to `through` are closed. */
  async closedThrough(stream: Stream, through: number, limitMs: number): Promise<void> {
    const isClosed = async (): Promise<boolean> => {
      const {closedThrough} = await this.ground.warehouse.closingState(stream.name);
      return closedThrough !== null && closedThrough >= through;
    };
    await until(`slices of ${stream.name} to be closed`, limitMs, isClosed, {pollMs: DRAIN_POLL_MS});
  }

  /** The next version of an experiment; the first is a draft and then runs. */
  async publish(
    stream: Stream,
    given: {readonly experiment: string; readonly design: 'split' | 'paired'; readonly weights: Readonly<Record<string, number>>; readonly validFrom?: EpochMs},
  ): Promise<void> {
    const {registry} = this.ground;
    const {experiment, design, weights, validFrom} = given;
    const document = {
      experiment, hypothesis: 'counted exactly', owner: 'faults', design, unit: 'user', variants: weights, control: 'c', metrics: METRICS, analysis: {min_n: 10},
    };
    const definition = requireDefinition(parseDefinition(document), `experiment ${experiment}`);
    // Another fault may have opened this registry anew since the stream was announced with the one before.
    const isNew = currentOf(await registry.caughtUp(), stream.name, experiment) === undefined;
    for (const lifecycle of isNew ? (['draft', 'running'] as const) : (['running'] as const)) {
      const change = {stream: stream.name, definition: {...definition, lifecycle}, author: 'faults', reason: lifecycle};
      await registry.publish(validFrom === undefined ? change : {...change, validFrom});
    }
  }

  /**
   * Appends in order, at most `perSecond`. A refused append is tried again, so the log may hold it twice,
   * as with any producer; what counts is what the log holds in the end.
   */
  async produce(stream: Stream, planned: readonly Planned[], {perSecond = Number.POSITIVE_INFINITY} = {}): Promise<void> {
    const {log, clock} = this.ground;
    const startedAt = clock.now();
    for (let at = 0; at < planned.length; at += BATCH_RECORDS) {
      const batch = planned.slice(at, at + BATCH_RECORDS);
      for (let tries = 0; ; tries++) {
        try {
          await log.append(stream.topic, batch.map(({what: _, ...record}) => record));
          break;
        } catch (error) {
          if (!(error instanceof AssayError) || error.kind !== 'retry' || tries > 120) throw error;
          await sleep(500);
        }
      }
      const aheadMs = ((at + batch.length) / perSecond) * 1000 - (clock.now() - startedAt);
      if (aheadMs > 0) await sleep(aheadMs);
    }
  }

  /** Resolves once the stream's group committed everything that lies in its topic; the time it took. */
  async drained(stream: Stream, limitMs = 300_000): Promise<number> {
    const {log, clock} = this.ground;
    const startedAt = clock.now();
    let last = 'nothing was seen of it';
    const isDrained = async (): Promise<boolean> => {
      const ends = await log.offsets(stream.topic);
      const committed = await log.committed(stream.topic, workerGroup(stream.name));
      const behind = ends.filter(({partition, start, end}) => start !== end && (committed[partition] ?? 0n) < end);
      last = `behind: ${behind.map(({partition, end}) => `${partition} at ${committed[partition] ?? 'nothing'} of ${end}`).join(', ')}`;
      return behind.length === 0;
    };
    const answer = (): Promise<boolean> => isDrained().catch((error: unknown) => {
      last = messageOf(error);
      return false;
    });
    await until(() => `stream ${stream.name} to be consumed (${last}; ${this.#workersOf(stream)})`, limitMs, answer, {pollMs: DRAIN_POLL_MS});
    return clock.now() - startedAt;
  }

  #workersOf(stream: Stream): string {
    const workers = this.#workers.filter(({name}) => name === `worker of ${stream.name}`);
    return workers.map(({pid, isRunning, lastLines}) => `worker ${pid} ${isRunning ? 'runs' : 'is gone'}, last said: ${lastLines}`).join('; ');
  }

  /** Closes and revises everything. */
  async closeAll(stream: Stream): Promise<void> {
    await new Closer({...this.ground, config: this.ground.closing}).closeAll(stream);
  }

  /** {@link closeAll}, then compares all that is stored with what the log's history says. */
  async settle(stream: Stream, planned: readonly Planned[], given: SettleOptions = {}): Promise<Settled> {
    await this.closeAll(stream);
    const {compared, records, missing} = await this.#judge(stream, planned, given);
    const comparison = await compare(this.ground, compared);
    const errors = missing > 0 ? [`${missing} records that the log had taken are not in it`, ...comparison.errors] : [...comparison.errors];
    return {...comparison, errors, records, late: compared.answer.late, differs: () => differs(this.ground, compared)};
  }

  /** Whether {@link settle} would find anything. */
  async isWrong(stream: Stream, planned: readonly Planned[]): Promise<boolean> {
    await this.closeAll(stream);
    const {compared, missing} = await this.#judge(stream, planned, {});
    return missing > 0 || (await differs(this.ground, compared));
  }

  async #judge(stream: Stream, planned: readonly Planned[], given: SettleOptions): Promise<{compared: Compared; records: number; missing: number}> {
    const {ground, sql} = this;
    const {forgotten = new Map<string, number>(), gaps = new Map<number, number>()} = given;
    const {entries, missing} = given.read ?? (await readEntries(ground, stream, planned));
    await ground.registry.caughtUp();
    const views = newestViews(ground, stream);
    const answer = judgeHistory({entries, views, sliceMs: stream.sliceMs, latenessMs: stream.latenessMs, maxAgeMs: stream.maxAgeMs, forgotten});
    return {compared: {stream, answer, views, sql, gaps}, records: entries.length, missing};
  }

  async close(): Promise<void> {
    for (const proc of this.#procs) {
      proc.thaw();
      await proc.kill();
    }
    for (const ground of [this.ground, ...this.#groundsBefore]) await ground.close().catch(() => undefined);
    for (const way of this.#ways) await way.close();
    await this.#engine.stop();
    await this.brokers.stop();
    await rm(this.#directory, {recursive: true, force: true});
  }
}

export type SettleOptions = {
  readonly forgotten?: ReadonlyMap<string, number>;
  /** The history, where the log does not hold it all any more. */
  readonly read?: {readonly entries: readonly Entry[]; readonly missing: number};
  /** Offsets by partition that the log lost unread, which the ledger must show. */
  readonly gaps?: ReadonlyMap<number, number>;
};

export type Settled = Comparison & {
  readonly records: number;
  readonly late: number;
  /** Whether the same comparison, once more after something was tampered with, finds anything. */
  differs(): Promise<boolean>;
};

function newestViews({closing}: Ground, stream: Stream): readonly ExperimentView[] {
  return closing.viewsAt(stream.name, epochMs(8_000_000_000_000));
}

/** What the log really holds, each record known by its serial number: the history that counts. */
export async function readEntries({log}: Pick<Ground, 'log'>, stream: Stream, planned: readonly Planned[]): Promise<{entries: Entry[]; missing: number}> {
  const entries: Entry[] = [];
  const seen = new Set<number>();
  for (const {partition, start, end} of await log.offsets(stream.topic)) {
    if (start === end) continue;
    for await (const records of log.read({topic: stream.topic, partition, fromOffset: start, toOffset: end})) {
      for (const {offset, timestamp, headers, value} of records) {
        const serial = headers[SERIAL_HEADER];
        const plan = serial === undefined ? undefined : planned[Number(serial)];
        if (plan !== undefined) seen.add(Number(serial));
        const bytes = plan?.value ?? value.slice();
        const isTick = plan === undefined && isTickRecord(bytes);
        if (plan === undefined && !isTick) throw new Error(`offset ${offset} of partition ${partition} was made by nobody`);
        entries.push({partition, offset, appendTs: timestamp, what: plan?.what ?? {kind: 'tick'}, value: bytes});
      }
    }
  }
  return {entries, missing: planned.length - seen.size};
}

function isTickRecord(value: Uint8Array): boolean {
  const decoded = decodeRecord(value);
  return decoded.ok && decoded.event.kind === 'tick';
}

function configText({brokers, clickhouse, user = 'default', timeoutMs}: {brokers: Brokers; clickhouse: string; user?: string; timeoutMs: number}): string {
  return `log: {kind: kafka}
kafka: {brokers: [${brokers.list.map(broker => JSON.stringify(broker)).join(', ')}], session_timeout_ms: ${SESSION_MS}, replication: ${brokers.count}}
warehouse: {kind: server}
clickhouse: {url: '${clickhouse}', user: ${user}, timeout_ms: ${timeoutMs}}
live: {slice_ms: ${SLICE_MS}, lateness_ms: ${LATENESS_MS}, partitions: 8}
observe: {log_level: warn}
`;
}
