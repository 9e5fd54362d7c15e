/**
 * What a call of the SDK costs its caller, whatever the log does: `node bench/sdk.mjs`, after a build.
 *
 * Each scenario makes REQUESTS calls of expose() and of outcome() in bursts of PER_TICK,
 * and prints one JSON line: microseconds per call (wall clock, so a neighbour on the
 * machine shows) and what became of the events.
 */
import {mkdtempSync, rmSync} from 'node:fs';
import {createServer} from 'node:http';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {deriveSlots} from '../dist/assign/slots.js';
import {openTracker} from '../dist/roles/sdk.js';

const REQUESTS = 10_000;
const PER_TICK = 20;
const TICK_MS = 10;

const variants = [{key: 'v1', weight: 60}, {key: 'v2', weight: 30}, {key: 'v3', weight: 10}];
const runs = [...deriveSlots(variants, 1)].reduce((all, owner) => {
  if (all.at(-2) === owner) all[all.length - 1] += 1;
  else all.push(owner, 1);
  return all;
}, []);
const CONFIG = {
  revision: 'r',
  experiments: [{
    experiment: 'e', version: 1, phase: 1, slots: runs, layer_slots: [],
    definition: {variants, control: 'v1', fallback: 'v1', lifecycle: 'running', salt: 'e', layer: null, targeting: {}, overrides: [], sampleRate: 1},
  }],
};

/** A server that takes events as told: at once, after a while, never, or refuses the connection. */
async function openSink(mode) {
  const server = createServer((request, response) => {
    if (request.url.startsWith('/v1/config')) return void response.writeHead(200, {'content-type': 'application/json'}).end(JSON.stringify(CONFIG));
    request.resume().on('end', () => {
      if (mode === 'up') response.writeHead(202).end('{"accepted":1,"errors":[]}');
      if (mode === 'slow') setTimeout(() => response.writeHead(202).end('{"accepted":1,"errors":[]}'), 1_000);
      if (mode === 'stopped') request.socket.destroy();
    });
  });
  await new Promise(done => server.listen(0, '127.0.0.1', done));
  return {url: `http://127.0.0.1:${server.address().port}`, close: () => server.closeAllConnections() ?? server.close()};
}

for (const mode of ['up', 'slow', 'hanging', 'stopped']) {
  for (const hasSpool of [false, true]) {
    const sink = await openSink(mode);
    const directory = mkdtempSync(join(tmpdir(), 'assay-bench-sdk-'));
    const tracker = openTracker({http: {url: sink.url}, ...(hasSpool ? {spool: directory} : {})});
    await tracker.ready();
    const costs = new Float64Array(REQUESTS * 2);
    for (let i = 0; i < REQUESTS; ) {
      for (const end = i + PER_TICK; i < end; i += 1) {
        const unitId = `user-${(i * 7919) % 100_003}`;
        const a = performance.now();
        tracker.expose('e', {unitId});
        const b = performance.now();
        tracker.outcome({unitId, measures: {latency_ms: 120, cost_usd: 0.002}, attributes: {model: 'm'}});
        const c = performance.now();
        costs[2 * i] = (b - a) * 1_000;
        costs[2 * i + 1] = (c - b) * 1_000;
      }
      await sleep(TICK_MS);
    }
    const warm = costs.slice(4_000).sort();
    const at = share => Math.round(warm[Math.floor(warm.length * share)] * 10) / 10;
    const {offered, sent, dropped, spooled, queued, sampledOut} = tracker.counts();
    console.log(JSON.stringify({mode, spool: hasSpool, p50_us: at(0.5), p99_us: at(0.99), p999_us: at(0.999), max_us: at(0.999_999), offered, sent, dropped, spooled, queued, sampledOut}));
    await tracker.close(0);
    sink.close();
    rmSync(directory, {recursive: true, force: true});
  }
}
process.exit(0);
