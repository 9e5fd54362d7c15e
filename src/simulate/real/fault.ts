import type {Rng} from '../../core/rng.ts';
import type {Stream} from '../../core/streams.ts';
import type {Planned} from './history.ts';
import type {Lab, Settled} from './lab.ts';

export type FaultRun = {
  readonly lab: Lab;
  readonly seed: number;
  readonly isLong: boolean;
  readonly rng: Rng;
};

/** One thing that goes wrong on real processes. */
export type Fault = {
  readonly name: string;
  readonly title: string;
  readonly brokers: 1 | 3;
  /** Disturbs more than its own stream, so it runs when all others are done. */
  readonly isAlone?: true;
  run(run: FaultRun): Promise<Verdict>;
};

export type Verdict = {
  /** How often the fault was injected. */
  readonly times: number;
  readonly expected: string;
  readonly found: string;
  readonly errors: readonly string[];
  /** The negative control: what was planted, and whether the check saw it. */
  readonly control: {readonly what: string; readonly isCaught: boolean};
};

export type FaultResult = Verdict & {readonly fault: string; readonly title: string; readonly seed: number; readonly seconds: number};

export const isExact = ({errors, control}: Verdict): boolean => errors.length === 0 && control.isCaught;

/** A settled stream as a verdict; `moreErrors` are pass figures of the fault itself that were missed. */
export function verdictOf(settled: Settled, given: {readonly times: number; readonly control: Verdict['control']; readonly moreErrors?: readonly string[]; readonly figures?: string}): Verdict {
  const {facts, slices, windows, records, late} = settled;
  const {times, control, moreErrors = [], figures} = given;
  return {
    times,
    expected: `${facts.expected} facts of ${records} records (${late} late), ${slices.expected} slice rows, ${windows.expected} windows`,
    found: `${facts.found} facts, ${facts.lost} lost, ${facts.extra} extra, ${slices.exact} slice rows and ${windows.exact} windows exact${figures === undefined ? '' : `; ${figures}`}`,
    errors: [...settled.errors, ...moreErrors],
    control,
  };
}

/** Changes one stored outcome as a bug in a writer would; the comparison must see it. */
export async function tamper({sql}: Lab, stream: Stream, settled: Settled): Promise<Verdict['control']> {
  const columns = 'stream, event_id, unit_id, event_ts, item_id, variant_hint';
  const rest = 'status, sample_rate, trace_id, attributes, append_ts, arrival_ts, log_epoch, partition, offset';
  await sql.run(`INSERT INTO outcomes (${columns}, measures, ${rest}, version)
    SELECT ${columns}, mapUpdate(measures, map('score', measures['score'] + 0.001)), ${rest}, version + 1
    FROM outcomes FINAL WHERE stream = '${stream.name}' AND mapContains(measures, 'score') ORDER BY unit_id, event_id LIMIT 1`);
  return {what: 'one stored outcome altered by 0.001', isCaught: await settled.differs()};
}

export const startOf = (seed: number): number => Date.UTC(2026, 0, 5, 9) + (seed % 1_000) * 60_000;

/** The records of a plan that are events, for rates. */
export const countEvents = (planned: readonly Planned[]): number => planned.filter(({what}) => what.kind !== 'tick').length;
