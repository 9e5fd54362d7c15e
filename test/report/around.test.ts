import {describe, expect, test} from 'vitest';
import {addWindowsAround, changesOf} from '../../src/analyze/windows-around.ts';
import {evidenceOf} from '../../src/analyze/compare-evidence.ts';
import type {ExperimentVersion} from '../../src/core/experiment.ts';
import {durationMs, epochMs} from '../../src/core/units.ts';
import type {Verdict, WindowsAround} from '../../src/core/verdict.ts';
import {renderHtml} from '../../src/report/render-html.ts';
import {renderMarkdown} from '../../src/report/render-markdown.ts';
import {CHINESE} from '../../src/report/texts-zh.ts';
import type {WindowRow} from '../../src/warehouse/warehouse.ts';
import {changeOf} from './make-around.ts';
import {harmedLatency, makeVerdict, reportOf} from './make-verdict.ts';

const START = Date.parse('2026-11-21T08:00:00.000Z');
const minutes = (count: number) => epochMs(START + count * 60_000);

const version = (number: number, phase: number, at: number, reason = 'more traffic'): ExperimentVersion =>
  ({stream: 'live', experiment: 'answer-model', version: number, predecessor: number - 1, phase, author: 'ops', reason, validFrom: at} as ExperimentVersion);

const row = (at: number, over: Partial<WindowRow> = {}): WindowRow => ({
  stream: 'live', experiment: 'answer-model', phase: 1, variant: 'v1', metric: 'judge_score', window_start: minutes(at), window_end: minutes(at + 1), n: 10, estimated_n: 10, sum: 5, mean: 0.5, sd: 0.1, min: 0, max: 1,
  p50: 0.4, p95: 0.9, p99: 0.95, status: 'closed', revision: 0, ...over,
});

type Asked = {readonly sizeMs: number; readonly from: number; readonly to: number};

async function around(rows: readonly WindowRow[], options: {history: readonly ExperimentVersion[]; verdicts?: readonly Verdict[]; closedThrough?: number}) {
  const asked: Asked[] = [];
  const warehouse = {
    closingState: () => Promise.resolve({closedThrough: options.closedThrough === undefined ? minutes(60) : options.closedThrough, revisedCut: null, firstSliceStart: null, lastSliceEnd: null} as never),
    windows: (request: Asked) => {
      asked.push(request);
      return Promise.resolve(rows.filter(({window_end: end}) => end > request.from && end <= request.to));
    },
  };
  const verdicts = await addWindowsAround(options.verdicts ?? [makeVerdict()], {warehouse, stream: {name: 'live', sliceMs: durationMs(10_000)}, history: options.history});
  return {asked, verdicts, windows: verdicts[0]?.windows_around ?? []};
}

const sides = (change: WindowsAround | undefined): string[] => (change?.windows ?? []).map(({side, variant, start, value}) => `${side} ${variant} ${start.slice(14, 16)} ${value}`);

describe('windows around changes', () => {
  test('a new phase: the old phase before, the new phase after, each in the window that the change cuts', async () => {
    const rows = [row(-1), row(-1, {variant: 'v2', mean: 0.6}), row(0), row(0, {phase: 2, mean: 0.7}), row(1, {phase: 2, mean: 0.8}), row(1), row(1, {phase: 2, variant: 'v3'}), row(1, {phase: 2, metric: 'other'})];
    const {windows, asked} = await around(rows, {history: [version(1, 1, START - 1e7), version(2, 2, START + 30_000)]});
    expect(sides(windows[0])).toEqual(['before v1 59 0.5', 'before v2 59 0.6', 'before v1 00 0.5', 'after v1 00 0.7', 'after v1 01 0.8']);
    expect(windows[0]).toMatchObject({version: 2, phase: 2, author: 'ops', reason: 'more traffic', at: '2026-11-21T08:00:30.000Z'});
    expect(asked).toEqual([expect.objectContaining({sizeMs: 300_000, slideMs: 300_000})]);
  });

  test('a change within a phase: the window it cuts belongs to neither side', async () => {
    const {windows} = await around([row(-1), row(0), row(1)], {history: [version(1, 1, START - 1e7), version(2, 1, START + 30_000)]});
    expect(sides(windows[0])).toEqual(['before v1 59 0.5', 'after v1 01 0.5']);
  });

  test('a quantile metric shows its quantile', async () => {
    const rows = [row(-1, {metric: 'latency_p95'}), row(1, {metric: 'latency_p95', phase: 2})];
    const {windows} = await around(rows, {history: [version(1, 1, START - 1e7), version(2, 2, START)], verdicts: [harmedLatency()]});
    expect(windows[0]?.windows.map(({value}) => value)).toEqual([0.9, 0.9]);
  });

  test('provisional windows, the first version, an import and a change with one side only show nothing', async () => {
    const history = [version(1, 1, START - 1e7), version(2, 2, START)];
    expect((await around([row(-1), row(1, {phase: 2, status: 'provisional'})], {history})).windows).toEqual([]);
    expect((await around([row(1, {phase: 2})], {history})).windows).toEqual([]);
    expect((await around([row(-1), row(1)], {history: [version(1, 1, START)]})).asked).toEqual([]);
    expect((await around([row(-1), row(1)], {history: [version(1, 1, 0), version(2, 1, 0)]})).asked).toEqual([]);
    expect((await around([row(-1), row(1)], {history, closedThrough: START - 1})).asked).toEqual([]);
  });

  test('the newest three changes, in windows of which eight fit after the change, and a guard’s sentence without its JSON', async () => {
    const history = [1, 2, 3, 4, 5].map(number => version(number, number, START + number * 600_000, `guard fired {"guard":"g","n":1}`));
    const changes = changesOf(history, {closedThrough: minutes(60), sliceMs: 10_000});
    expect(changes.map(change => [change.version.version, change.windowMs])).toEqual([[3, 60_000], [4, 60_000], [5, 60_000]]);
    expect(changesOf(history, {closedThrough: epochMs(START + 50 * 3_600_000), sliceMs: 10_000}).at(-1)?.windowMs).toBe(3_600_000);
    expect(changesOf(history.slice(0, 2), {closedThrough: epochMs(START + 1_210_000), sliceMs: 20_000}).at(-1)?.windowMs).toBe(20_000);
    const {windows} = await around([row(9), row(11, {phase: 2})], {history: history.map((one, index) => ({...one, validFrom: minutes(index * 10)})).slice(0, 2)});
    expect(windows[0]?.reason).toBe('guard fired');
  });

  test('they are no part of the evidence that a replay recomputes', () => {
    expect(evidenceOf({...makeVerdict(), windows_around: [changeOf()]})).toEqual(evidenceOf(makeVerdict()));
    expect(Object.keys(evidenceOf({...makeVerdict(), windows_around: [], calibration: {} as never}))).not.toContain('calibration');
  });
});

describe('the report of them', () => {
  const rows = [makeVerdict({windows_around: [changeOf(), changeOf({version: 3, reason: '<b>rolled back</b>'})]}), makeVerdict({variant: 'v3', windows_around: [changeOf({variant: 'v3'})]})];

  test('draws each change once, newest first, with the windows of all arms and nothing bridged', () => {
    const [metric] = reportOf(rows).experiments[0]?.metrics ?? [];
    expect(metric?.around.map(({version: number, windows}) => [number, [...new Set(windows.map(({variant}) => variant))]])).toEqual([[3, ['v1', 'v2']], [2, ['v1', 'v2', 'v3']]]);
    const html = renderHtml(reportOf(rows));
    expect(html.match(/class="figure around"/g)).toHaveLength(2);
    expect(html.match(/polyline class="before"/g)).toHaveLength(5);
    expect(html).toContain('&lt;b&gt;rolled back&lt;/b&gt;');
    expect(html).not.toContain('NaN');
  });

  test('Markdown and Chinese say the same in words', () => {
    expect(renderMarkdown(reportOf(rows))).toContain('judge\\_score / v2: before the change 0.6');
    expect(renderHtml(reportOf(rows, {texts: CHINESE}), CHINESE)).toContain('变更前后');
    expect(renderHtml(reportOf([makeVerdict()]))).toContain('No change of the experiment has windows on both sides');
  });
});
