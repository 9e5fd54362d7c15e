import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, describe, expect, test} from 'vitest';
import {loadConfig, parseDuration} from '../../src/config/load.ts';
import {OPTIONS} from '../../src/config/options.ts';

const directory = mkdtempSync(join(tmpdir(), 'assay-config-'));
afterAll(() => rmSync(directory, {recursive: true, force: true}));

function fileOf(text: string): string {
  const path = join(directory, 'assay.yaml');
  writeFileSync(path, text);
  return path;
}

function errorOf(sources: Parameters<typeof loadConfig>[0]): string {
  try {
    loadConfig({env: {}, ...sources});
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  throw new Error('the configuration was accepted');
}

const SECRET = `whsec_${Buffer.from('twenty-four bytes at least').toString('base64')}`;

describe('configuration', () => {
  test('without anything every option has its default', () => {
    const config = loadConfig({env: {}});
    for (const option of OPTIONS) expect(config.describe()[option.key]).toEqual(option.default);
    expect(config.webhooks).toEqual([]);
  });

  test('a flag beats the environment, the environment beats the file, the file beats the default', () => {
    const file = fileOf('server: {port: 3001}\n');
    const env = {ASSAY_SERVER_PORT: '3002'};
    expect(loadConfig({env: {}}).number('server.port')).toBe(7333);
    expect(loadConfig({file, env: {}}).number('server.port')).toBe(3001);
    expect(loadConfig({file, env}).number('server.port')).toBe(3002);
    expect(loadConfig({file, env, flags: {'server.port': '3003'}}).number('server.port')).toBe(3003);
  });

  test('an empty environment variable is as good as none', () => {
    expect(loadConfig({env: {ASSAY_SERVER_PORT: ''}}).number('server.port')).toBe(7333);
  });

  test('all errors at once: each names where the value stands, what it must be and what it is', () => {
    const file = fileOf(`
log: {kind: rabbit}
kafka: {replication: 1.5, brokers: ["a:1", ""]}
live: {lateness_ms: soon}
observe: {log_level: 3}
kafka.tls.enabled: maybe
serverr: {port: 1}
webhooks: [{name: '', url: nowhere, secrets: [short], events: [everything], colour: red}]
`);
    const message = errorOf({file, env: {ASSAY_SERVER_PORT: '70000'}, flags: {'warehouse.kind': 'oracle'}});
    for (const part of [
      `log.kind in ${file} must be one of embedded, kafka, got text "rabbit"`,
      `kafka.replication in ${file} must be a whole number, got a number 1.5`,
      `kafka.brokers in ${file} must be a list without empty entries, got a list ["a:1",""]`,
      `live.lateness_ms in ${file} must be a duration (250, 10s, 5m, 2h, 30d) from 0, got text "soon"`,
      `observe.log_level in ${file} must be one of debug, info, warn, error, silent, got a number 3`,
      `kafka.tls.enabled in ${file} must be true or false, got text "maybe"`,
      'serverr is not an option; ',
      'ASSAY_SERVER_PORT must be a number from 0 to 65535, got text "70000"',
      '--warehouse must be one of embedded, server, got text "oracle"',
      'webhooks[0].name must be text',
      'webhooks[0].url must be a URL',
      'webhooks[0].secrets must look like whsec_',
      'webhooks[0].events must be of decision_changed, digest, alert',
      'webhooks[0].colour is not known',
    ]) {
      expect(message).toContain(part);
    }
    expect(message).not.toContain('\n');
  });

  test('a slip in a key is answered with the key that was meant', () => {
    expect(errorOf({file: fileOf('server: {prot: 1}\n')})).toContain('server.prot is not an option');
    expect(errorOf({file: fileOf('lateness_ms: 1s\n')})).toContain('did you mean live.lateness_ms?');
  });

  test('a file that is missing, no YAML or no map is one error that names it', () => {
    expect(errorOf({file: join(directory, 'none.yaml')})).toMatch(/cannot read the config file .*none\.yaml .*give an existing YAML file with --config/);
    expect(errorOf({file: fileOf('a: [1')})).toMatch(/assay\.yaml: /);
    expect(errorOf({file: fileOf('- 1\n')})).toContain('must hold keys and values, not a list');
  });

  test('secrets are masked where they are shown and never part of an error', () => {
    const config = loadConfig({env: {ASSAY_CLICKHOUSE_PASSWORD: 'hunter2'}});
    expect(config.text('clickhouse.password')).toBe('hunter2');
    expect(JSON.stringify(config.describe())).not.toContain('hunter2');
    expect(config.describe()['clickhouse.password']).toBe('***');
    expect(errorOf({file: fileOf('clickhouse: {password: [hunter2]}\n')})).not.toContain('hunter2');
  });

  test('webhooks: a secret may stand alone, all events are the default, wrong secrets are not shown', () => {
    const [webhook] = loadConfig({env: {}, file: fileOf(`webhooks: [{name: chat, url: "https://example.com/h", secrets: ${SECRET}}]\n`)}).webhooks;
    expect(webhook).toEqual({name: 'chat', kind: 'generic', language: 'en', url: 'https://example.com/h', secrets: [SECRET], events: ['decision_changed', 'digest', 'alert'], allow: []});
    expect(errorOf({file: fileOf('webhooks: [{name: chat, url: "https://example.com/h", secrets: [hunter2]}]\n')})).not.toContain('hunter2');
  });

  test.each([
    ['server: {port: [1]}', 'must be a number, got a list [1]'],
    ['audit: {every_ms: [10s]}', 'must be a duration (250, 10s, 5m, 2h, 30d), got a list ["10s"]'],
    ['log: {kind: [embedded]}', 'must be one value, got a list ["embedded"]'],
    ['kafka: {brokers: [[a], [b]]}', 'must be a list of texts, got a list [["a"],["b"]]'],
  ])('%s: a list is no value', (text, error) => {
    expect(errorOf({file: fileOf(`${text}\n`)})).toContain(error);
  });

  test.each([
    ['250', 250],
    ['250ms', 250],
    ['10s', 10_000],
    ['1.5m', 90_000],
    ['2 h', 7_200_000],
    ['30d', 2_592_000_000],
    [40, 40],
    ['', Number.NaN],
    ['10 parsecs', Number.NaN],
  ])('a duration %j is %d ms', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  test('options have names of their own, in file, environment and on the command line', () => {
    for (const name of ['key', 'env', 'flag'] as const) {
      const names = OPTIONS.flatMap(option => option[name] ?? []);
      expect(new Set(names).size).toBe(names.length);
    }
  });
});
