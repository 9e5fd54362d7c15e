import {checkEvent} from '../../avro/check-event.ts';
import {decodeRecord, encodeTick, glanceAt, projectOutcome} from '../../avro/released.ts';
import {AssayError} from '../../core/errors.ts';
import type {ExperimentVersion} from '../../core/experiment.ts';
import {type Rng, seededRng} from '../../core/rng.ts';
import {DEAD_LETTERS_TOPIC, LIVE_STREAM, LIVE_TOPIC, type Stream, workerGroup} from '../../core/streams.ts';
import {NO_METRICS, SILENT_LOGGER} from '../../core/telemetry.ts';
import {durationMs, type EpochMs, epochMs} from '../../core/units.ts';
import {Closer, type CloserOptions} from '../../closing/closer.ts';
import type {EventLog} from '../../log/event-log.ts';
import type {Warehouse} from '../../warehouse/warehouse.ts';
import type {EventCodec} from '../../worker/event-codec.ts';
import {runWorker} from '../../worker/worker.ts';
import {drawFaultRates, type FaultRates, NO_FAULTS} from './fault-rates.ts';
import type {HistoryEntry} from './oracle.ts';
import type {Bug} from './planted-bugs.ts';
import {Producer} from './scenario.ts';
import {simConfig, simVersions, viewsAt} from './sim-experiments.ts';
import type {SimLog, SimPorts} from './sim-ports.ts';
import {SimProcess} from './sim-process.ts';
import {VirtualClock} from './virtual-clock.ts';

const CODEC: EventCodec = {decode: decodeRecord, check: checkEvent, glance: glanceAt, project: projectOutcome, encodeTick};
/** A whole number of hours, so slices start at round times in failing seeds. */
const START = epochMs(1_700_000_000_000 - (1_700_000_000_000 % 3_600_000));
const CLOCK_JUMP_MS_MAX = 5_000;
const GROUP = workerGroup(LIVE_STREAM);

/**
 * One seed: producers, workers that die, closers that die, and weather. The workers
 * and closers are the real ones; time, log, warehouse and crashes are not.
 */
export class SimWorld {
  readonly stream: Stream;
  readonly versions: readonly ExperimentVersion[];
  readonly clock: VirtualClock;
  readonly log: SimLog;
  readonly warehouse: Warehouse;
  /** What was promised and not kept; each with the moment it was noticed. */
  readonly broken: string[] = [];
  readonly history: HistoryEntry[] = [];
  crashes = 0;
  readonly #ports: SimPorts;
  readonly #rng: Rng;
  readonly #bug: Bug;
  readonly #recordsMax: number;
  readonly #observed: EventLog;
  readonly #secondPhaseAt: EpochMs | null;
  /** By the very bytes: what was sent. */
  readonly #sent = new Map<Uint8Array, HistoryEntry['what']>();
  #brokerSkewMs = 0;
  #faults: FaultRates = NO_FAULTS;
  #isOver = false;

  constructor(seed: number, ports: SimPorts, bug: Bug) {
    this.#rng = seededRng(seed);
    this.#ports = ports;
    this.#bug = bug;
    this.clock = new VirtualClock(START, this.#rng);
    this.#recordsMax = 40 + Math.floor(this.#rng.next() * 120);
    this.stream = {
      name: LIVE_STREAM,
      kind: 'live',
      topic: LIVE_TOPIC,
      latenessMs: durationMs(this.#rng.next() < 0.5 ? 500 : 2_000),
      sliceMs: durationMs(1_000),
      maxAgeMs: durationMs(3_600_000),
      partitions: 1 + Math.floor(this.#rng.next() * 3),
    };
    this.#secondPhaseAt = this.#rng.next() < 0.5 ? null : epochMs(START + 5_000);
    this.versions = simVersions(START, this.#secondPhaseAt);
    this.log = ports.makeLog({now: () => this.#brokerNow(), sleep: (ms, signal) => this.clock.sleep(ms, signal)});
    this.#observed = this.#observeAppends();
    const inner = ports.makeWarehouse({...bug.warehouseOptions, onInsert: () => Promise.resolve(this.#insertFault())});
    this.warehouse = bug.wrapWarehouse?.(inner, {clock: this.clock, rng: this.#rng, stream: this.stream}) ?? inner;
  }

  /** Runs until everything that was appended is committed, closed and revised, in calm weather at the end. */
  async run(): Promise<void> {
    await this.clock.run(this.#live(), epochMs(START + 600_000));
  }

  async #live(): Promise<void> {
    const {topic, partitions} = this.stream;
    await this.log.createTopic({topic, partitions, clock: 'log', retentionMs: null});
    await this.log.createTopic({topic: DEAD_LETTERS_TOPIC, partitions: 1, clock: 'log', retentionMs: null});
    this.#faults = drawFaultRates(this.#rng);
    const workers = 1 + Math.floor(this.#rng.next() * 3);
    const closers = 1 + Math.floor(this.#rng.next() * 2);
    const lives = [
      ...Array.from({length: workers}, () => this.#workerLives()),
      ...Array.from({length: closers}, () => this.#closerLives()),
      this.#weather(),
    ];
    await this.#produce();
    await this.clock.sleep(this.#rng.next() * 5_000);
    this.#faults = NO_FAULTS;
    await this.#calmDown();
    this.#isOver = true;
    await Promise.all(lives);
  }

  async #produce(): Promise<void> {
    const producer = new Producer(this.#rng, this.#secondPhaseAt);
    for (let sent = 0; sent < this.#recordsMax; sent++) {
      const action = producer.next(this.clock.now());
      await this.clock.sleep(action.gapMs);
      if (action.kind === 'record') {
        this.#sent.set(action.value, action.event ?? 'rubbish');
        await this.#observed.append(this.stream.topic, [{key: action.key, value: action.value}]);
      } else {
        await this.#appendUnreadable(action.records);
      }
    }
  }

  async #appendUnreadable(records: number): Promise<void> {
    const {topic, partitions} = this.stream;
    const partition = Math.floor(this.#rng.next() * partitions);
    const timestamp = this.#brokerNow();
    const end = (await this.log.offsets(topic))[partition]?.end ?? 0n;
    this.log.appendUnreadable({topic, partition, records, timestamp, reason: 'no codec'});
    for (let index = 0; index < records; index++) {
      this.history.push({partition, offset: end + BigInt(index), appendTs: timestamp, what: 'unreadable'});
    }
  }

  async #weather(): Promise<void> {
    const {topic, partitions} = this.stream;
    while (!this.#isOver) {
      await this.clock.sleep(1_000);
      const rates = this.#faults;
      if (this.#rng.next() < rates.rebalance) this.log.rebalance(topic, GROUP);
      if (this.#rng.next() < rates.fence) this.log.fence(topic, GROUP);
      if (this.#rng.next() < rates.clockJump) this.#brokerSkewMs = Math.floor((this.#rng.next() * 2 - 1) * CLOCK_JUMP_MS_MAX);
      if (this.#rng.next() < rates.backwardCommit) {
        const partition = Math.floor(this.#rng.next() * partitions);
        const committed = (await this.log.committed(topic, GROUP))[partition] ?? 0n;
        const offset = BigInt(Math.floor(this.#rng.next() * Number(committed)));
        await this.log.setCommitted({topic, group: GROUP, partition, offset});
      }
    }
  }

  async #workerLives(): Promise<void> {
    while (!this.#isOver) {
      const process = this.#process();
      const stop = new AbortController();
      const ended = runWorker({
        stream: this.stream,
        log: process.log(),
        warehouse: process.warehouse(),
        codec: CODEC,
        hasher: this.#ports.hasher,
        views: () => viewsAt(this.versions, this.clock.now()),
        clock: process.clock(),
        rng: this.#rng,
        logger: SILENT_LOGGER,
        metrics: NO_METRICS,
        owner: 'sim',
        signal: stop.signal,
      });
      const end = await Promise.race([ended, process.died, this.#over()]);
      if (typeof end === 'object' && end.reason === 'fatal') this.broken.push(`a worker died of ${String(end.error)}`);
      if (this.#isOver) stop.abort();
      if (this.#isOver && !process.isDead) await ended;
      if (process.isDead) this.crashes++;
      await this.clock.sleep(this.#rng.next() * 2_000);
      await process.leaveGroups();
    }
  }

  async #closerLives(): Promise<void> {
    while (!this.#isOver) {
      const process = this.#process();
      const closer = new Closer(this.#closerOptions(process));
      while (!process.isDead && !this.#isOver) {
        await this.clock.sleep(this.#rng.next() * 2_000);
        const round = closer.round(this.stream, {isReviseWanted: this.#rng.next() < 0.3}).catch((error: unknown) => {
          if (!(error instanceof AssayError && error.kind === 'retry')) this.broken.push(`a closer died of ${String(error)}`);
        });
        await Promise.race([round, process.died]);
      }
    }
  }

  #closerOptions(process: SimProcess): CloserOptions {
    return {
      log: process.log(),
      warehouse: process.warehouse(),
      config: this.config(),
      clock: process.clock(),
      logger: SILENT_LOGGER,
      metrics: NO_METRICS,
      reviseEveryMs: 3_000,
    };
  }

  config(): ReturnType<typeof simConfig> {
    return simConfig(this.stream, this.versions, () => this.clock.now());
  }

  #process(): SimProcess {
    const {warehouse, clock} = this;
    return new SimProcess({
      log: this.#observed,
      warehouse,
      clock,
      rng: this.#rng,
      faults: () => this.#faults,
      onCommitted: () => this.#checkCommitted(),
      ...(this.#bug.wrapConsumer === undefined ? {} : {wrapConsumer: this.#bug.wrapConsumer}),
    });
  }

  /** committed ⇒ durable, at every commit and not only in the end. */
  async #checkCommitted(): Promise<void> {
    const committed = await this.log.committed(this.stream.topic, GROUP);
    const offsets = committed.map((offset, partition) => ({logEpoch: 1, partition, offset: offset ?? 0n}));
    for (const books of await this.warehouse.ledger(this.stream.name, offsets)) {
      const rows = books.appended + books.ticks;
      const isWhole = books.endOffset === 0n || (books.firstOffset === 0n && BigInt(rows) === books.endOffset);
      if (!isWhole) this.broken.push(`${books.endOffset} committed in partition ${books.partition}, but ${rows} durable`);
      if (books.facts !== books.accepted) {
        this.broken.push(`partition ${books.partition} accepted ${books.accepted} below its commit, but has ${books.facts} facts`);
      }
    }
  }

  /** Until all is committed and time has passed every lateness and every jump of a clock. */
  async #calmDown(): Promise<void> {
    const {topic} = this.stream;
    this.#brokerSkewMs = 0;
    // The largest arrival time there is, and the end of the last slice + L, lie before this.
    const target = this.clock.now() + Math.max(CLOCK_JUMP_MS_MAX, this.stream.sliceMs + this.stream.latenessMs);
    for (;;) {
      await this.clock.sleep(1_000);
      const committed = await this.log.committed(topic, GROUP);
      const progress = await this.warehouse.progress(
        this.stream.name,
        committed.map((offset, partition) => ({logEpoch: 1, partition, offset: offset ?? 0n})),
      );
      if (progress.every(at => at !== null && at > target)) break;
    }
    const closer = new Closer(this.#closerOptions(this.#process()));
    await closer.closeAll(this.stream);
  }

  #brokerNow(): EpochMs {
    return epochMs(this.clock.now() + this.#brokerSkewMs);
  }

  /** Notes what lies where in the stream's topic; what no producer sent is a worker's tick. */
  #observeAppends(): EventLog {
    const {log, stream} = this;
    return {
      createTopic: spec => log.createTopic(spec),
      describeTopic: topic => log.describeTopic(topic),
      listTopics: () => log.listTopics(),
      append: async (topic, records) => {
        const appendTs = this.#brokerNow();
        const places = await log.append(topic, records);
        for (const [index, {partition, offset}] of places.entries()) {
          const value = records[index]?.value;
          const what = (value === undefined ? undefined : this.#sent.get(value)) ?? 'tick';
          if (topic === stream.topic) this.history.push({partition, offset, appendTs, what});
        }
        return places;
      },
      openConsumer: options => log.openConsumer(options),
      read: options => log.read(options),
      offsets: topic => log.offsets(topic),
      committed: (topic, group) => log.committed(topic, group),
      close: () => log.close(),
    };
  }

  async #over(): Promise<void> {
    while (!this.#isOver) await this.clock.sleep(500);
  }

  #insertFault(): {stored: number; isFailed: boolean} {
    const rates = this.#faults;
    if (this.#rng.next() < rates.partialInsert) return {stored: this.#rng.next(), isFailed: true};
    return {stored: 1, isFailed: this.#rng.next() < rates.lostAcknowledgement};
  }
}
