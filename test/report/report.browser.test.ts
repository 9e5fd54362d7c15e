import {mkdirSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {pathToFileURL} from 'node:url';
import type {Page} from 'playwright-core';
import {afterAll, beforeAll, expect, test} from 'vitest';
import {renderHtml} from '../../src/report/render-html.ts';
import {ENGLISH} from '../../src/report/texts.ts';
import {CHINESE} from '../../src/report/texts-zh.ts';
import {describeInBrowser, type OpenBrowser, openBrowser} from '../helpers/browser.ts';
import {changeOf} from './make-around.ts';
import {emptyRow, makeVerdict, nightRows, reportOf} from './make-verdict.ts';

/** Screenshots stay here to be looked at. */
const SHOTS = join(tmpdir(), 'assay-report-shots');

const VIEWS = [
  {name: 'light', width: 1100, height: 800, colorScheme: 'light', media: 'screen'},
  {name: 'dark', width: 1100, height: 800, colorScheme: 'dark', media: 'screen'},
  {name: 'phone', width: 360, height: 740, colorScheme: 'dark', media: 'screen'},
  {name: 'print', width: 794, height: 1123, colorScheme: 'light', media: 'print'},
] as const;

const HOSTILE = '<script>document.title="owned"</script><img src="https://evil.example/x.png" onerror="document.title=1">';

function nightReport(texts = ENGLISH): string {
  const undecided = {decision: 'keep_running', previous_decision: 'keep_running', reasons: ['too_early'], effect_absolute: 0.004, effect_relative: 0.005} as const;
  const third = makeVerdict({variant: 'v3', ci_low: -0.003, ci_high: 0.011, cs_low: -0.008, cs_high: 0.016, ...undecided});
  const changes = [changeOf({version: 3, phase: 3, author: 'guard', reason: 'latency_p95 1,204 ms is above 1,000 ms over 60 s'}), changeOf()];
  const rows = [...nightRows(), third].map(row => ({...row, windows_around: changes.map(change => ({...change, windows: change.windows.map(one => ({...one, variant: one.variant === 'v1' ? 'v1' : row.variant}))}))}));
  return renderHtml(reportOf([...rows, emptyRow({experiment: 'new-prompt'})], {publicUrl: 'https://assay.example.com', texts}), texts);
}

describeInBrowser('the HTML report in Chromium', () => {
  let browser: OpenBrowser;
  let page: Page;
  const complaints: string[] = [];
  const requests: string[] = [];

  beforeAll(async () => {
    mkdirSync(SHOTS, {recursive: true});
    browser = await openBrowser();
    page = await browser.context.newPage();
    page.on('console', message => complaints.push(message.text()));
    page.on('pageerror', error => complaints.push(error.message));
    page.on('request', request => requests.push(request.url()));
  });

  afterAll(async () => {
    await browser.close();
  });

  async function open(html: string, name: string): Promise<void> {
    complaints.length = 0;
    requests.length = 0;
    const file = join(SHOTS, `${name}.html`);
    writeFileSync(file, html);
    await page.goto(pathToFileURL(file).href);
  }

  test.each(VIEWS)('$name: decision without scrolling, boxes drawn, nothing fetched, nothing complained', async view => {
    await page.setViewportSize({width: view.width, height: view.height});
    await page.emulateMedia({colorScheme: view.colorScheme, media: view.media});
    await open(nightReport(), 'night');
    await page.screenshot({path: join(SHOTS, `${view.name}.png`), fullPage: true});

    expect(complaints).toEqual([]);
    expect(requests).toEqual([pathToFileURL(join(SHOTS, 'night.html')).href]);
    expect(await page.title()).toContain('Roll back v2');
    const first = await page.locator('h1').boundingBox();
    expect((first?.y ?? 1e9) + (first?.height ?? 1e9)).toBeLessThan(view.height);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(view.width);
    const widths = await page.locator('svg.box-plot rect.box').evaluateAll(boxes => boxes.map(box => box.getBoundingClientRect().width));
    expect(widths).toHaveLength(5);
    expect(widths.every(width => width > 0)).toBe(true);
    expect(await page.locator('svg[role=img] > title').count()).toBe(await page.locator('svg').count());
  });

  test('Chinese on a phone, and a report without any data', async () => {
    await page.setViewportSize({width: 360, height: 740});
    await page.emulateMedia({colorScheme: 'light', media: 'screen'});
    await open(nightReport(CHINESE), 'chinese');
    await page.screenshot({path: join(SHOTS, 'chinese.png'), fullPage: true});
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(360);
    expect(await page.locator('h1').textContent()).toContain('回滚 v2');
    await open(renderHtml(reportOf([emptyRow()])), 'empty');
    await page.screenshot({path: join(SHOTS, 'empty.png')});
    expect(await page.locator('body').textContent()).not.toContain('Healthy');
  });

  test('text keeps a contrast of 4.5 in light and dark', async () => {
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({colorScheme, media: 'screen'});
      await open(nightReport(), 'night');
      const lowest = await page.evaluate(CONTRAST);
      expect(lowest, colorScheme).toBeGreaterThanOrEqual(4.5);
    }
  });

  test('folded evidence is unfolded on paper', async () => {
    await page.setViewportSize({width: 794, height: 1123});
    await page.emulateMedia({media: 'print'});
    await open(nightReport(), 'night');
    const heights = await page.locator('details').evaluateAll(all => all.map(one => one.getBoundingClientRect().height));
    expect(heights.length).toBeGreaterThan(0);
    expect(Math.min(...heights)).toBeGreaterThan(40);
  });

  test('a name that is markup stays a name', async () => {
    await page.emulateMedia({media: 'screen'});
    const rows = nightRows().map(row => ({...row, experiment: HOSTILE, variant: HOSTILE, metric: `${row.metric}${HOSTILE}`, sql: `</pre>${HOSTILE}`}));
    await open(renderHtml(reportOf(rows)), 'hostile');
    expect(requests).toHaveLength(1);
    expect(complaints).toEqual([]);
    expect(await page.locator('script, img, iframe, object').count()).toBe(0);
    expect(await page.title()).toContain('Roll back <script>');
  });
});

/** The lowest contrast of any element's own text against the nearest painted background (WCAG 2). */
const CONTRAST = `(() => {
  const parse = c => (c.match(/[0-9.]+/g) || []).map(Number);
  const lum = ([r, g, b]) => [r, g, b].map(v => { v /= 255; return v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; }).reduce((s, v, i) => s + v * [.2126, .7152, .0722][i], 0);
  const backOf = e => { for (let n = e; n; n = n.parentElement) { const c = parse(getComputedStyle(n).backgroundColor); if (c.length === 3 || c[3] > 0) return c; } return [255, 255, 255]; };
  let lowest = 21;
  for (const e of document.body.querySelectorAll('*:not(svg *)')) {
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())) continue;
    const [a, b] = [lum(parse(getComputedStyle(e).color)), lum(backOf(e))];
    lowest = Math.min(lowest, (Math.max(a, b) + .05) / (Math.min(a, b) + .05));
  }
  return lowest;
})()`;
