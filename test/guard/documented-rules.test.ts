import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {expect, test} from 'vitest';
import {parse} from 'yaml';
import {loadConfig} from '../../src/config/load.ts';
import {parseRuleFile} from '../../src/guard/rule-file.ts';
import {RULE_KINDS} from '../../src/guard/rules.ts';

const blocks = [...readFileSync(new URL('../../docs/ALERTS.md', import.meta.url), 'utf8').matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, text = '']) => text);

test('the rules of docs/ALERTS.md are rules, of every kind there is', () => {
  const document = blocks.find(text => text.startsWith('# rules.yaml')) ?? '';
  const {rules, routing} = parseRuleFile(parse(document));
  expect([...new Set(rules.map(({kind}) => kind))].sort()).toEqual([...RULE_KINDS].sort());
  expect(routing).toMatchObject({inhibitions: [{equal: ['experiment', 'variant']}], silences: [{reason: 'load test'}], route: {repeatMs: 4 * 3_600_000, routes: [{receivers: ['chat'], doesContinue: true}]}});
});

test('its configuration is one', () => {
  const document = blocks.find(text => text.startsWith('# assay.yaml')) ?? '';
  const directory = mkdtempSync(join(tmpdir(), 'assay-documented-'));
  writeFileSync(join(directory, 'assay.yaml'), document);
  const config = loadConfig({file: join(directory, 'assay.yaml'), env: {}});
  rmSync(directory, {recursive: true});
  expect(config.webhooks.map(({name, kind}) => [name, kind])).toEqual([['ops', 'generic'], ['chat', 'feishu']]);
});
