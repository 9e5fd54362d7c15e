/** The bundle in Chromium: offline events survive a reload and arrive once; a page that goes away sends a beacon. */
import {readFileSync} from 'node:fs';
import {createServer, type Server} from 'node:http';
import type {AddressInfo} from 'node:net';
import {resolve} from 'node:path';
import {afterAll, beforeAll, expect, test} from 'vitest';
import {makeSdkConfig} from '../../src/experiment/make-sdk-config.ts';
import {ExperimentRegistry} from '../../src/experiment/registry.ts';
import {parseDefinitionText, requireDefinition} from '../../src/experiment/definition.ts';
import {SILENT_LOGGER} from '../../src/core/telemetry.ts';
import {LIVE_STREAM} from '../../src/core/streams.ts';
import {MemoryEventLog} from '../../src/log/memory/memory-event-log.ts';
import {SYSTEM_CLOCK} from '../../src/roles/system.ts';
import {assign} from '../../src/assign/assign.ts';
import {currentOf} from '../../src/experiment/state.ts';
import {describeInBrowser, openBrowser} from '../helpers/browser.ts';

const BUNDLE = resolve(import.meta.dirname, '../../dist/sdk/browser.min.js');
const PAGE = `<!doctype html><title>t</title><script type="module">
import {BrowserTracker} from '/sdk.js';
window.tracker = new BrowserTracker({unitId: 'unit-7', batchMs: 50});
await window.tracker.ready;
window.isReady = true;
</script>`;

type Received = {readonly type: string; readonly event_id: string; readonly unit_id: string; readonly variant?: string; readonly measures?: object};

describeInBrowser('the browser SDK', () => {
  const received: Received[] = [];
  let isDown = false;
  let server: Server;
  let registry: ExperimentRegistry;
  let url = '';

  beforeAll(async () => {
    const log = new MemoryEventLog({clock: SYSTEM_CLOCK, logger: SILENT_LOGGER});
    registry = await ExperimentRegistry.open({log, clock: SYSTEM_CLOCK, logger: SILENT_LOGGER});
    await registry.publish({stream: LIVE_STREAM, definition: requireDefinition(parseDefinitionText('experiment: e\nvariants: {a: 50, b: 50}\ncontrol: a\nlifecycle: running\n')), author: 'a', reason: 'r'});
    server = createServer((request, response) => {
      if (request.url === '/') return void response.writeHead(200, {'content-type': 'text/html'}).end(PAGE);
      if (request.url === '/sdk.js') return void response.writeHead(200, {'content-type': 'text/javascript'}).end(readFileSync(BUNDLE));
      if (request.url?.startsWith('/v1/config') === true) return void response.writeHead(200, {'content-type': 'application/json'}).end(JSON.stringify(makeSdkConfig(registry.snapshot(), LIVE_STREAM)));
      let body = '';
      request.on('data', chunk => {
        body += String(chunk);
      });
      request.on('end', () => {
        if (isDown) return void response.writeHead(503).end();
        for (const line of body.split('\n')) if (line !== '') received.push(JSON.parse(line) as Received);
        response.writeHead(202).end('{"accepted":1,"errors":[]}');
      });
    });
    await new Promise<void>(done => server.listen(0, '127.0.0.1', done));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  });
  afterAll(async () => {
    server.closeAllConnections();
    server.close();
    await registry.close();
  });

  const until = async (condition: () => boolean): Promise<void> => {
    for (let i = 0; i < 200 && !condition(); i += 1) await new Promise(done => setTimeout(done, 50));
    expect(condition()).toBe(true);
  };

  test('assigns as the server does, keeps events over a reload while the server is away, and sends a beacon at the end; an unanswered beacon loses nothing', async () => {
    const browser = await openBrowser();
    try {
      const page = await browser.context.newPage();
      const ready = () => page.waitForFunction('window.isReady === true');
      isDown = true;
      await page.goto(url);
      await ready();
      const variant = await page.evaluate('tracker.expose("e").variant');
      const version = currentOf(registry.snapshot(), LIVE_STREAM, 'e');
      expect(variant).toBe(version === undefined ? '' : assign(version, {unitId: 'unit-7'}).variant);
      await page.evaluate('tracker.expose("e"); tracker.outcome({measures: {score: 1}})');
      await page.reload();
      await ready();
      expect(await page.evaluate('tracker.counts().queued')).toBe(2);
      isDown = false;
      await page.evaluate('tracker.flush()');
      await until(() => received.length === 2);
      expect(received.map(({type, unit_id, variant: met}) => [type, unit_id, met])).toEqual([['exposure', 'unit-7', variant], ['outcome', 'unit-7', undefined]]);
      await page.evaluate('tracker.outcome({measures: {score: 2}})');
      await page.goto('about:blank');
      // A beacon may repeat what was under way: the id tells.
      const byId = (): Map<string, Received> => new Map(received.map(event => [event.event_id, event]));
      await until(() => byId().size === 3);
      expect([...byId().values()][2]?.measures).toEqual({score: 2});
    } finally {
      await browser.close();
    }
  }, 60_000);
});
