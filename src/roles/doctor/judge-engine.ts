import type {Config} from '../../config/load.ts';
import type {EngineFacts} from '../../warehouse/clickhouse/inspect-engine.ts';
import {fail, type Finding, gibibytes, isLoopback, ok, orOk, warn} from './finding.ts';

/** The oldest release that has everything the views use and is still mended. */
const VERSION_MIN = [25, 8] as const;
const CLOCK_WARN_MS = 1_000;
const CLOCK_FAIL_MS = 60_000;
const DISK_WARN = 0.15;
const DISK_FAIL = 0.05;
const REPLICA_DELAY_S_MAX = 300;

export type Around = {
  readonly config: Config;
  /** Our clock before the question and after the answer. */
  readonly askedMs: number;
  readonly answeredMs: number;
};

/** What is wrong with a ClickHouse server, by what was seen of it. */
export function judgeEngine(facts: EngineFacts, around: Around): readonly Finding[] {
  return [
    judgeVersion(facts),
    ...judgeAccess(facts, around.config),
    judgeSchema(facts),
    ...judgeClocks(facts, around),
    ...facts.disks.map(disk => judgeDisk(`clickhouse disk ${disk.name}`, disk)),
    ...judgeReplicas(facts),
    judgeParts(facts),
  ];
}

function judgeVersion({version}: EngineFacts): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const isOld = major < VERSION_MIN[0] || (major === VERSION_MIN[0] && minor < VERSION_MIN[1]);
  return isOld
    ? warn('clickhouse version', `${version} is older than what Assay is tried on`, `upgrade the server to ${VERSION_MIN.join('.')} or later`)
    : ok('clickhouse version', version);
}

function judgeAccess({isWritable}: EngineFacts, config: Config): readonly Finding[] {
  const user = config.text('clickhouse.user');
  const found = [
    isWritable
      ? ok('clickhouse user', `${user} may write`)
      : fail('clickhouse user', `${user} is read-only`, 'give clickhouse.user a profile with readonly = 0; analysts get a user of their own'),
  ];
  const {protocol, hostname} = new URL(config.text('clickhouse.url'));
  if (protocol === 'http:' && !isLoopback(hostname)) {
    found.push(warn('clickhouse security', `facts and the password go to ${hostname} in plain text`, 'use the https:// port and clickhouse.ca_file'));
  }
  return found;
}

function judgeSchema({schemaVersion, schemaVersionOfCode}: EngineFacts): Finding {
  const check = 'clickhouse tables';
  if (schemaVersion === null) return warn(check, 'there are none yet', 'run `assay migrate`, or start any role');
  if (schemaVersion > schemaVersionOfCode) {
    return fail(check, `version ${schemaVersion} is newer than this Assay’s ${schemaVersionOfCode}`, 'upgrade this process: migrations go forward only');
  }
  if (schemaVersion < schemaVersionOfCode) return warn(check, `version ${schemaVersion} of ${schemaVersionOfCode}`, 'run `assay migrate`');
  return ok(check, `version ${schemaVersion}`);
}

function judgeClocks({nowMs, newestAppendMs}: EngineFacts, {askedMs, answeredMs}: Around): readonly Finding[] {
  // The engine read its clock somewhere between question and answer.
  const aheadMs = nowMs > answeredMs ? nowMs - answeredMs : nowMs < askedMs ? nowMs - askedMs : 0;
  const fix = 'run a time service (chrony, systemd-timesyncd) on every machine';
  const detail = `ClickHouse’s clock is ${Math.abs(aheadMs)} ms ${aheadMs >= 0 ? 'ahead of' : 'behind'} this machine’s`;
  const size = Math.abs(aheadMs);
  const ours = size > CLOCK_FAIL_MS ? fail('clocks', detail, fix) : size > CLOCK_WARN_MS ? warn('clocks', detail, fix) : ok('clocks', 'this machine and ClickHouse agree within a second');
  const brokerAheadMs = newestAppendMs === null ? 0 : newestAppendMs - answeredMs;
  if (brokerAheadMs <= CLOCK_WARN_MS) return [ours];
  const ahead = `a broker stamped a record ${brokerAheadMs} ms ahead of this machine’s clock`;
  return [ours, brokerAheadMs > CLOCK_FAIL_MS ? fail('broker clocks', ahead, fix) : warn('broker clocks', ahead, fix)];
}

export type Disk = {readonly freeBytes: number; readonly totalBytes: number};

export function judgeDisk(check: string, {freeBytes, totalBytes}: Disk): Finding {
  const share = totalBytes === 0 ? 1 : freeBytes / totalBytes;
  const detail = `${gibibytes(freeBytes)} free of ${gibibytes(totalBytes)}`;
  const fix = 'free space, or move old months to cold storage (docs/OPERATIONS.md, "Hot and cold")';
  if (share < DISK_FAIL || freeBytes < 1024 ** 3) return fail(check, detail, fix);
  return share < DISK_WARN ? warn(check, detail, fix) : ok(check, detail);
}

function judgeReplicas({replicas}: EngineFacts): readonly Finding[] {
  if (replicas.length === 0) return [];
  const wrong = replicas.flatMap(({table, isReadOnly, delaySeconds, active, total}) => {
    const check = `replica of ${table}`;
    if (isReadOnly) return [fail(check, 'it is read-only: it lost its session with Keeper', 'see that ClickHouse Keeper runs; then SYSTEM RESTART REPLICA')];
    if (active < total) return [warn(check, `${active} of ${total} replicas are active`, 'start the missing server')];
    return delaySeconds > REPLICA_DELAY_S_MAX ? [warn(check, `it is ${delaySeconds} s behind`, 'see system.replication_queue for what it waits for')] : [];
  });
  return orOk(wrong, ok('replicas', `${replicas.length} replicated tables, all in step`));
}

function judgeParts({partsMax, partsRefused}: EngineFacts): Finding {
  const detail = `${partsMax} parts in the fullest partition; inserts are refused at ${partsRefused}`;
  return partsMax > partsRefused / 3 ? warn('clickhouse parts', detail, 'merges do not keep up: give the server more CPU or faster disks') : ok('clickhouse parts', detail);
}
