import {useMemo, useState} from 'preact/hooks';
import {formatCount, formatNumber} from '../../report/format.ts';
import {armColour} from '../../report/svg.ts';
import type {WindowRow} from '../api.ts';
import {useShell} from '../context.ts';
import {type Column, Instant, Name, Table} from './basics.tsx';
import {Chart, type Line, type Mark} from './chart.tsx';

export type WindowsEvent = {readonly windows: readonly WindowRow[]};
const STATISTICS = ['mean', 'p50', 'p95', 'p99', 'n', 'sum'] as const;
type Statistic = (typeof STATISTICS)[number];
type Size = {readonly size_s: number; readonly slide_s: number};

type WindowsProps = {
  readonly windows: readonly WindowRow[];
  readonly metrics: readonly {readonly key: string; readonly aggregate: string}[];
  readonly control: string;
  readonly size: Size;
  readonly sliceS: number;
  readonly isLive: boolean;
  onSize(size: Size): void;
};

const SIZES: readonly number[] = [1, 6, 30, 60, 360];

/** The newest phase's windows of one metric, a line per variant, as they come. */
export function WindowsPart({windows, metrics, control, size, sliceS, isLive, onSize}: WindowsProps) {
  const {words} = useShell();
  const names = [...new Set([...metrics.map(({key}) => key), ...windows.map(({metric}) => metric)])];
  const [chosen, setChosen] = useState('');
  const [statistic, setStatistic] = useState<Statistic | ''>('');
  const metric = names.includes(chosen) ? chosen : (names[0] ?? '');
  const aggregate = metrics.find(({key}) => key === metric)?.aggregate ?? 'mean';
  const shownStatistic: Statistic = statistic === '' ? ((STATISTICS as readonly string[]).includes(aggregate) ? (aggregate as Statistic) : 'mean') : statistic;
  const rows = useMemo(() => {
    const of = windows.filter(row => row.metric === metric);
    const phase = Math.max(...of.map(row => row.phase));
    return of.filter(row => row.phase === phase);
  }, [windows, metric]);
  const drawn = useMemo(() => drawing(rows, {statistic: shownStatistic, control}), [rows, shownStatistic, control]);
  return (
    <section class="card" aria-labelledby="windows">
      <h2 id="windows">{words.windows}</h2>
      <div class="filters">
        <label>{words.metric}<select value={metric} onChange={event => setChosen(event.currentTarget.value)}>{names.map(one => <option key={one} value={one}>{one}</option>)}</select></label>
        <label>{words.statistic}<select value={shownStatistic} onChange={event => setStatistic(event.currentTarget.value as Statistic)}>{STATISTICS.map(one => <option key={one} value={one}>{one}</option>)}</select></label>
        <label>{words.size}<select value={size.size_s} onChange={event => onSize(sizeOf(Number(event.currentTarget.value), sliceS))}>{SIZES.map(one => <option key={one} value={one * sliceS}>{one * sliceS} {words.seconds}</option>)}</select></label>
        <p class="soft" role="status"><span class={isLive ? 'dot on' : 'dot'} aria-hidden="true" />{isLive ? words.live : words.away}</p>
      </div>
      {rows.length === 0 ? <p class="empty">{words.noWindows}</p> : (
        <>
          <Chart label={`${words.windows}: ${metric}, ${shownStatistic}`} times={drawn.times} lines={drawn.lines} marks={drawn.marks} />
          {drawn.marks.length > 0 && <p class="soft">{words.provisionalNote}</p>}
          <details><summary>{words.asTable}</summary><WindowTable rows={rows} statistic={shownStatistic} /></details>
        </>
      )}
    </section>
  );
}

/** Long windows move on in larger steps, so that the chart spans some of them. */
const sizeOf = (sizeS: number, sliceS: number): Size => ({size_s: sizeS, slide_s: Math.max(sliceS, Math.ceil(sizeS / 10 / sliceS) * sliceS)});

function drawing(rows: readonly WindowRow[], {statistic, control}: {readonly statistic: Statistic; readonly control: string}): {times: number[]; lines: Line[]; marks: Mark[]} {
  const times = [...new Set(rows.map(row => Date.parse(row.window_end) / 1000))].sort((a, b) => a - b);
  const variants = [...new Set(rows.map(({variant}) => variant))].sort((a, b) => Number(b === control) - Number(a === control) || (a < b ? -1 : 1));
  const lines = variants.map((variant, index) => {
    const byTime = new Map(rows.filter(row => row.variant === variant).map(row => [Date.parse(row.window_end) / 1000, row[statistic]]));
    return {label: variant, colour: armColour(variants.includes(control) ? index : index + 1), values: times.map(at => byTime.get(at) ?? null)};
  });
  const open = rows.filter(({status}) => status === 'provisional').map(row => Date.parse(row.window_end) / 1000);
  return {times, lines, marks: open.length === 0 ? [] : [{at: Math.min(...open), label: '', kind: 'shade-right'}]};
}

function WindowTable({rows, statistic}: {readonly rows: readonly WindowRow[]; readonly statistic: Statistic}) {
  const {words} = useShell();
  const columns: Column<WindowRow>[] = [
    {head: words.windowEnd, cell: row => <Instant at={row.window_end} />},
    {head: words.variant, cell: row => <Name text={row.variant} />},
    {head: statistic, isNumber: true, cell: row => formatNumber(row[statistic])},
    {head: 'n', isNumber: true, cell: row => formatCount(row.n)},
    {head: words.status, cell: row => words[row.status]},
  ];
  return <Table caption={words.windowsCaption} columns={columns.filter(({head}, index) => columns.findIndex(one => one.head === head) === index)} rows={[...rows].reverse()} keyOf={row => `${row.window_end}/${row.variant}`} />;
}
