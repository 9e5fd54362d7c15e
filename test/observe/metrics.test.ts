import {existsSync, readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {parse} from 'yaml';
import {describe, expect, test} from 'vitest';
import {METRIC_CATALOGUE, metricsPage} from '../../src/observe/metric-catalogue.ts';
import {openMetrics} from '../../src/observe/metrics.ts';
import {ROOT, unknownInExpression} from './metric-names.ts';

const names = METRIC_CATALOGUE.map(({name}) => name);

/** Names in the code that begin like metrics and are none. */
const NOT_METRICS = new Set(['assay_session']);

function namesInCode(): string[] {
  const files = readdirSync(join(ROOT, 'src'), {recursive: true, encoding: 'utf8'}).filter(path => path.endsWith('.ts') && !path.endsWith('metric-catalogue.ts'));
  const found = files.flatMap(path => [...readFileSync(join(ROOT, 'src', path), 'utf8').matchAll(/['"`](assay_[a-z0-9_]+)['"`]/g)].map(([, name]) => name ?? ''));
  return [...new Set(found)].filter(name => !NOT_METRICS.has(name)).sort();
}

describe('the catalogue of metrics', () => {
  test('has every name that the code uses, and no other', () => {
    expect([...names].sort()).toEqual(namesInCode());
    expect(new Set(names).size).toBe(names.length);
  });

  test('follows the rules of names', () => {
    for (const {name, type, unit, labels} of METRIC_CATALOGUE) {
      expect(name).toMatch(/^assay_(build|ingest|log|decode|window|sink|worker|closing|audit|jobs|alerts|guard|notify|http|sdk)_[a-z0-9_]+$/);
      expect(name.endsWith('_total')).toBe(type === 'counter');
      if (type === 'histogram') expect(name).toMatch(/_seconds$/);
      expect(unit).not.toBe('');
      expect(new Set(labels).size).toBe(labels.length);
    }
  });

  test('docs/METRICS.md is written from it', () => {
    expect(readFileSync(join(ROOT, 'docs/METRICS.md'), 'utf8')).toBe(metricsPage());
  });

  test('a metric shows the catalogue’s text and labels', async () => {
    const metrics = openMetrics(false);
    metrics.count('assay_decode_records_total', 3, {stream: 'live', kind: 'outcome'});
    const text = await metrics.render();
    expect(text).toContain('# HELP assay_decode_records_total Records decoded');
    expect(text).toContain('assay_decode_records_total{stream="live",kind="outcome"} 3');
  });

  test('a label that the catalogue does not have is refused', () => {
    const metrics = openMetrics(false);
    expect(() => metrics.count('assay_decode_records_total', 1, {stream: 'live', unit: 'u1'})).toThrow();
  });
});

describe('what deploy/ asks of Prometheus', () => {
  const rules = readdirSync(join(ROOT, 'deploy/prometheus')).filter(name => name.endsWith('.rules.yml'));
  const dashboards = readdirSync(join(ROOT, 'deploy/grafana/dashboards')).filter(name => name.endsWith('.json'));

  type Rules = {groups: {rules: {alert?: string; expr: string; labels?: Record<string, string>; annotations?: Record<string, string>}[]}[]};
  const alertsOf = (file: string) => (parse(readFileSync(join(ROOT, 'deploy/prometheus', file), 'utf8')) as Rules).groups.flatMap(({rules: list}) => list);

  test.each(rules)('%s uses metrics and labels that exist', file => {
    const alerts = alertsOf(file);
    expect(alerts.length).toBeGreaterThan(0);
    expect(alerts.flatMap(({expr}) => unknownInExpression(expr))).toEqual([]);
  });

  test.each(dashboards)('%s uses metrics and labels that exist', file => {
    const {panels} = JSON.parse(readFileSync(join(ROOT, 'deploy/grafana/dashboards', file), 'utf8')) as {panels: {title: string; targets?: {expr: string}[]}[]};
    const expressions = panels.flatMap(({targets = []}) => targets.map(({expr}) => expr));
    expect(expressions.length).toBeGreaterThan(20);
    expect(expressions.flatMap(unknownInExpression)).toEqual([]);
  });

  test('a name or label that does not exist is found', () => {
    expect(unknownInExpression('sum(rate(assay_sink_row_total[5m]))')).toEqual(['assay_sink_row_total']);
    expect(unknownInExpression('max by (topic) (assay_log_lag_records)')).toEqual(['topic of assay_log_lag_records']);
    expect(unknownInExpression('assay_log_lag_records{streem="live"}')).toEqual(['streem of assay_log_lag_records']);
  });

  test('each warning and error that is logged has its advice', () => {
    const files = readdirSync(join(ROOT, 'src'), {recursive: true, encoding: 'utf8'}).filter(path => path.endsWith('.ts'));
    const lines = files.flatMap(path => [...readFileSync(join(ROOT, 'src', path), 'utf8').matchAll(/logger\.(?:warn|error)\(\s*'([^']+)'/g)].map(([, line = '']) => line));
    expect(lines.length).toBeGreaterThan(20);
    const pages = readFileSync(join(ROOT, 'docs/OPERATIONS.md'), 'utf8');
    expect([...new Set(lines)].filter(line => !pages.includes(`\`${line}\``))).toEqual([]);
  });

  test('each alert of operations has its page and its test', () => {
    const pages = readFileSync(join(ROOT, 'docs/OPERATIONS.md'), 'utf8');
    const tested = readFileSync(join(ROOT, 'deploy/prometheus/assay-operations.test.yml'), 'utf8');
    for (const {alert = '', annotations, labels} of alertsOf('assay-operations.rules.yml')) {
      expect(labels?.['severity']).toMatch(/^(page|ticket)$/);
      expect(annotations?.['runbook']).toBe(`docs/OPERATIONS.md#${alert.toLowerCase()}`);
      expect(pages).toContain(`\n### ${alert}\n`);
      expect(tested).toContain(`alertname="${alert}"`);
    }
    expect(existsSync(join(ROOT, 'deploy/prometheus/prometheus.yml'))).toBe(true);
  });
});
