import {boxPlotSvg} from '../../report/box-plot-svg.ts';
import {CALIBRATION_STATUS, calibrationText, evidenceCells, metricCells, offsetTexts, testCells} from '../../report/cells.ts';
import {intervalSvg} from '../../report/interval-svg.ts';
import {pairsSvg} from '../../report/pairs-svg.ts';
import type {ExperimentReport, MetricReport, MetricRow} from '../../report/report.ts';
import {useShell} from '../context.ts';
import {Badge, Block, type Column, Name, Table, type Tone} from './basics.tsx';
import {EffectBar} from './effect-bar.tsx';
import {Figure} from './figure.tsx';

type Row = {readonly metric: MetricReport; readonly row: MetricRow};

const TONE: Readonly<Record<MetricRow['reading'], Tone>> = {better: 'good', worse: 'bad', unclear: 'info', 'no-reading': '', 'not-computable': 'warn'};

const ROLES: readonly MetricReport['role'][] = ['goal', 'guardrail', 'diagnostic'];

/** What decides comes first. */
export const byRole = (metrics: readonly MetricReport[]): MetricReport[] => [...metrics].sort((a, b) => ROLES.indexOf(a.role) - ROLES.indexOf(b.role));

/** Metric × variant with bars, then each metric's figures, tests and SQL. Every number is copied from the verdict rows. */
export function MetricsPart({report}: {readonly report: ExperimentReport}) {
  const {words, texts} = useShell();
  const metrics = byRole(report.metrics);
  const rows = metrics.flatMap(metric => metric.rows.map(row => ({metric, row})));
  const heads = rows[0] === undefined ? [] : metricCells(rows[0].metric, rows[0].row, texts).map(({label}) => label);
  const cell = ({metric, row}: Row, index: number): string => metricCells(metric, row, texts)[index]?.text ?? '';
  const columns: Column<Row>[] = heads.map((head, index) => ({
    head,
    cell: one => (index === 2 ? <Badge tone={TONE[one.row.reading]}>{cell(one, index)}</Badge> : <Name text={cell(one, index)} />),
  }));
  columns.splice(3, 0, {head: words.bar, cell: ({metric, row}) => <EffectBar metric={metric} row={row} label={`${metric.metric}, ${row.variant}: ${cell({metric, row}, 3)}, ${cell({metric, row}, 4)}`} />});
  return (
    <section class="card metrics" aria-labelledby="metrics">
      <h2 id="metrics">{words.metrics}</h2>
      <Table caption={words.metricsCaption} columns={columns} rows={rows} keyOf={({metric, row}) => JSON.stringify([metric.metric, row.variant])} />
      <p class="soft">{texts.label.fixedHorizonNote}</p>
      <CalibrationPart metrics={metrics} />
      {metrics.map((metric, index) => <MetricDetails key={metric.metric} metric={metric} id={`metric-${index}`} isOpen={index === 0} />)}
      <Evidence report={report} />
    </section>
  );
}

/** What the same tests say where there is nothing to find. */
function CalibrationPart({metrics}: {readonly metrics: readonly MetricReport[]}) {
  const {texts} = useShell();
  const known = metrics.flatMap(({metric, calibration}) => (calibration === null ? [] : [{metric, calibration, status: CALIBRATION_STATUS[calibration.status]}]));
  if (known.length === 0) return null;
  return (
    <>
      <h3 id="calibration">{texts.label.calibration}</h3>
      <p class="soft">{texts.label.calibrationNote}</p>
      <ul aria-labelledby="calibration">
        {known.map(({metric, calibration, status}) => (
          <li key={metric}><Badge tone={CALIBRATION_TONE[calibration.status]}>{texts.checkStatus[status]}</Badge> <Name text={`${metric}: ${calibrationText(calibration, texts)}`} /></li>
        ))}
      </ul>
    </>
  );
}

const CALIBRATION_TONE: Readonly<Record<keyof typeof CALIBRATION_STATUS, Tone>> = {healthy: 'good', unhealthy: 'bad', 'not-computable': ''};

/** The first one, a goal, shows its figures at once. */
function MetricDetails({metric, id, isOpen}: {readonly metric: MetricReport; readonly id: string; readonly isOpen: boolean}) {
  const {words, texts} = useShell();
  const hasPairs = metric.rows.some(({pairs}) => pairs !== null);
  return (
    <details open={isOpen}>
      <summary><Name text={metric.metric} /></summary>
      <div class="grid">
        <div><h3>{words.intervals}</h3><Figure drawing={intervalSvg({id: `${id}-effect`, metric, texts})} /></div>
        <div><h3>{words.boxes}</h3><Figure drawing={boxPlotSvg({id: `${id}-box`, metric: metric.metric, unit: metric.unit, arms: metric.arms, texts})} /></div>
        {hasPairs && <div><h3>{words.pairs}</h3><Figure drawing={pairsSvg({id: `${id}-pairs`, metric, texts})} /></div>}
      </div>
      <p class="soft">{texts.label.replay}: {metric.rows.map(({replay}) => <code key={replay}>{replay} </code>)}</p>
      <h3>{words.sql}</h3>
      <Block label={`${words.sql}: ${metric.metric}`} text={metric.rows[0]?.verdict.sql ?? ''} />
    </details>
  );
}

function Evidence({report}: {readonly report: ExperimentReport}) {
  const {words, texts} = useShell();
  const tests = testCells(report, texts).map((cells, index) => ({cells, index}));
  const [first] = tests;
  return (
    <>
      <details>
        <summary>{words.tests}</summary>
        <Table caption={words.tests} isCaptionHidden rows={tests} keyOf={({index}) => String(index)} columns={(first?.cells ?? []).map(({label}, index) => ({head: label, cell: (test: (typeof tests)[number]) => <Name text={test.cells[index]?.text ?? ''} />}))} />
      </details>
      <details>
        <summary>{words.evidence}</summary>
        <Table caption={words.evidence} isCaptionHidden rows={evidenceCells(report, texts)} keyOf={({label}) => label} columns={[{head: texts.label.evidence, cell: ({label}) => label}, {head: words.value, cell: ({text}) => <span class="wrap">{text}</span>}]} />
        <p class="soft">{texts.label.offsets}: <code>{offsetTexts(report).join(' · ')}</code></p>
      </details>
    </>
  );
}
