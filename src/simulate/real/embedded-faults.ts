import {execFile} from 'node:child_process';
import {mkdir, mkdtemp, open, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {promisify} from 'node:util';
import type {Rng} from '../../core/rng.ts';
import type {Verdict} from './fault.ts';
import type {RealPorts} from './ground.ts';
import {Proc, until} from './processes.ts';

export type EmbeddedRun = {readonly ports: RealPorts; readonly seed: number; readonly isLong: boolean; readonly rng: Rng; readonly note: (line: string) => void};

export type EmbeddedFault = {
  readonly name: string;
  readonly title: string;
  /** Why this machine cannot try it; null when it can. */
  missing(): Promise<string | null>;
  run(run: EmbeddedRun): Promise<Verdict>;
};

const run = promisify(execFile);
const DISK_MIB = 96;
const BATCH_EVENTS = 100;
const START_LIMIT_MS = 120_000;

const EXPERIMENT = `experiment: disk
variants: {a: 50, b: 50}
control: a
lifecycle: running
metrics:
  - {key: score, measure: score, aggregate: mean, role: goal, direction: higher}
`;

/** What was accepted, as sums by which any lost, doubled or altered event shows: scores are serial numbers. */
type Sums = {n: number; units: number; total: number; squares: number};

/** `assay up` with its data on a small disk of its own. */
class SmallDisk {
  readonly accepted: Sums = {n: 0, units: 0, total: 0, squares: 0};
  readonly refusals: string[] = [];
  readonly #directory: string;
  readonly #disk: string;
  #up: Proc | undefined;
  #url = '';
  #serial = 0;

  private constructor(directory: string) {
    this.#directory = directory;
    this.#disk = join(directory, 'disk');
  }

  static async mount(): Promise<SmallDisk> {
    const disk = new SmallDisk(await mkdtemp(join(tmpdir(), 'assay-disk-')));
    await mkdir(disk.#disk);
    await mkdir(join(disk.#directory, 'experiments'));
    await writeFile(join(disk.#directory, 'experiments/disk.yaml'), EXPERIMENT);
    await writeFile(join(disk.#directory, 'assay.yaml'), 'live: {lateness_ms: 2s, slice_ms: 1s}\n');
    await run('mount', ['-t', 'tmpfs', '-o', `size=${DISK_MIB}m`, 'tmpfs', disk.#disk]);
    return disk;
  }

  #assay(name: string, args: readonly string[]): Proc {
    return Proc.start(name, 'bin/assay.cjs', [...args, '--data', join(this.#disk, 'data'), '--config', join(this.#directory, 'assay.yaml')]);
  }

  /** @returns the process, running or ended with an error */
  async start(): Promise<Proc> {
    const up = this.#assay('up', ['up', '--port', '0', '--experiments', join(this.#directory, 'experiments')]);
    this.#up = up;
    await until('assay up to run', START_LIMIT_MS, () => !up.isRunning || up.lines.some(line => line.includes('running; stop with')));
    this.#url = /serving on (\S+)/.exec(up.lines.join('\n'))?.[1] ?? '';
    return up;
  }

  /** One batch of exposures and outcomes. @returns whether it was accepted, all of it */
  async post(): Promise<boolean> {
    const serials = Array.from({length: BATCH_EVENTS / 2}, (_, index) => this.#serial + index);
    this.#serial += serials.length;
    const events = serials.flatMap(serial => [
      {type: 'exposure', experiment: 'disk', variant: serial % 2 === 0 ? 'a' : 'b', unit_id: `u${serial}`},
      {type: 'outcome', unit_id: `u${serial}`, measures: {score: serial}},
    ]);
    const response = await fetch(`${this.#url}/v1/events`, {method: 'POST', headers: {'content-type': 'application/json'}, body: JSON.stringify(events)});
    const text = await response.text();
    if (response.status !== 202) {
      this.refusals.push(`${response.status} ${text}`);
      return false;
    }
    for (const serial of serials) {
      this.accepted.n++;
      this.accepted.units++;
      this.accepted.total += serial;
      this.accepted.squares += serial * serial;
    }
    return true;
  }

  async postMany(batches: number): Promise<void> {
    for (let batch = 0; batch < batches; batch++) {
      await until('a batch to be accepted', START_LIMIT_MS, () => this.post());
      await sleep(100);
    }
  }

  /** Writes until the device takes no byte more. */
  async fill(): Promise<void> {
    const file = await open(join(this.#disk, 'filler'), 'w');
    const block = Buffer.alloc(1 << 20);
    try {
      for (;;) await file.write(block);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    } finally {
      await file.close();
    }
  }

  free(): Promise<void> {
    return rm(join(this.#disk, 'filler'));
  }

  async remount(mode: 'ro' | 'rw'): Promise<void> {
    await run('mount', ['-o', `remount,${mode}`, this.#disk]);
  }

  /** The last line of a command that runs in the owner of the data. */
  async #answer<T>(args: readonly string[]): Promise<T | undefined> {
    const proc = this.#assay(args.join(' '), [...args, '--json']);
    await proc.exited;
    const line = proc.lines.findLast(text => text.startsWith('{') || text.startsWith('['));
    return line === undefined ? undefined : (JSON.parse(line) as T);
  }

  async stored(): Promise<Sums> {
    const [row] = (await this.#answer<Sums[]>(['query', "SELECT count() AS n, uniqExact(unit_id) AS units, sum(measures['score']) AS total, sum(measures['score'] * measures['score']) AS squares FROM v_outcomes_all"])) ?? [];
    return row ?? {n: 0, units: 0, total: 0, squares: 0};
  }

  async hasAll(): Promise<boolean> {
    return textOf(await this.stored()) === textOf(this.accepted);
  }

  /** Once slices are closed: what `assay verify` finds. */
  async audit(): Promise<{readonly mismatch: number; readonly slices_checked: number; readonly facts: number}> {
    let last = {mismatch: -1, slices_checked: 0, facts: 0};
    await until('slices to close', START_LIMIT_MS, async () => {
      last = (await this.#answer<typeof last>(['verify', '--stream', 'live'])) ?? last;
      return last.slices_checked > 0 && last.facts === 2 * this.accepted.n;
    }).catch(() => undefined);
    return last;
  }

  async readiness(): Promise<{status: number; text: string}> {
    const response = await fetch(`${this.#url}/readyz`);
    return {status: response.status, text: await response.text()};
  }

  async close(): Promise<void> {
    await this.#up?.kill();
    await run('umount', ['-l', this.#disk]);
    await rm(this.#directory, {recursive: true, force: true});
  }
}

const textOf = ({n, units, total, squares}: Sums): string => `${n} outcomes of ${units} units, sum ${total}, sum of squares ${squares}`;

/** The disk is filled under a running `assay up`, freed, and later mounted read-only under its start. */
const diskFull: EmbeddedFault = {
  name: 'disk',
  title: 'embedded mode: the disk fills up under load; then a start on a read-only mount',
  missing: async () => {
    if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'mounting a small disk takes root on Linux';
    const probe = await SmallDisk.mount().catch((error: unknown) => String(error));
    if (typeof probe === 'string') return `no file system can be mounted here: ${probe.split('\n')[0]}`;
    await probe.close();
    return null;
  },
  run: async ({isLong}) => {
    const disk = await SmallDisk.mount();
    try {
      return await tryDisk(disk, isLong ? 20 : 1);
    } finally {
      await disk.close();
    }
  },
};

async function tryDisk(disk: SmallDisk, rounds: number): Promise<Verdict> {
  const errors: string[] = [];
  const up = await disk.start();
  for (let round = 0; round < rounds; round++) {
    await disk.postMany(10);
    await disk.fill();
    // Long enough for flushes, ticks and closing to meet the full disk too.
    await until('a batch to be refused', START_LIMIT_MS, async () => !(await disk.post()));
    for (let tries = 0; tries < 20; tries++) {
      await disk.post();
      await sleep(300);
    }
    const full = await disk.readiness();
    if (full.status !== 503 || !full.text.includes('ENOSPC')) errors.push(`on a full disk /readyz says ${full.status} ${full.text}`);
    if (!up.isRunning) errors.push(`the process ended: ${up.lines.at(-1)}`);
    await disk.free();
    await disk.postMany(10);
    await until('readiness again', START_LIMIT_MS, async () => (await disk.readiness()).status === 200).catch((error: unknown) => errors.push(String(error)));
  }
  const unclear = disk.refusals.find(text => !/^429 .*ENOSPC.*free space on the device/.test(text));
  if (unclear !== undefined) errors.push(`a refusal does not say why: ${unclear}`);
  await until('everything accepted to be counted', START_LIMIT_MS, () => disk.hasAll()).catch(() => undefined);
  if (!up.isRunning) errors.push(`the process ended when there was space again: ${up.lastLines}`);
  const code = await up.stop();
  if (code !== 0) errors.push(`the stop ended with ${code}`);

  await disk.remount('ro');
  const refused = await disk.start();
  const refusal = refused.lines.at(-1) ?? '';
  if (refused.isRunning || (await refused.exited) === 0 || !/read-only file system.*mount the file system for writing/.test(refusal)) errors.push(`on a read-only mount it says: ${refusal}`);
  await disk.remount('rw');

  await disk.start();
  await disk.postMany(5);
  await until('everything accepted to be counted', START_LIMIT_MS, () => disk.hasAll()).catch(() => undefined);
  const found = textOf(await disk.stored());
  const expected = textOf(disk.accepted);
  if (found !== expected) errors.push(`stored are ${found}, must be ${expected}`);
  const audit = await disk.audit();
  if (audit.mismatch !== 0 || audit.slices_checked === 0) errors.push(`assay verify finds ${JSON.stringify(audit)}`);
  // The planted error: events more than the books of this harness say.
  const before = {...disk.accepted};
  await disk.postMany(1);
  await until('one batch more to be counted', START_LIMIT_MS, () => disk.hasAll()).catch(() => undefined);
  const isCaught = textOf(await disk.stored()) !== textOf(before);
  return {
    times: rounds + 1, expected, errors,
    found: `${found}; ${disk.refusals.length} batches refused meanwhile, audit: ${audit.mismatch} mismatches in ${audit.slices_checked} slices`,
    control: {what: 'a batch that the books of the harness do not hold', isCaught},
  };
}

export const EMBEDDED_FAULTS: readonly EmbeddedFault[] = [diskFull];
