/**
 * The job of `peer.mjs` by Assay and by other systems, one after the other in
 * interleaved rounds, so that each figure stands beside its yardstick of the same
 * minutes. KIT is the folder with the job's `run.sh`, which starts a peer, measures
 * its process and compares its results with an oracle.
 *
 *     node bench/windows/rounds.mjs KIT ROUNDS PEER…
 *
 * `assay@360` is Assay with windows of 360 slides, `assay` with the kit's own size.
 */
import {spawn} from 'node:child_process';
import {join} from 'node:path';
import {report, round} from '../lib/harness.mjs';

const [kit, rounds = '3', ...peers] = process.argv.slice(2);
if (kit === undefined || peers.length === 0) {
  console.error('usage: node bench/windows/rounds.mjs KIT ROUNDS PEER…, for example: assay java-panes node-poll');
  process.exit(2);
}
const EVENTS = Number(process.env.N ?? 3_000_000);
const SLIDE_MS = Number(process.env.SLIDE_MS ?? 10_000);

const runs = new Map(peers.map(peer => [peer, []]));
for (let turn = 0; turn < Number(rounds); turn += 1) {
  for (const peer of peers) runs.get(peer).push(await run(peer));
}
const [first] = peers;
const cpuOf = peer => median(runs.get(peer).map(({us_cpu_per_event}) => us_cpu_per_event));
const rateOf = peer => median(runs.get(peer).map(({events_per_s}) => events_per_s));
const rows = peers.map(peer => ({
  peer,
  us_cpu_per_event: cpuOf(peer),
  against_first: round(cpuOf(peer) / cpuOf(first)),
  events_per_s: rateOf(peer),
  rate_of_first: round(rateOf(first) / rateOf(peer)),
  rss_mb: Math.max(...runs.get(peer).map(({rss_mb}) => rss_mb)),
  others_share: round(median(runs.get(peer).map(({other_cpu_s, wall_s}) => other_cpu_s / wall_s))),
  correct: runs.get(peer).every(({correct}) => correct === true) ? true : runs.get(peer).some(({correct}) => correct === false) ? false : null,
}));
report('windows', rows, {events: EVENTS, rounds: Number(rounds), runs: Object.fromEntries(runs)});

function run(peer) {
  const [name, ratio] = peer.split('@');
  const env = {
    ...process.env,
    PEER_CMD: 'npm run -s peer',
    ...(ratio === undefined ? {} : {SLIDE_MS: String(SLIDE_MS), SIZE_MS: String(SLIDE_MS * Number(ratio))}),
  };
  return new Promise((resolve, reject) => {
    const child = spawn(join(kit, 'run.sh'), [name, String(EVENTS)], {env, stdio: ['ignore', 'pipe', 'inherit']});
    let out = '';
    child.stdout.on('data', chunk => {
      out += chunk;
    });
    child.on('error', reject);
    child.on('close', () => {
      const line = out.trim().split('\n').at(-1) ?? '';
      const result = line.startsWith('{') ? JSON.parse(line) : {};
      if (typeof result.us_cpu_per_event === 'number') resolve(result);
      else reject(new Error(`${peer} gave no figures: ${result.note ?? out}`));
    });
  });
}

function median(values) {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
}
