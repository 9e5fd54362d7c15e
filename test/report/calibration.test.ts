import {describe, expect, test} from 'vitest';
import type {Calibration} from '../../src/core/verdict.ts';
import {renderHtml} from '../../src/report/render-html.ts';
import {renderJson} from '../../src/report/render-json.ts';
import {renderMarkdown} from '../../src/report/render-markdown.ts';
import {CHINESE} from '../../src/report/texts-zh.ts';
import {makeVerdict, reportOf, unclearErrors} from './make-verdict.ts';

const calibrationOf = (given: Partial<Calibration> = {}): Calibration => ({
  status: 'healthy', alpha: 0.05, relabellings: 200, computed: 200, rejected: 9, rate: 0.045, low: 0.0238, high: 0.0833, cut_ms: Date.parse('2026-11-21T08:00:00Z'), ...given,
});

const UNHEALTHY = calibrationOf({status: 'unhealthy', rejected: 61, rate: 0.305, low: 0.2454, high: 0.372});
const NONE = calibrationOf({status: 'not-computable', reason: 'fewer than 20 units in a half of control', computed: 0, rejected: 0, rate: null, low: null, high: null});

describe('the empirical false-positive rate beside results', () => {
  test('stands in JSON as the row has it, in Markdown and HTML with its interval', () => {
    const report = reportOf([makeVerdict({calibration: calibrationOf()}), makeVerdict({variant: 'v3', calibration: calibrationOf()}), unclearErrors()]);
    expect(report.experiments[0]?.metrics.map(({calibration}) => calibration)).toEqual([calibrationOf(), null]);
    expect(JSON.parse(renderJson(report)).experiments[0].metrics[0].calibration).toEqual(calibrationOf());
    for (const text of [renderMarkdown(report), renderHtml(report)]) {
      expect(text).toContain('Self-calibration');
      // Once a metric, however many treatments share their control.
      expect(text.match(/judge\\?_score: 4\.5 % false positives at alpha 5 % \\?\(95 % interval 2\.38 % to 8\.33 %; 9 of 200 relabellings/g)).toHaveLength(1);
    }
    expect(renderMarkdown(reportOf([makeVerdict({calibration: calibrationOf()})]), CHINESE)).toContain('自校准');
    expect(report.findings.filter(({code}) => code === 'calibration')).toEqual([]);
  });

  test('a test that is wrong too often is a finding of medium severity and changes no decision', () => {
    const [healthy, unhealthy] = [calibrationOf(), UNHEALTHY].map(calibration => reportOf([makeVerdict({calibration})]));
    expect(unhealthy?.findings.filter(({code}) => code === 'calibration')).toMatchObject([{severity: 'medium', subject: 'judge_score'}]);
    expect(unhealthy?.experiments[0]?.decision).toBe(healthy?.experiments[0]?.decision);
    expect(unhealthy?.summary).toEqual(healthy?.summary);
    expect(unhealthy === undefined ? '' : renderMarkdown(unhealthy)).toMatch(/\*\*FAIL\*\* judge\\?_score: 30\.5 %/);
  });

  test('without a rate it says why; without a calibration there is no word of it', () => {
    expect(renderMarkdown(reportOf([makeVerdict({calibration: NONE})]))).toContain('not computable: fewer than 20 units in a half of control');
    for (const text of [renderMarkdown(reportOf([makeVerdict()])), renderHtml(reportOf([makeVerdict()]))]) expect(text).not.toContain('Self-calibration');
  });
});
