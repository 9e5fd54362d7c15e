/**
 * Assignments per second on one core: `node bench/assign.mjs`, after a build.
 *
 * Prints one JSON line: the median and best of rounds, in CPU time, so that
 * neighbours on the machine slow nothing down but the wall clock.
 */
import {assign, assignVariant} from '../dist/assign/assign.js';
import {deriveSlots} from '../dist/assign/slots.js';

const ROUNDS = 30;
const UNITS = 50_000;

const variants = [{key: 'v1', weight: 60}, {key: 'v2', weight: 30}, {key: 'v3', weight: 10}];
const slots = deriveSlots(variants, 1);
const version = {
  version: 1,
  phase: 1,
  slots,
  definition: {
    variants, control: 'v1', fallback: 'v1', lifecycle: 'running', salt: 'answer-model', layer: null,
    targeting: {region: ['eu', 'us']}, overrides: [{kind: 'header', name: 'x-assay-variant'}], sampleRate: 1,
  },
};

const UNIT_IDS = {
  numeric: Array.from({length: UNITS}, (_, index) => `${index * 7919}`),
  user: Array.from({length: UNITS}, (_, index) => `user-${index * 7919}`),
  uuid: Array.from({length: UNITS}, (_, index) => `0190b0f6-7c1e-7c3a-8f00-${index.toString(16).padStart(12, '0')}`),
};

const WORK = {
  assignVariant: unitId => assignVariant({salt: 'answer-model', unitId, slots, variants}),
  assign: unitId => assign(version, {unitId, attributes: {region: 'eu'}, headers: {}}).variant,
};

for (const [work, act] of Object.entries(WORK)) {
  for (const [ids, units] of Object.entries(UNIT_IDS)) {
    const microseconds = Array.from({length: ROUNDS}, () => {
      const before = process.cpuUsage();
      let served = 0;
      for (const unitId of units) served += act(unitId) === undefined ? 0 : 1;
      if (served !== units.length) throw new Error('a unit got no variant');
      return process.cpuUsage(before).user / units.length;
    }).sort((a, b) => a - b);
    const [best = 0, median = 0] = [microseconds[0], microseconds[ROUNDS / 2]];
    console.log(JSON.stringify({work, ids, median_us: round(median), best_us: round(best), per_second: Math.round(1e6 / median)}));
  }
}

function round(value) {
  return Math.round(value * 1_000) / 1_000;
}
