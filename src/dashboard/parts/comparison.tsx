import {useState} from 'preact/hooks';
import type {Comparison} from '../../guard/compare-windows.ts';
import type {ComparisonTable} from '../../guard/comparison-table.ts';
import type {HealthScore} from '../../guard/health-score.ts';
import {formatCount, formatEffect, formatNumber, formatSignedShare, formatValue, unitOf} from '../../report/format.ts';
import {get} from '../api.ts';
import {useData, useEvery, useShell} from '../context.ts';
import {Badge, type Column, Instant, Name, State, Table, type Tone} from './basics.tsx';

const STATE_TONE: Readonly<Record<Comparison['state'], Tone>> = {within: 'good', worse: 'bad', unclear: 'warn', inconclusive: ''};
const GRADE_TONE = {healthy: 'good', warning: 'warn', critical: 'bad'} as const;
/** In base slices: a minute, five, an hour and a day of ten seconds each. */
const SIZES: readonly number[] = [6, 30, 360, 8_640];
const EVERY_MS = 15_000;

/** What guards judge by: each treatment beside control in the newest window, and the health scores. */
export function ComparisonPart({experiment, sliceS}: {readonly experiment: string; readonly sliceS: number}) {
  const {words, stream} = useShell();
  const [sizeS, setSize] = useState(sliceS * 360);
  const query = {stream: stream?.name, experiment, window_s: sizeS};
  const loaded = useData(JSON.stringify(query), signal => get<{comparison: ComparisonTable | null}>('/v1/comparison', query, signal));
  useEvery(EVERY_MS, loaded.reload);
  const table = loaded.data?.comparison;
  return (
    <section class="card" aria-labelledby="comparison">
      <h2 id="comparison">{words.comparison}</h2>
      <div class="filters">
        <label>{words.window}<select value={sizeS} onChange={event => setSize(Number(event.currentTarget.value))}>{SIZES.map(one => <option key={one} value={one * sliceS}>{words.lasting(one * sliceS)}</option>)}</select></label>
        {table !== null && table !== undefined && <p class="soft"><Instant at={table.window_start} /> – <Instant at={table.window_end} />, {words.phase} {table.phase}</p>}
      </div>
      <State of={loaded}>{table === null || table === undefined ? <p class="empty">{words.noWindows}</p> : <Tables table={table} />}</State>
    </section>
  );
}

function Tables({table}: {readonly table: ComparisonTable}) {
  const {words} = useShell();
  const shownValue = (one: Comparison, value: number | null): string => (value === null ? '–' : formatValue(value, unitOf(one.metric, one.aggregate)));
  const shownEffect = (one: Comparison, value: number | null): string => (value === null ? '–' : formatEffect(value, unitOf(one.metric, one.aggregate)));
  const columns: Column<Comparison>[] = [
    {head: words.metric, cell: one => <Name text={one.metric} />},
    {head: words.variant, cell: one => <Name text={one.variant} />},
    {head: words.status, cell: one => <Badge tone={STATE_TONE[one.state]}>{words.comparedState[one.state]}</Badge>},
    {head: words.control, isNumber: true, cell: one => shownValue(one, one.control)},
    {head: words.value, isNumber: true, cell: one => shownValue(one, one.value)},
    {head: words.difference, isNumber: true, cell: one => shownEffect(one, one.difference)},
    {head: words.relative, isNumber: true, cell: one => (one.relative === null ? '–' : formatSignedShare(one.relative))},
    {head: words.toleratedHead, isNumber: true, cell: one => (one.tolerated === null ? '–' : shownEffect(one, one.direction === 'lower' ? one.tolerated : -one.tolerated))},
    {head: words.nOfBoth, isNumber: true, cell: one => `${formatCount(one.n_control)} / ${formatCount(one.n_variant)}`},
  ];
  const scores: Column<HealthScore>[] = [
    {head: words.variant, cell: one => <Name text={one.variant} />},
    {head: words.healthScore, isNumber: true, cell: one => (one.score === null ? '–' : formatNumber(one.score, 3))},
    {head: words.status, cell: ({grade}) => (grade === null ? <Badge tone="">{words.comparedState.inconclusive}</Badge> : <Badge tone={GRADE_TONE[grade]}>{words.grade[grade]}</Badge>)},
    {head: words.madeOf, cell: ({components, reason, score}) => <span class="wrap"><Name text={score === null ? reason : Object.entries(components).map(([metric, part]) => `${metric} ${formatNumber(part, 2)}`).join(', ')} /></span>},
    {head: 'n', isNumber: true, cell: one => formatCount(one.n)},
  ];
  return (
    <>
      <Table caption={words.comparisonCaption} columns={columns} rows={table.comparisons} keyOf={({metric, variant}) => JSON.stringify([metric, variant])} />
      {table.health.length > 0 && <Table caption={words.healthScores} columns={scores} rows={table.health} keyOf={({variant}) => variant} />}
    </>
  );
}
