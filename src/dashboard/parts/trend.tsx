import {useState} from 'preact/hooks';
import {formatEffect} from '../../report/format.ts';
import type {ExperimentReport} from '../../report/report.ts';
import {type Alert, get, type TrendPoint, type Version} from '../api.ts';
import {useData, useShell} from '../context.ts';
import {type Column, DecisionBadge, Instant, Name, State, Table} from './basics.tsx';
import {Chart, type Mark} from './chart.tsx';
import {byRole} from './metrics.tsx';
import type {Decision} from '../../core/verdict.ts';

type Choice = {readonly metric: string; readonly variant: string};

/** How the effect and its confidence sequence narrowed, with what happened to the experiment meanwhile. */
export function TrendPart({report, versions}: {readonly report: ExperimentReport; readonly versions: readonly Version[]}) {
  const {words, stream} = useShell();
  const choices: Choice[] = byRole(report.metrics).flatMap(({metric, rows}) => rows.map(({variant}) => ({metric, variant})));
  const [chosen, setChosen] = useState(0);
  const choice = choices[chosen] ?? choices[0];
  const key = JSON.stringify(['trend', stream?.name, report.experiment, choice, report.cut_arrival_ts]);
  const loaded = useData(key, signal => get<{points: TrendPoint[]}>('/v1/trend', {stream: stream?.name, experiment: report.experiment, metric: choice?.metric, variant: choice?.variant}, signal));
  const alerts = useData(`alerts/${stream?.name}/${report.experiment}`, signal => get<{alerts: Alert[]}>('/v1/alerts', {stream: stream?.name}, signal));
  const unit = report.metrics.find(({metric}) => metric === choice?.metric)?.unit;
  const points = newestPerInstant(loaded.data?.points ?? []);
  const ofExperiment = (alerts.data?.alerts ?? []).filter(({experiment}) => experiment === report.experiment);
  const marks = marksOf(versions, ofExperiment);
  const effectText = (value: number | null): string => (value === null || unit === undefined ? '–' : formatEffect(value, unit));
  const columns: Column<TrendPoint>[] = [
    {head: words.dataThrough, cell: point => <Instant at={point.data_to === '' ? null : point.data_to} />},
    {head: words.effect, isNumber: true, cell: point => effectText(point.effect)},
    {head: words.low, isNumber: true, cell: point => effectText(point.cs_low)},
    {head: words.high, isNumber: true, cell: point => effectText(point.cs_high)},
    {head: words.phase, isNumber: true, cell: point => point.phase},
    {head: words.decision, cell: point => <DecisionBadge decision={point.decision as Decision} />},
  ];
  return (
    <section class="card" aria-labelledby="trend">
      <h2 id="trend">{words.trend}</h2>
      <div class="filters">
        <label>{words.metric}
          <select value={chosen} onChange={event => setChosen(Number(event.currentTarget.value))}>
            {choices.map(({metric, variant}, index) => <option key={JSON.stringify([metric, variant])} value={index}>{metric} · {variant}</option>)}
          </select>
        </label>
      </div>
      <State of={loaded}>
        {points.length === 0 ? <p class="empty">{words.noTrend}</p> : (
          <>
            <Chart
              label={`${words.trend}: ${choice?.metric}, ${choice?.variant}`}
              times={points.map(timeOf)}
              hasZero
              band={[0, 2]}
              marks={marks}
              lines={[
                {label: words.high, colour: '--accent', isThin: true, values: points.map(point => point.cs_high)},
                {label: words.effect, colour: '--accent', values: points.map(point => point.effect)},
                {label: words.low, colour: '--accent', isThin: true, values: points.map(point => point.cs_low)},
              ]}
            />
            <p class="soft">{words.trendNote}</p>
            <details>
              <summary>{words.asTable}</summary>
              <Table caption={words.trend} isCaptionHidden columns={columns} rows={[...points].reverse()} keyOf={point => String(point.analysed_ms)} />
              <Table caption={words.markers} columns={[{head: words.when, cell: mark => <Instant at={new Date(mark.at * 1000).toISOString()} />}, {head: words.marker, cell: mark => <Name text={mark.label} />}]} rows={marks} keyOf={mark => `${mark.at}/${mark.label}`} />
            </details>
          </>
        )}
      </State>
    </section>
  );
}

/** The data's own time, so that an import or a simulation lines up with its phases. */
const timeOf = ({data_to: dataTo, analysed_ms: analysed}: TrendPoint): number => (dataTo === '' ? analysed : Date.parse(dataTo)) / 1000;

/** Analyses that saw the same data say the same; the newest of them is kept. */
function newestPerInstant(points: readonly TrendPoint[]): TrendPoint[] {
  return [...new Map(points.map(point => [timeOf(point), point])).values()].sort((a, b) => timeOf(a) - timeOf(b));
}

function marksOf(versions: readonly Version[], alerts: readonly Alert[]): Mark[] {
  const changes = versions.flatMap(({valid_from: at, version, lifecycle, reason}): Mark[] => (at === null ? [] : [{at: Date.parse(at) / 1000, label: `v${version} ${lifecycle}: ${reason}`, kind: 'line'}]));
  const fired = alerts.map(({changed_at: at, rule, state}): Mark => ({at: Date.parse(at) / 1000, label: `${rule} ${state}`, kind: 'dashed'}));
  return [...changes, ...fired].sort((a, b) => a.at - b.at);
}
