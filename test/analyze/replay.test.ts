import {describe, expect, test} from 'vitest';
import {analyzeExperiment} from '../../src/analyze/analyze-experiment.ts';
import {differencesOf} from '../../src/analyze/compare-evidence.ts';
import {DISTINCT_VALUES_MAX} from '../../src/analyze/load-inputs.ts';
import {type ReplayRequest, replayVerdict} from '../../src/analyze/replay.ts';
import type {Clock} from '../../src/core/clock.ts';
import type {ExperimentView} from '../../src/core/experiment.ts';
import {type EpochMs, epochMs} from '../../src/core/units.ts';
import type {Verdict} from '../../src/core/verdict.ts';
import type {AnalysisScope, LedgerPartition} from '../../src/warehouse/warehouse.ts';
import {AUDITED, CUT, makeExposures, makeGroups, makeMetric, makePairs, makeTotals, makeView, START, VERSIONS} from './fixtures.ts';

type Fact = {variant: string; item: string; value: number; arrivalTs: EpochMs};

/** Facts in a list and the questions analysis asks about them; nothing is stored but verdicts. */
class FactList {
  readonly facts: Fact[] = [];
  readonly verdicts: Verdict[] = [];
  readonly asked: string[] = [];
  forgotten = 0;

  async newestPhase({cut}: {cut: EpochMs}) {
    return this.facts.some(fact => fact.arrivalTs <= cut) ? 1 : null;
  }
  async exposureCounts(scope: AnalysisScope) {
    return makeExposures({a: this.#arm(scope, 'a').length, b: this.#arm(scope, 'b').length});
  }
  async armTotals(scope: AnalysisScope) {
    return ['a', 'b'].map(key => makeTotals(key, this.#arm(scope, key).map(fact => [fact.value])));
  }
  async prepare() {}
  async release() {}
  async relabelledArms() {
    return [];
  }
  async valueGroups(scope: AnalysisScope, _metric: unknown, {per}: {per: string}) {
    this.asked.push(per);
    return makeGroups({a: this.#arm(scope, 'a').map(fact => fact.value), b: this.#arm(scope, 'b').map(fact => fact.value)});
  }
  async weightedSums() {
    return [];
  }
  async pairGroups(scope: AnalysisScope) {
    const items = (key: string) => new Map(this.#arm(scope, key).map(fact => [fact.item, fact.value]));
    return makePairs(items('a'), items('b'));
  }
  async offsetsUnder(_stream: string, cut: EpochMs) {
    return [{log_epoch: 1, partition: 0, from: '0', to: String(this.facts.filter(fact => fact.arrivalTs <= cut).length)}];
  }
  async measuresSeen() {
    return ['score'];
  }
  explainSql(scope: AnalysisScope) {
    return `SELECT … WHERE arrival_ts <= ${scope.cut}`;
  }
  async verdict(id: string) {
    return this.verdicts.find(verdict => verdict.verdict_id === id) ?? null;
  }
  async latestVerdicts() {
    return this.verdicts.slice(-1);
  }
  async ledger(): Promise<LedgerPartition[]> {
    return [{forgotten: this.forgotten} as LedgerPartition];
  }

  #arm(scope: AnalysisScope, key: string): Fact[] {
    return this.facts.filter(fact => fact.variant === key && fact.arrivalTs <= scope.cut);
  }
}

const CLOCK: Clock = {now: () => epochMs(CUT + 5_000), sleep: async () => undefined};

async function makeStored(view: ExperimentView = makeView({design: 'paired'})) {
  const warehouse = new FactList();
  for (let i = 0; i < 12; i++) {
    warehouse.facts.push({variant: 'a', item: `q${i}`, value: i / 10, arrivalTs: START});
    warehouse.facts.push({variant: 'b', item: `q${i}`, value: i / 10 + (i % 3) / 100, arrivalTs: START});
  }
  const rows = await analyzeExperiment({warehouse, clock: CLOCK, versions: VERSIONS, stream: 'live', view, cut: CUT, audit: AUDITED});
  warehouse.verdicts.push(...(JSON.parse(JSON.stringify(rows)) as Verdict[]));
  const stored = warehouse.verdicts[0] as Verdict;
  const request: ReplayRequest = {
    warehouse,
    clock: {...CLOCK, now: () => epochMs(CUT + 99_000)},
    versions: VERSIONS,
    verdictId: stored.verdict_id,
    viewOf: async ({version}) => (version === view.version ? view : null),
  };
  return {warehouse, stored, request, view};
}

describe('analysis over the port', () => {
  test('takes the newest phase with data, the previous decision, and asks for values once when units have one outcome', async () => {
    const {warehouse, stored, view} = await makeStored();
    expect(stored).toMatchObject({phase: 1, previous_decision: null, pairs: 12, created_at: new Date(CUT + 5_000).toISOString()});
    expect(warehouse.asked).toEqual(['outcome']);
    const [next] = await analyzeExperiment({warehouse, clock: CLOCK, versions: VERSIONS, stream: 'live', view, cut: CUT});
    expect(next).toMatchObject({previous_decision: 'keep_running', health: {ledger: {status: 'not-checked'}}});
  });

  test('without any data every row says no_data', async () => {
    const [row] = await analyzeExperiment({
      warehouse: new FactList(), clock: CLOCK, versions: VERSIONS, stream: 'live', view: makeView(), cut: CUT,
    });
    expect(row).toMatchObject({decision: 'no_data', phase: 1, reasons: expect.arrayContaining(['arm_empty_control', 'arm_empty_variant'])});
  });

  test('more distinct values than memory is meant for are refused with the reason', async () => {
    const warehouse = new FactList();
    const groups = {values: new Float64Array(DISTINCT_VALUES_MAX + 1), counts: {}};
    warehouse.valueGroups = async () => groups;
    const view = makeView({metrics: [makeMetric({aggregate: 'p95'})]});
    const [row] = await analyzeExperiment({warehouse, clock: CLOCK, versions: VERSIONS, stream: 'live', view, cut: CUT});
    expect(row?.tests[0]).toMatchObject({status: 'not-computable', reason: `too many distinct values: more than ${DISTINCT_VALUES_MAX}`});
  });
});

describe('replay', () => {
  test('gives the same bytes from the same facts, later and after more facts arrived', async () => {
    const {warehouse, stored, request} = await makeStored();
    warehouse.facts.push({variant: 'b', item: 'q0', value: 9, arrivalTs: epochMs(CUT + 1)});
    const result = await replayVerdict(request);
    expect(result).toMatchObject({identical: true, precision: 'bytes', differences: [], reason: null});
    expect(result.recomputed?.evidence_digest).toBe(stored.evidence_digest);
  });

  test('a winsorised mean gives the same bytes, and a value that was clamped away is named when it vanishes', async () => {
    const {warehouse, stored, request} = await makeStored(makeView({metrics: [makeMetric({winsorise: [0.1, 0.9]})]}));
    expect(stored.tests[0]?.details).toMatchObject({method: 'winsorised', lower: 0.1, upper: 0.9});
    expect(await replayVerdict(request)).toMatchObject({identical: true, precision: 'bytes', differences: [], reason: null});
    const largest = warehouse.facts.reduce((a, b) => (b.value > a.value ? b : a));
    warehouse.facts.splice(warehouse.facts.indexOf(largest), 1, {...largest, value: largest.value + 100});
    const altered = await replayVerdict(request);
    expect(altered).toMatchObject({identical: false, reason: 'events'});
    // The plain means stand beside the clamped ones, so what the bounds hide is seen all the same.
    expect(altered.differences.map(({path}) => path)).toEqual(expect.arrayContaining([expect.stringMatching(/^tests\[1\]/)]));
  });

  test('a phase that began since does not matter', async () => {
    const {request, view} = await makeStored();
    const [first] = view.phases;
    if (first === undefined) throw new Error('no phase');
    const later = epochMs(CUT + 1);
    const phases = [{...first, validTo: later}, {phase: 2, validFrom: later, validTo: null, weights: {a: 1, b: 9}}];
    expect(await replayVerdict({...request, viewOf: () => ({...view, phases})})).toMatchObject({identical: true});
  });

  test('an unknown verdict is not found', async () => {
    const {request} = await makeStored();
    await expect(replayVerdict({...request, verdictId: 'vd_nope'})).rejects.toMatchObject({code: 'ASSAY_NOT_FOUND'});
  });

  test('a fact that vanished: events, with counts and numbers named', async () => {
    const {warehouse, request} = await makeStored();
    warehouse.facts.pop();
    const result = await replayVerdict(request);
    expect(result).toMatchObject({identical: false, reason: 'events'});
    expect(result.differences).toContainEqual({path: 'pairs', stored: 12, recomputed: 11});
    expect(result.differences).toContainEqual({path: 'offsets[0].to', stored: '24', recomputed: '23'});
  });

  test('a changed value under the same counts is still the events', async () => {
    const {warehouse, request} = await makeStored();
    const fact = warehouse.facts[0];
    if (fact !== undefined) fact.value += 1e-9;
    expect(await replayVerdict(request)).toMatchObject({identical: false, reason: 'events'});
  });

  test('units forgotten since: unverifiable, not a mismatch of events', async () => {
    const {warehouse, request} = await makeStored();
    warehouse.facts.pop();
    warehouse.forgotten = 1;
    expect(await replayVerdict(request)).toMatchObject({identical: false, reason: 'forgotten'});
  });

  test('another definition under the same version: config', async () => {
    const {request} = await makeStored();
    const other = makeView({design: 'paired', metrics: [makeMetric({tolerance: 0.5})]});
    const result = await replayVerdict({...request, viewOf: () => other});
    expect(result).toMatchObject({identical: false, reason: 'config'});
    expect(result.differences.map(({path}) => path)).toContain('analysis.metric.tolerance');
    expect(result.differences.filter(({path}) => path === 'analysis.definition_digest')).toHaveLength(1);
  });

  test('other weights of the phase: config', async () => {
    const {request, view} = await makeStored();
    const phases = view.phases.map(span => ({...span, weights: {a: 10, b: 90}}));
    expect(await replayVerdict({...request, viewOf: () => ({...view, phases})})).toMatchObject({identical: false, reason: 'config'});
  });

  test('a version or a metric that is gone: config', async () => {
    const {request, view} = await makeStored();
    expect(await replayVerdict({...request, viewOf: () => null})).toMatchObject({
      identical: false, reason: 'config', recomputed: null, differences: [{path: 'config_version', stored: 3, recomputed: null}],
    });
    const without = {...view, definition: {...view.definition, metrics: []}};
    expect(await replayVerdict({...request, viewOf: () => without})).toMatchObject({identical: false, reason: 'config', recomputed: null});
  });

  test('other versions compare to 12 digits', async () => {
    const {warehouse, stored, request} = await makeStored();
    warehouse.verdicts[0] = {...stored, p_value: (stored.p_value ?? 0) * (1 + 2e-13)};
    expect(await replayVerdict(request)).toMatchObject({identical: false, reason: 'events', differences: [{path: 'p_value'}]});
    const versions = {...VERSIONS, engine: '99'};
    expect(await replayVerdict({...request, versions})).toMatchObject({identical: true, precision: 'digits', reason: null});
    warehouse.verdicts[0] = {...stored, p_value: (stored.p_value ?? 0) * (1 + 2e-11)};
    expect(await replayVerdict({...request, versions})).toMatchObject({identical: false, reason: 'code', differences: [{path: 'p_value'}]});
  });

  test('a row whose digest was edited is told', async () => {
    const {warehouse, stored, request} = await makeStored();
    warehouse.verdicts[0] = {...stored, evidence_digest: '0'.repeat(64)};
    expect((await replayVerdict(request)).differences.map(({path}) => path)).toEqual(['evidence_digest']);
  });
});

test('differences name paths of members and list entries, and what is missing on one side', () => {
  expect(differencesOf({a: [1, {b: 2}], c: null}, {a: [1, {b: 3}], d: 1}, 'bytes')).toEqual([
    {path: 'a[1].b', stored: 2, recomputed: 3},
    {path: 'd', stored: null, recomputed: 1},
  ]);
  expect(differencesOf([1], {0: 1}, 'bytes')).toEqual([{path: '', stored: [1], recomputed: {0: 1}}]);
});
