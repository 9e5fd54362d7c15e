import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, describe, expect, test} from 'vitest';
import {loadConfig} from '../../src/config/load.ts';
import type {ClusterFacts, TopicFacts} from '../../src/log/kafka/inspect-cluster.ts';
import {judgeEngine} from '../../src/roles/doctor/judge-engine.ts';
import {judgeKafka} from '../../src/roles/doctor/judge-kafka.ts';
import {judgeConfig, judgeDataDirectory, judgeMemory, judgeNode} from '../../src/roles/doctor/judge-machine.ts';
import type {Finding} from '../../src/roles/doctor.ts';
import type {EngineFacts} from '../../src/warehouse/clickhouse/inspect-engine.ts';

const config = (flags: Record<string, unknown> = {}) => loadConfig({flags, env: {}});
const wrong = (findings: readonly Finding[]): string[] => findings.filter(({status}) => status !== 'ok').map(({status, check, detail}) => `${status} ${check}: ${detail}`);

const GIB = 1024 ** 3;
const ENGINE: EngineFacts = {
  version: '25.8.11.66', nowMs: 1_000_050, isWritable: true, schemaVersion: 4, schemaVersionOfCode: 4,
  disks: [{name: 'default', freeBytes: 80 * GIB, totalBytes: 100 * GIB}],
  replicas: [{table: 'outcomes', isReadOnly: false, delaySeconds: 0, active: 2, total: 2}],
  partsMax: 20, partsRefused: 3_000, newestAppendMs: 1_000_000,
};

const topic = (name: string, settings: Record<string, string> = {}, rest: Partial<TopicFacts> = {}): TopicFacts => ({
  topic: name, partitions: name === 'assay.events.v1' ? 6 : 1, replicas: 3, inSync: 3,
  settings: {'message.timestamp.type': 'LogAppendTime', 'cleanup.policy': 'delete', 'retention.ms': '-1', 'retention.bytes': '-1', 'min.insync.replicas': '2', 'max.message.bytes': '1048588', ...settings},
  ...rest,
});
const TOPICS = ['assay.events.v1', 'assay.experiments.v1', 'assay.dead-letters.v1', 'assay.control.v1'];
const cluster = (topics: readonly TopicFacts[], rest: Partial<ClusterFacts> = {}): ClusterFacts => ({
  brokers: 3, hasController: true,
  topics: [...TOPICS.filter(name => !topics.some(given => given.topic === name)).map(name => topic(name)), ...topics],
  ...rest,
});
const KAFKA = config({'kafka.replication': 3});

describe('doctor: Kafka', () => {
  test('a cluster as it should be has nothing wrong with it', () => {
    expect(wrong(judgeKafka(cluster([topic('assay.events.demo.v1', {'message.timestamp.type': 'CreateTime', 'message.timestamp.after.max.ms': '9223372036854775807'})]), KAFKA))).toEqual([]);
  });

  const FAULTS: readonly (readonly [string, ClusterFacts, RegExp])[] = [
    ['producers stamp live events', cluster([topic('assay.events.v1', {'message.timestamp.type': 'CreateTime'})]), /^fail topic assay\.events\.v1: .*CreateTime/],
    ['the log stamps an import', cluster([topic('assay.events.demo.v1')]), /^fail topic assay\.events\.demo\.v1: .*LogAppendTime/],
    ['a simulation’s clock is bounded', cluster([topic('assay.events.demo.v1', {'message.timestamp.type': 'CreateTime', 'message.timestamp.after.max.ms': '3600000'})]), /^warn .*after\.max/],
    ['experiments expire', cluster([topic('assay.experiments.v1', {'retention.ms': '604800000'})]), /^fail topic assay\.experiments\.v1: retention/],
    ['experiments are compacted', cluster([topic('assay.experiments.v1', {'cleanup.policy': 'compact'})]), /^fail .*cleanup\.policy is compact/],
    ['live events are gone in a day', cluster([topic('assay.events.v1', {'retention.ms': '86400000'})]), /^warn .*24 hours/],
    ['live events are bounded in bytes', cluster([topic('assay.events.v1', {'retention.bytes': '1000'})]), /^warn .*retention\.bytes/],
    ['a replica is away', cluster([topic('assay.events.v1', {}, {inSync: 2})]), /^warn .*2 of 3 replicas/],
    ['too few replicas to write', cluster([topic('assay.events.v1', {}, {inSync: 1})]), /^fail .*writes are refused/],
    ['one broker alone acknowledges', cluster([topic('assay.events.v1', {'min.insync.replicas': '1'})]), /^warn .*one broker alone/],
    ['other partitions than configured', cluster([topic('assay.events.v1', {}, {partitions: 12})]), /^fail .*12 partitions, live\.partitions says 6/],
    ['small messages only', cluster([topic('assay.events.v1', {'max.message.bytes': '1000'})]), /^fail .*max\.message\.bytes/],
    ['no controller', cluster([], {hasController: false}), /^fail kafka: .*controller/],
    ['topics missing', {...cluster([]), topics: []}, /^warn topics: missing: assay\.events\.v1/],
  ];
  test.each(FAULTS)('%s', (_, facts, expected) => {
    const found = wrong(judgeKafka(facts, KAFKA));
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(expected);
  });

  test('plain text over a network, and fewer replicas than brokers allow', () => {
    expect(wrong(judgeKafka(cluster([]), config({'kafka.brokers': 'kafka-1:9092'})))).toEqual([
      expect.stringMatching(/^warn kafka security/),
      expect.stringMatching(/^warn kafka\.replication: 3 brokers, but topics are made with 1/),
    ]);
  });
});

describe('doctor: ClickHouse', () => {
  const around = {config: config(), askedMs: 1_000_000, answeredMs: 1_000_100};

  test('a server as it should be has nothing wrong with it', () => {
    expect(wrong(judgeEngine(ENGINE, around))).toEqual([]);
  });

  const FAULTS: readonly (readonly [string, Partial<EngineFacts>, RegExp])[] = [
    ['an old version', {version: '24.3.1.1'}, /^warn clickhouse version: 24\.3/],
    ['a read-only user', {isWritable: false}, /^fail clickhouse user/],
    ['no tables', {schemaVersion: null}, /^warn clickhouse tables/],
    ['older tables', {schemaVersion: 3}, /^warn clickhouse tables: version 3 of 4/],
    ['newer tables', {schemaVersion: 5}, /^fail clickhouse tables: version 5 is newer/],
    ['a clock ahead', {nowMs: 1_005_100}, /^warn clocks: .* 5000 ms ahead/],
    ['a clock far behind', {nowMs: 900_000}, /^fail clocks: .* 100000 ms behind/],
    ['a broker’s clock ahead', {newestAppendMs: 1_010_100}, /^warn broker clocks: .* 10000 ms/],
    ['a disk nearly full', {disks: [{name: 'default', freeBytes: 10 * GIB, totalBytes: 100 * GIB}]}, /^warn clickhouse disk default: 10\.0 GiB/],
    ['a disk full', {disks: [{name: 'default', freeBytes: 2 * GIB, totalBytes: 100 * GIB}]}, /^fail clickhouse disk default/],
    ['a read-only replica', {replicas: [{table: 'slices', isReadOnly: true, delaySeconds: 0, active: 2, total: 2}]}, /^fail replica of slices/],
    ['a replica away', {replicas: [{table: 'slices', isReadOnly: false, delaySeconds: 0, active: 1, total: 2}]}, /^warn replica of slices: 1 of 2/],
    ['a replica behind', {replicas: [{table: 'slices', isReadOnly: false, delaySeconds: 900, active: 2, total: 2}]}, /^warn replica of slices: it is 900 s/],
    ['too many parts', {partsMax: 2_000}, /^warn clickhouse parts: 2000/],
  ];
  test.each(FAULTS)('%s', (_, change, expected) => {
    const found = wrong(judgeEngine({...ENGINE, ...change}, around));
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(expected);
  });

  test('each finding that is not ok says how to mend it', () => {
    const all = FAULTS.flatMap(([, change]) => judgeEngine({...ENGINE, ...change}, around));
    expect(all.filter(({status, fix}) => (status === 'ok') !== (fix === null))).toEqual([]);
  });
});

describe('doctor: the machine', () => {
  const directory = mkdtempSync(join(tmpdir(), 'assay-doctor-'));
  afterAll(() => rmSync(directory, {recursive: true, force: true}));

  test('Node, memory and configuration', () => {
    expect(judgeNode('v20.12.0').status).toBe('ok');
    expect(judgeNode('v20.11.1').status).toBe('fail');
    expect(judgeMemory(config(), 2 * GIB).status).toBe('warn');
    expect(judgeMemory(config({'warehouse.kind': 'server'}), 2 * GIB).status).toBe('ok');
    expect(wrong(judgeConfig(config({'log.kind': 'kafka'})))).toEqual([expect.stringMatching(/log\.kind is kafka and warehouse\.kind embedded/)]);
  });

  test('the data directory is looked at and not made', () => {
    expect(judgeDataDirectory(join(directory, 'a/b'))[0]).toMatchObject({status: 'ok', detail: expect.stringMatching(/will be made/)});
    writeFileSync(join(directory, 'file'), '');
    expect(judgeDataDirectory(join(directory, 'file'))[0]).toMatchObject({status: 'fail', detail: expect.stringMatching(/is a file/)});
    expect(judgeDataDirectory(join(directory, 'file/below'))[0]).toMatchObject({status: 'fail'});
  });
});
