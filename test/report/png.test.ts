import {mkdirSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {describe, expect, test} from 'vitest';
import {AssayError} from '../../src/core/errors.ts';
import {chartSvg} from '../../src/report/chart-svg.ts';
import {renderPng} from '../../src/report/render-png.ts';
import type {Report} from '../../src/report/report.ts';
import {CHINESE} from '../../src/report/texts-zh.ts';
import {emptyRow, harmedLatency, makeVerdict, nightRows, reportOf, unclearErrors} from './make-verdict.ts';

const SHOTS = join(tmpdir(), 'assay-report-shots');
mkdirSync(SHOTS, {recursive: true});

/** Why nothing can be drawn here; null when it can. A machine that claims to be CI must be able to. */
async function drawSkipReason(): Promise<string | null> {
  try {
    await renderPng(reportOf([]));
    return null;
  } catch (error) {
    if (!(error instanceof AssayError) || process.env['CI'] === 'true') throw error;
    return error.message;
  }
}
const skipReason = await drawSkipReason();

/** Width and height as the file itself says. */
const sizeOf = (png: Uint8Array): number[] => {
  const view = new DataView(png.buffer, png.byteOffset);
  expect([...png.subarray(0, 8)]).toEqual([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return [view.getUint32(16), view.getUint32(20)];
};

describe('the chart for a chat', () => {
  test('shows the most urgent experiment: decision first, then what is harmed, what is better, the rest', () => {
    const svg = chartSvg(reportOf([...nightRows(), makeVerdict({experiment: 'calm', metric: 'calm_metric', decision: 'keep_running'})])).toString();
    const places = ['Roll back v2', 'Data through', '>latency_p95 <', '>judge_score <', '>error_rate <'].map(text => svg.indexOf(text));
    expect(places.every(place => place > 0)).toBe(true);
    expect([...places].sort((a, b) => a - b)).toEqual(places);
    expect(svg).not.toContain('calm_metric');
  });

  test('a diagnostic that is worse comes after what the decision rests on', () => {
    const svg = chartSvg(reportOf([harmedLatency({metric: 'depth', role: 'diagnostic'}), makeVerdict()])).toString();
    expect(svg.indexOf('>judge_score <')).toBeGreaterThan(0);
    expect(svg.indexOf('>depth <')).toBeGreaterThan(svg.indexOf('>judge_score <'));
  });

  test('keeps to three metrics, breaks long lines, and lets no name become markup', () => {
    const hostile = '<script>alert(1)</script>';
    const rows = [...nightRows(), unclearErrors({metric: 'fourth'}), harmedLatency({metric: 'fifth'})].map(row => ({...row, experiment: `${'a-very-long-name'.repeat(30)}${hostile}`, variant: hostile}));
    const svg = chartSvg(reportOf(rows)).toString();
    expect(svg.match(/class="figure interval"/g)).toHaveLength(3);
    expect(svg).not.toContain('<script');
    const title = [...(/<g font-size="14"[^>]*>(.*?)<\/g>/s.exec(svg)?.[1] ?? '').matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map(([, line = '']) => line.replaceAll(/&\w+;/g, '?'));
    expect(title.length).toBe(6);
    for (const line of title) expect([...line].length).toBeLessThanOrEqual(38);
  });
});

describe.skipIf(skipReason !== null)(`the picture${skipReason === null ? '' : ` (skipped: ${skipReason})`}`, () => {
  test.each<readonly [string, Report]>([
    ['night', reportOf([...nightRows(), emptyRow({experiment: 'new-prompt'})])],
    ['ship', reportOf([makeVerdict()])],
    ['no-data', reportOf([emptyRow()])],
    ['nothing', reportOf([])],
  ])('%s is a PNG of 1080 pixels by the chart’s height', async (name, report) => {
    const png = await renderPng(report);
    writeFileSync(join(SHOTS, `${name}.png`), png);
    const height = Number(/height="(\d+)"/.exec(chartSvg(report).toString())?.[1]);
    expect(sizeOf(png)).toEqual([1_080, height * 3]);
  });

  test('the same report gives the same bytes, another decision gives others', async () => {
    const bytes = async (report: Report): Promise<string> => Buffer.from(await renderPng(report)).toString('base64');
    const first = await bytes(reportOf([makeVerdict()]));
    expect(await bytes(reportOf([makeVerdict()]))).toBe(first);
    expect(await bytes(reportOf([makeVerdict({decision: 'roll_back'})]))).not.toBe(first);
  });

  test('in Chinese it is drawn with a font that has the letters, or refused with the name of one: never boxes', async () => {
    const drawn = await renderPng(reportOf(nightRows(), {texts: CHINESE}), CHINESE).catch((error: AssayError) => error);
    if (drawn instanceof AssayError) expect(drawn).toMatchObject({code: 'ASSAY_CONFIG_INVALID', message: expect.stringContaining('fonts-noto-cjk')});
    else expect(sizeOf(drawn)[0]).toBe(1_080);
  });
});
