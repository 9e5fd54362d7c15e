import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import type {ExperimentView} from '../../src/core/experiment.ts';
import type {Stream} from '../../src/core/streams.ts';
import {type EpochMs, epochMs} from '../../src/core/units.ts';
import type {Warehouse} from '../../src/warehouse/warehouse.ts';
import {History, LATENESS_MS, METRICS, metric, randomHistory, type Sent, SLICE_MS, T0, testStream, versionsOf, viewOf} from '../warehouse/closing-histories.ts';
import {booksOf, slicesOf, textOf} from '../warehouse/closing-oracle.ts';

export type SemanticsHarness = {readonly warehouse: Warehouse; close(): Promise<void>};

const SCORE = [metric({key: 'score', measure: 'score'})];
const COUNT = metric({key: 'score', measure: 'score', scale: 0});

/** What is counted (DESIGN §4), against an oracle of plain loops. Each test has a stream of its own. */
export function warehouseSemantics(adapter: string, open: () => Promise<SemanticsHarness>): void {
  describe(`what is counted: ${adapter}`, () => {
    let harness: SemanticsHarness;
    let streams = 0;

    beforeAll(async () => {
      harness = await open();
    });
    afterAll(async () => {
      await harness?.close();
    });

    const newStream = async (): Promise<Stream> => {
      streams += 1;
      const stream = testStream(`s${streams}`);
      await harness.warehouse.mirrorStream(stream);
      return stream;
    };

    const write = async (history: History, views: readonly ExperimentView[]): Promise<void> => {
      await harness.warehouse.mirrorVersions(views.flatMap(versionsOf));
      await harness.warehouse.insertFacts(history.batch());
    };

    const close = (stream: Stream, views: readonly ExperimentView[], [from, through]: readonly [number, number]) =>
      harness.warehouse.closeSlices({stream, views, committed: [], fromSlice: epochMs(T0 + from), throughSlice: epochMs(T0 + through)});

    const revise = (stream: Stream, views: readonly ExperimentView[], {since, cut, closed}: {since: number; cut: number; closed: number}) =>
      harness.warehouse.reviseSlices({
        stream, views, committed: [], sinceCut: epochMs(T0 + since), cut: epochMs(T0 + cut), closedThrough: epochMs(T0 + closed),
      });

    const stored = async (stream: Stream, views: readonly ExperimentView[]): Promise<Map<string, string>> => {
      const rows = await Promise.all(views.map(({experiment}) => harness.warehouse.closedSlices(stream.name, experiment)));
      return textOf(rows.flat());
    };

    /** n per variant of the one metric, over all slices. */
    const countsOf = async (stream: Stream, experiment = 'x'): Promise<Record<string, number>> => {
      const counts: Record<string, number> = {};
      for (const row of await harness.warehouse.closedSlices(stream.name, experiment)) {
        const key = `${row.phase}:${row.variant}`;
        if (row.metric === 'score' && row.dimension === '' && row.n > 0) counts[key] = (counts[key] ?? 0) + row.n;
      }
      return counts;
    };

    type Case = {
      readonly title: string;
      readonly sent: readonly (readonly [arrival: number, sent: Sent])[];
      readonly expected: Readonly<Record<string, number>>;
      readonly phaseStarts?: readonly number[];
      readonly attributionMs?: number;
    };
    const exposure = (at: number, given: Partial<Extract<Sent, {kind: 'exposure'}>> = {}): Sent => ({kind: 'exposure', at, ...given});
    const outcome = (at: number, given: Partial<Extract<Sent, {kind: 'outcome'}>> = {}): Sent => ({kind: 'outcome', at, ...given});

    const CASES: readonly Case[] = [
      {title: 'an outcome counts for the variant its unit met before', sent: [[0, exposure(0)], [5_000, outcome(5_000)]], expected: {'1:v1': 1}},
      {title: 'an outcome before the exposure does not count', sent: [[0, outcome(0)], [5_000, exposure(5_000)]], expected: {}},
      {title: 'an outcome at the very time of the exposure counts', sent: [[0, outcome(5_000)], [5_000, exposure(5_000)]], expected: {'1:v1': 1}},
      {title: 'an exposure may arrive after its outcome, up to the cut', sent: [[5_000, outcome(5_000)], [10_000 + LATENESS_MS, exposure(0)]], expected: {'1:v1': 1}},
      {title: 'an exposure that arrives after the cut is not seen', sent: [[5_000, outcome(5_000)], [10_001 + LATENESS_MS, exposure(0)]], expected: {}},
      {title: 'an outcome that arrives at the cut counts', sent: [[0, exposure(0)], [10_000 + LATENESS_MS, outcome(5_000)]], expected: {'1:v1': 1}},
      {title: 'an outcome that arrives after the cut is late', sent: [[0, exposure(0)], [10_001 + LATENESS_MS, outcome(5_000)]], expected: {}},
      {title: 'a duplicate counts once', sent: [[0, exposure(0)], [5_000, outcome(5_000, {serial: 7})], [6_000, outcome(5_000, {serial: 7})]], expected: {'1:v1': 1}},
      {
        title: 'the earliest copy wins before the cut is applied, also over a copy in another slice',
        sent: [[0, exposure(0)], [5_000, outcome(5_000, {serial: 7, measures: {}})], [6_000, outcome(15_000, {serial: 7})]],
        expected: {},
      },
      {
        title: 'a unit that met two variants of a phase is a crossover',
        sent: [[0, exposure(0)], [1, exposure(9_000, {variant: 'v2'})], [5_000, outcome(5_000)]],
        expected: {},
      },
      {
        title: 'the second variant makes a crossover from the slice on whose cut sees it',
        sent: [[0, exposure(0)], [5_000, outcome(5_000)], [15_000, outcome(15_000)], [30_000, exposure(14_000, {variant: 'v2'})]],
        expected: {'1:v1': 1},
      },
      {
        title: 'override and fallback neither attribute nor cross over',
        sent: [[0, exposure(0)], [1, exposure(1, {variant: 'v2', reason: 'override'})], [2, exposure(2, {variant: 'v2', reason: 'fallback'})], [5_000, outcome(5_000)]],
        expected: {'1:v1': 1},
      },
      {
        title: 'another variant in a later phase is no crossover; each outcome belongs to the highest phase reached',
        sent: [[0, exposure(0)], [6_000, exposure(6_000, {phase: 2, variant: 'v2'})], [6_001, outcome(5_000)], [7_000, outcome(7_000)]],
        expected: {'1:v1': 1, '2:v2': 1},
      },
      {
        title: 'a phase stops counting one attribution time after the next began',
        sent: [[0, exposure(0)], [1, outcome(6_999)], [2, outcome(7_000)]],
        phaseStarts: [T0 - 1_000, T0 + 4_000],
        attributionMs: 3_000,
        expected: {'1:v1': 1},
      },
      {title: 'a phase nobody recorded does not end', sent: [[0, exposure(0, {phase: 9})], [1, outcome(9_000)]], expected: {'9:v1': 1}},
      {
        title: 'a slice holds its start and not its end',
        sent: [[0, exposure(0)], [1, outcome(9_999)], [2, outcome(10_000)], [3, outcome(20_000)]],
        expected: {'1:v1': 2},
      },
    ];

    for (const {title, sent, expected, phaseStarts, attributionMs} of CASES) {
      test(title, async () => {
        const stream = await newStream();
        const history = new History(stream);
        for (const [arrival, event] of sent) history.append(event, {arrival});
        const metrics = [{...COUNT, ...(attributionMs === undefined ? {} : {attributionMs})}];
        const view = viewOf({stream: stream.name, experiment: 'x', metrics, ...(phaseStarts === undefined ? {} : {phaseStarts})});
        await write(history, [view]);
        await close(stream, [view], [0, 20_000]);
        expect(await countsOf(stream)).toEqual(expected);
        const oracle = slicesOf(history, {views: [view], cut: null});
        const closed = [...oracle].filter(([key]) => Number(key.split('|')[1]) < T0 + 20_000);
        expect(await stored(stream, [view])).toEqual(new Map(closed));
      });
    }

    test('of two exposures at one time the smaller event id is first, and arrival does not matter', async () => {
      const stream = await newStream();
      const history = new History(stream);
      history.append(exposure(0, {serial: 9, variant: 'v1', unitId: 'a'}), {arrival: 0});
      history.append(exposure(0, {serial: 3, variant: 'v1', unitId: 'a'}), {arrival: 1});
      history.append(outcome(10, {unitId: 'a'}), {arrival: 20});
      const view = viewOf({stream: stream.name, experiment: 'x', metrics: SCORE});
      await write(history, [view]);
      await close(stream, [view], [0, 10_000]);
      expect(await countsOf(stream)).toEqual({'1:v1': 1});
    });

    test('paired: the hint decides, in the phase valid at the time, if the variant is known', async () => {
      const stream = await newStream();
      const history = new History(stream);
      for (const [at, variant] of [[1_000, 'v1'], [1_000, 'v2'], [6_000, 'v2'], [7_000, 'v9']] as const) {
        history.append(outcome(at, {variantHint: {x: variant}}), {arrival: at});
      }
      const view = viewOf({stream: stream.name, experiment: 'x', design: 'paired', metrics: SCORE, phaseStarts: [T0, T0 + 5_000]});
      await write(history, [view]);
      await close(stream, [view], [0, 10_000]);
      expect(await countsOf(stream)).toEqual({'1:v1': 1, '1:v2': 1, '2:v2': 1});
    });

    test('the same request leaves the same rows; slices count once their marker is there', async () => {
      const stream = await newStream();
      const history = randomHistory(stream, 5);
      const view = viewOf({stream: stream.name, experiment: 'x'});
      await write(history, [view]);
      const first = await close(stream, [view], [0, 60_000]);
      const rows = await stored(stream, [view]);
      expect(await close(stream, [view], [0, 60_000])).toEqual(first);
      expect(await stored(stream, [view])).toEqual(rows);
      await close(stream, [view], [0, 50_000]);
      expect(await stored(stream, [view])).toEqual(rows);
      expect((await harness.warehouse.closingState(stream.name)).closedThrough).toBe(T0 + 60_000);
    });

    test('a revision adds late outcomes, empties what a crossover took, and stores nothing else', async () => {
      const stream = await newStream();
      const history = new History(stream);
      history.append(exposure(0, {unitId: 'a'}), {arrival: 0});
      history.append(outcome(1_000, {unitId: 'a'}), {arrival: 1_000});
      history.append(exposure(0, {unitId: 'b', variant: 'v2'}), {arrival: 1_000});
      history.append(outcome(2_000, {unitId: 'b'}), {arrival: 2_000});
      history.append(outcome(12_000, {unitId: 'b'}), {arrival: 12_000});
      history.append(outcome(3_000, {unitId: 'a'}), {arrival: 50_000});
      history.append(exposure(500, {unitId: 'b', variant: 'v1'}), {arrival: 51_000});
      const view = viewOf({stream: stream.name, experiment: 'x', metrics: SCORE});
      await write(history, [view]);
      await close(stream, [view], [0, 30_000]);
      expect(await countsOf(stream)).toEqual({'1:v1': 1, '1:v2': 2});
      expect(await revise(stream, [view], {since: 45_000, cut: 60_000, closed: 30_000})).toEqual({slices: 2, rows: 3});
      expect(await countsOf(stream)).toEqual({'1:v1': 2});
      expect(await revise(stream, [view], {since: 60_000, cut: 70_000, closed: 30_000})).toEqual({slices: 0, rows: 0});
      expect((await harness.warehouse.closingState(stream.name)).revisedCut).toBe(T0 + 70_000);
    });

    test.each([1, 2, 3, 4, 5, 6])('random history %i: slices, revisions, audit and ledger equal the oracle', async seed => {
      const stream = await newStream();
      const history = randomHistory(stream, seed);
      // What no metric asks for is left out of a recompute: dimensions, ratios, both or neither.
      const hasDimensions = seed % 2 === 0;
      const hasRatios = seed % 4 < 2;
      const asked = METRICS.filter(({aggregate}) => hasRatios || aggregate !== 'ratio').map(metric => (hasDimensions ? metric : {...metric, dimensions: []}));
      const views = [
        viewOf({stream: stream.name, experiment: 'x', metrics: asked, phaseStarts: [T0 - 1_000, T0 + 40_000]}),
        viewOf({stream: stream.name, experiment: 'y', metrics: SCORE}),
        viewOf({stream: stream.name, experiment: 'p', design: 'paired', metrics: asked, phaseStarts: [T0 - 1_000, T0 + 70_000]}),
      ];
      await write(history, views);
      // Written twice in another grouping: nothing changes.
      await harness.warehouse.insertFacts({...history.batch(), outcomes: history.outcomes.slice(0, 40).reverse(), exposures: []});
      await close(stream, views, [0, 20_000]);
      await close(stream, views, [20_000, 120_000]);
      expect(await stored(stream, views)).toEqual(slicesOf(history, {views, cut: null}));

      const cut = (at: number): EpochMs => epochMs(T0 + at);
      await revise(stream, views, {since: 0, cut: 137_000, closed: 120_000});
      const first = slicesOf(history, {views, cut: cut(137_000)});
      expect(await stored(stream, views)).toEqual(mixed(slicesOf(history, {views, cut: null}), first));
      await revise(stream, views, {since: 137_000, cut: 400_000, closed: 120_000});
      expect(await stored(stream, views)).toEqual(slicesOf(history, {views, cut: cut(400_000)}));

      const audit = await harness.warehouse.auditSlices({stream, views, slicesMax: null});
      expect(audit).toMatchObject({mismatches: [], duplicateKeys: 0});
      expect(audit.slicesChecked).toBe(12);

      const ledger = await harness.warehouse.ledger(stream.name, history.committed());
      for (const [partition, books] of ledger.entries()) {
        const expected = booksOf(history, views, partition);
        expect({
          accepted: books.accepted, duplicate: books.duplicate, conflict: books.conflict, attributed: books.outcomesAttributed,
          crossover: books.outcomesCrossover, unattributed: books.outcomesUnattributed,
        }).toEqual(expected);
        expect(books).toMatchObject({facts: books.accepted, gaps: 0, ticks: 1, forgotten: 0, deadLettered: 0, firstOffset: 0n});
      }
    });

    /** Slices whose own cut is later than the revision's keep what they closed with. */
    const mixed = (closed: Map<string, string>, revised: Map<string, string>): Map<string, string> => {
      const isRevised = (key: string): boolean => Number(key.split('|')[1]) + SLICE_MS + LATENESS_MS <= T0 + 137_000;
      return new Map([...[...closed].filter(([key]) => !isRevised(key)), ...[...revised].filter(([key]) => isRevised(key))]);
    };

    test('progress is the largest arrival below the committed offset, null where nothing arrived', async () => {
      const stream = await newStream();
      const history = new History(stream);
      history.append({kind: 'tick', at: 0}, {arrival: 500, partition: 0});
      history.append({kind: 'tick', at: 0}, {arrival: 900, partition: 0});
      await write(history, []);
      const ask = (offset: bigint, partition = 0) => harness.warehouse.progress(stream.name, [{logEpoch: 0, partition, offset}]);
      expect([await ask(0n), await ask(1n), await ask(2n), await ask(9n), await ask(9n, 1)]).toEqual([[null], [T0 + 500], [T0 + 900], [T0 + 900], [null]]);
    });

    test('the ledger counts only below the committed offset, and shows gaps', async () => {
      const stream = await newStream();
      const history = new History(stream);
      for (const at of [0, 1, 2, 3]) history.append(outcome(at), {arrival: at});
      history.arrivals.splice(1, 1);
      history.outcomes.splice(1, 1);
      await write(history, []);
      const [books] = await harness.warehouse.ledger(stream.name, [{logEpoch: 0, partition: 0, offset: 3n}]);
      expect(books).toMatchObject({appended: 2, accepted: 2, facts: 2, gaps: 1, outcomesUnattributed: 2, endOffset: 3n, firstOffset: 0n});
    });
  });
}
