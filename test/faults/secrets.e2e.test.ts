/** No secret is ever written: not by commands that work, not by ones that fail, not at the most talkative log level. */
import {readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {OPTIONS} from '../../src/config/options.ts';
import {cliSkipReason, runAssay, temporaryDirectory} from '../helpers/cli.ts';
import {openServerUnderTest, type ServerUnderTest} from '../helpers/clickhouse-server.ts';

const missing = await cliSkipReason();
const secretOf = (key: string): string => `s3cr3t-${key.replaceAll(/[._]/g, '-')}-value`;
const SECRETS = OPTIONS.filter(option => option.secret === true);
const ENVIRONMENT = Object.fromEntries(SECRETS.map(({key, env}) => [env, secretOf(key)]));

describe.skipIf(missing !== null)(`secrets${missing === null ? '' : ` (skipped: ${missing})`}`, () => {
  let server: ServerUnderTest;
  beforeAll(async () => {
    server = await openServerUnderTest({user: 'assay', password: secretOf('clickhouse.password')});
  });
  afterAll(() => server?.remove());

  const leaks = (text: string): string[] => SECRETS.map(({key}) => key).filter(key => text.includes(secretOf(key)));

  function filesBelow(directory: string): string {
    const names = readdirSync(directory, {recursive: true, withFileTypes: true}).filter(entry => entry.isFile());
    return names.map(entry => readFileSync(join(entry.parentPath, entry.name), 'latin1')).join('\n');
  }

  test('there are secrets to look for, and the search finds one', () => {
    expect(SECRETS.map(({key}) => key)).toEqual(expect.arrayContaining(['kafka.sasl.password', 'clickhouse.password', 'privacy.hash_key']));
    expect(leaks(`x ${secretOf('clickhouse.password')} y`)).toEqual(['clickhouse.password']);
  });

  const kafkaAway = {ASSAY_LOG_KIND: 'kafka', ASSAY_KAFKA_BROKERS: '127.0.0.1:1', ASSAY_KAFKA_SASL_MECHANISM: 'plain', ASSAY_KAFKA_SASL_USERNAME: 'assay'};
  const cases: readonly (readonly [string, readonly string[], Readonly<Record<string, string>>])[] = [
    ['the configuration is shown', ['config', 'check', '--json'], {}],
    ['the brokers are away', ['topics'], kafkaAway],
    ['hashing is on', ['forget', 'someone'], {ASSAY_PRIVACY_HASH_UNIT_IDS: 'true'}],
  ];
  test.each(cases)('%s', async (_, args, env) => {
    const data = temporaryDirectory('secrets');
    const {stdout, stderr} = await runAssay([...args, '--data', data, '--log-level', 'debug'], {env: {...ENVIRONMENT, ...env}});
    expect(stdout + stderr).not.toBe('');
    expect(leaks(stdout + stderr)).toEqual([]);
    expect(leaks(filesBelow(data))).toEqual([]);
  }, 60_000);

  test.each([
    ['the right password', {}, 0],
    ['a wrong one', {ASSAY_CLICKHOUSE_USER: 'nobody'}, 1],
  ])('ClickHouse with %s', async (_, env, code) => {
    const data = temporaryDirectory('secrets');
    const reached = {ASSAY_WAREHOUSE_KIND: 'server', ASSAY_CLICKHOUSE_URL: `http://127.0.0.1:${server.front.port}`, ASSAY_CLICKHOUSE_USER: 'assay'};
    const finished = await runAssay(['migrate', '--data', data, '--log-level', 'debug'], {env: {...ENVIRONMENT, ...reached, ...env}});
    expect({code: finished.code, said: finished.code === code ? '' : finished.stderr}).toEqual({code, said: ''});
    expect(leaks(finished.stdout + finished.stderr)).toEqual([]);
  }, 60_000);
});
