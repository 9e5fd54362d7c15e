import {existsSync, mkdirSync, readFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {tmpdir} from 'node:os';
import {join, resolve} from 'node:path';
import type {Page} from 'playwright-core';
import {afterAll, afterEach, beforeAll, beforeEach, describe, expect, test} from 'vitest';
import {currentOf} from '../../src/experiment/state.ts';
import {describeInBrowser, type OpenBrowser, openBrowser} from '../helpers/browser.ts';
import {makeAccess} from '../web/test-server.ts';
import {type DashboardServer, EXPERIMENTS, HOSTILE, HOSTILE_NAME, openDashboard} from './dashboard-server.ts';

/** Screenshots stay here to be looked at. */
const SHOTS = join(tmpdir(), 'assay-dashboard-shots');
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const isBuilt = existsSync(resolve(import.meta.dirname, '../../dist/browser/dashboard/main.js'));
if (!isBuilt && process.env['CI'] === 'true') throw new Error('CI needs the dashboard: npm run build');

const PAGES = ['/', '/experiments/experiment-000', '/experiments/experiment-150', '/alerts', '/guards', '/deliveries', '/pipeline', '/audit'] as const;

/** A busy machine takes its time to look at a whole page. */
const PAGE_TEST_MS_MAX = 120_000;

const inBrowser: typeof describeInBrowser = (name, body) => (isBuilt ? describeInBrowser(name, body) : describe.skip(`${name} (skipped: dist/ is not built: npm run build)`, body));

inBrowser('the dashboard in Chromium', () => {
  let server: DashboardServer;
  let browser: OpenBrowser;
  let page: Page;
  const complaints: string[] = [];
  const foreign: string[] = [];

  beforeAll(async () => {
    mkdirSync(SHOTS, {recursive: true});
    server = await openDashboard();
    browser = await openBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });
  beforeEach(async () => {
    complaints.length = 0;
    foreign.length = 0;
    page = await openPage(server.url);
  });
  afterEach(async () => {
    await page.close();
  });

  async function openPage(origin: string): Promise<Page> {
    const opened = await browser.context.newPage();
    opened.setDefaultTimeout(20_000);
    opened.on('console', message => complaints.push(`${message.type()}: ${message.text()}`));
    opened.on('pageerror', error => complaints.push(error.message));
    opened.on('dialog', dialog => void dialog.dismiss().then(() => complaints.push('a dialog opened')));
    opened.on('request', request => {
      if (!request.url().startsWith(origin)) foreign.push(request.url());
    });
    return opened;
  }

  const show = async (path: string): Promise<void> => {
    await page.goto(`${server.url}${path}`);
    await page.locator('h1').waitFor();
    await expect.poll(() => page.getByText('Loading…').count(), {timeout: 10_000}).toBe(0);
  };

  async function axe(): Promise<string[]> {
    // Through the protocol, so the page's own policy stays as it is.
    await page.evaluate(AXE);
    const found = (await page.evaluate('axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]})')) as {violations: {id: string; nodes: {html: string}[]}[]};
    return found.violations.map(({id, nodes}) => `${id}: ${nodes.map(({html}) => html.slice(0, 120)).join(' | ')}`);
  }

  test.each(PAGES)('%s: nothing to complain about, nothing fetched from elsewhere, accessible in light and dark, fits a phone', async path => {
    for (const view of [{name: 'light', width: 1280}, {name: 'dark', width: 1280}, {name: 'light', width: 380}] as const) {
      await page.setViewportSize({width: view.width, height: 900});
      await page.emulateMedia({colorScheme: view.name});
      await show(path);
      // Ten rows say as much as two hundred; how all of them are listed is another test.
      if (path === '/') await page.getByLabel('Find by name or owner').fill('experiment-00');
      for (const summary of await page.locator('summary').all()) await summary.click();
      await page.screenshot({path: join(SHOTS, `${path.replaceAll('/', '_')}-${view.name}-${view.width}.png`), fullPage: true});
      if (view.width === 1280) expect(await axe(), view.name).toEqual([]);
      const wide = await page.evaluate(`[...document.querySelectorAll('main *')].filter(e => !e.closest('.scroll, svg, pre') && e.getBoundingClientRect().right > innerWidth + 1).slice(0, 3).map(e => e.outerHTML.slice(0, 150))`);
      expect(await page.evaluate('document.documentElement.scrollWidth'), `${view.width}: ${JSON.stringify(wide)}`).toBeLessThanOrEqual(view.width);
    }
    expect(complaints).toEqual([]);
    expect(foreign).toEqual([]);
    expect(await page.title()).not.toMatch(/owned|^1$/);
    expect(await page.locator('#app script, #app iframe, #app object, #app [onerror], #app [onload], #app a[href^=javascript]').count()).toBe(0);
    expect(await page.locator('img').count()).toBe(1);
  }, PAGE_TEST_MS_MAX);

  test('a page without its policy would be caught: the same checks see a planted script and a picture from elsewhere', async () => {
    await show('/');
    await page.evaluate(`document.getElementById('app').insertAdjacentElement('beforeend', Object.assign(document.createElement('img'), {src: 'https://evil.example/x.png'}))`);
    await expect.poll(() => complaints.length).toBeGreaterThan(0);
    expect(complaints.join(' ')).toMatch(/Content Security Policy/);
    await page.evaluate(`document.querySelector('nav').setAttribute('role', 'img')`);
    expect(await axe()).not.toEqual([]);
  });

  test('a guard is tried on the last week, and the pipeline says what the audit checked', async () => {
    await show('/guards');
    await page.getByRole('button', {name: 'Try on the last week: experiment-000 latency_p95'}).click();
    await page.getByText('would have fired 3 times').waitFor();
    expect(await page.locator('tbody tr').first().locator('li').count()).toBe(3);
    expect(await page.locator('tbody tr').first().locator('li').first().innerText()).toContain('12,034 outcomes prevented');
    expect(await axe()).toEqual([]);
    await page.screenshot({path: join(SHOTS, '_guards-backtest.png')});
    await show('/pipeline');
    expect(await page.locator('dl.tiles').innerText()).toMatch(/Slices recomputed by the audit\s+200 checked, 0 differ/);
    expect(complaints).toEqual([]);
  });

  test('the list shows every experiment, the most urgent first, and finds by name, lifecycle and decision', async () => {
    await show('/');
    expect(await page.locator('tbody tr').count()).toBe(EXPERIMENTS);
    expect(await page.locator('tbody tr').first().innerText()).toMatch(/experiment-000[\s\S]*Roll back[\s\S]*12,345 units/);
    await page.getByLabel('Find by name or owner').fill('experiment-15');
    expect(await page.locator('tbody tr').count()).toBe(10);
    await page.getByLabel('Find by name or owner').fill('');
    await page.getByLabel('Lifecycle').selectOption('running');
    expect(await page.locator('tbody tr').count()).toBe(3);
    await page.getByLabel('Decision').selectOption('ship');
    expect(await page.locator('tbody tr').count()).toBe(1);
    await page.getByLabel('Find by name or owner').fill('nothing like it');
    await page.getByText('No experiment matches.').waitFor();
  });

  test('an experiment says the verdict and why, health above numbers, data through, live windows, the effect over time and the SQL', async () => {
    await show('/');
    await page.getByRole('link', {name: 'experiment-000'}).click();
    await page.getByRole('heading', {level: 1, name: 'experiment-000'}).waitFor();
    await page.locator('.verdict .lead').waitFor();
    const text = await page.locator('main').innerText();
    expect(text).toContain('Data through 2026-11-21 07:59:58 UTC');
    expect(text.indexOf('Health checks')).toBeLessThan(text.indexOf('Always-valid'));
    expect(await page.locator('.verdict .badge').first().innerText()).toBe('Roll back');
    expect(text).toContain(HOSTILE_NAME);
    expect(text).not.toContain('\u202e');
    expect(await page.locator('svg.bar').count()).toBe(3);
    const calibration = page.locator('ul[aria-labelledby=calibration] li');
    expect(await calibration.allInnerTexts()).toEqual([expect.stringMatching(/^FAIL .+: 30\.5 % false positives at alpha 5 %/), expect.stringContaining('not computable'), expect.stringContaining('not computable')]);
    expect(text.indexOf('Always-valid')).toBeLessThan(text.indexOf('Self-calibration'));
    await page.locator('.chart canvas').nth(1).waitFor();
    await page.getByText('live', {exact: true}).waitFor();
    // The figures of what decides are there at once, the others on request.
    expect(await page.locator('svg.box-plot:visible rect.box').count()).toBe(2);
    await page.locator('details summary', {hasText: 'latency_p95'}).click();
    expect(await page.locator('svg.box-plot:visible rect.box').count()).toBe(4);
    expect(await page.locator('svg.interval:visible').count()).toBe(2);
    expect(await page.locator('pre:visible').first().innerText()).toContain('SELECT');
    await page.locator('section[aria-labelledby=trend] summary').click();
    expect(await page.locator('section[aria-labelledby=trend] details table').first().locator('tbody tr').count()).toBe(50);
    expect(complaints).toEqual([]);
  });

  test('beside control: what is worse is said in words, the window is chosen by keyboard, and all of it in Chinese', async () => {
    await show('/experiments/experiment-000');
    const part = page.getByRole('region', {name: 'Beside control'});
    const table = part.getByRole('table', {name: /Each metric of each treatment/});
    await table.waitFor();
    expect(await table.locator('tbody tr').first().innerText()).toMatch(/worse[\s\S]*1 %[\s\S]*5 %[\s\S]*\+4 pp[\s\S]*\+400 %[\s\S]*\+0\.05 pp[\s\S]*12,000 \/ 11,000/);
    expect(await table.locator('tbody tr').nth(1).innerText()).toMatch(/too few[\s\S]*–/);
    expect(await part.getByRole('table', {name: /Health score/}).locator('tbody tr').nth(1).innerText()).toMatch(/0\.42[\s\S]*critical/);
    const asked = page.waitForRequest(/v1\/comparison/);
    await part.getByRole('combobox', {name: 'Window'}).focus();
    await page.keyboard.press('ArrowUp');
    expect((await asked).url()).toMatch(/window_s=300(&|$)/);
    await expect.poll(() => part.locator('time').count()).toBe(2);
    expect(await axe()).toEqual([]);
    await part.screenshot({path: join(SHOTS, '_comparison-en.png')});
    await page.getByLabel('Language').selectOption('zh');
    const chinese = page.getByRole('region', {name: '与对照组并列'});
    await chinese.getByText('变差', {exact: true}).waitFor();
    expect(await chinese.getByRole('table', {name: /健康分/}).innerText()).toContain('严重');
    expect(await axe()).toEqual([]);
    await chinese.screenshot({path: join(SHOTS, '_comparison-zh.png')});
    await page.evaluate('localStorage.clear()');
    expect(complaints).toEqual([]);
  });

  test('weights are changed by keyboard, with a reason, from the version that was seen; a faster colleague is not overwritten', async () => {
    await show('/experiments/experiment-001');
    await page.getByRole('button', {name: 'Change weights'}).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('spinbutton').first().fill('80');
    await page.getByRole('spinbutton').nth(1).fill('20');
    await page.getByLabel('Why? It is kept with the version.').fill(`fewer ${HOSTILE}`);
    await page.getByRole('button', {name: 'Confirm'}).press('Enter');
    await page.getByText('Done: it is version 3 now.').waitFor();
    const version = currentOf(server.registry.snapshot(), 'live', 'experiment-001');
    expect(version).toMatchObject({version: 3, author: 'local', reason: `fewer ${HOSTILE}`});
    expect(version?.definition.variants.map(({weight}) => weight)).toEqual([80, 20]);

    await page.getByRole('button', {name: 'Pause'}).click();
    await page.getByLabel('Why? It is kept with the version.').fill('it hurts');
    await server.registry.publish({stream: 'live', definition: {...(version ?? fail()).definition, owner: 'somebody else'}, author: 'colleague', reason: 'faster'});
    await page.getByRole('button', {name: 'Confirm'}).click();
    await page.getByRole('alert').waitFor();
    expect(await page.getByRole('alert').innerText()).toMatch(/version 4/);
    await page.keyboard.press('Escape');
    await page.locator('dialog').waitFor({state: 'detached'});
    expect(currentOf(server.registry.snapshot(), 'live', 'experiment-001')?.definition.lifecycle).toBe('running');
  });

  test('pausing, resuming and concluding show at once', async () => {
    await show('/experiments/experiment-002');
    for (const [button, state] of [['Pause', 'paused'], ['Resume', 'running'], ['Conclude', 'concluded']] as const) {
      await page.getByRole('button', {name: button}).click();
      await page.getByLabel('Why? It is kept with the version.').fill('trying');
      await page.getByRole('button', {name: 'Confirm'}).click();
      await page.locator('.facts .badge', {hasText: state}).waitFor();
    }
  });

  test('a delivery is asked for again, and its log shows what was sent', async () => {
    await show('/deliveries');
    await page.getByRole('button', {name: /^Deliver again/}).click();
    await page.getByText('It is due again.').waitFor();
    expect(server.redelivered).toEqual(['msg_1']);
    await page.getByRole('button', {name: /^Log/}).click();
    await page.locator('summary', {hasText: 'Body'}).click();
    expect(await page.locator('pre').innerText()).toBe(HOSTILE.replaceAll('\u202e', '\ufffd'));
  });

  test('the first Tab skips to the content; the address, the title and the focus follow the page; Back goes back', async () => {
    await show('/');
    await page.keyboard.press('Tab');
    expect(await page.evaluate('document.activeElement.className')).toBe('skip');
    await page.getByRole('link', {name: 'Pipeline'}).click();
    await page.getByRole('heading', {level: 1, name: 'Pipeline'}).waitFor();
    expect(await page.title()).toBe('Pipeline · Assay');
    expect(await page.evaluate('document.activeElement.id')).toBe('content');
    expect(await page.locator('nav a[aria-current=page]').innerText()).toBe('Pipeline');
    await page.goBack();
    await page.getByRole('heading', {level: 1, name: 'Experiments'}).waitFor();
  });

  test('Chinese and the dark theme stay chosen', async () => {
    await show('/');
    await page.getByLabel('Language').selectOption('zh');
    await page.getByRole('heading', {level: 1, name: '实验'}).waitFor();
    await page.getByLabel('主题').selectOption('dark');
    await page.reload();
    await page.getByRole('heading', {level: 1, name: '实验'}).waitFor();
    expect(await page.evaluate('[document.documentElement.lang, document.documentElement.dataset.theme]')).toEqual(['zh-CN', 'dark']);
    await page.evaluate('localStorage.clear()');
  });

  test('with keys the page asks for one; a viewer reads and has no buttons to change; signing out ends it', async () => {
    const access = makeAccess();
    const locked = await openDashboard(access);
    const visitor = await openPage(locked.url);
    await visitor.goto(`${locked.url}/experiments/experiment-000`);
    await visitor.getByLabel('API key').fill('assay_wrong');
    await visitor.getByRole('button', {name: 'Sign in'}).click();
    await visitor.getByText('the key is wrong, revoked or expired').waitFor();
    await visitor.getByLabel('API key').fill(access.keys.viewer);
    await visitor.getByRole('button', {name: 'Sign in'}).click();
    await visitor.locator('.verdict').waitFor();
    expect(await visitor.getByRole('button', {name: 'Pause'}).count()).toBe(0);
    expect(await visitor.getByRole('link', {name: 'Audit log'}).count()).toBe(0);
    expect(await visitor.evaluate('document.cookie + JSON.stringify({...localStorage, ...sessionStorage})')).not.toMatch(/assay_session|assay_[a-z0-9]{8}_/);
    await visitor.getByRole('button', {name: 'Sign out'}).click();
    await visitor.getByLabel('API key').waitFor();
    await visitor.close();
    await locked.close();
  });
});

function fail(): never {
  throw new Error('the experiment is there');
}
