import {useState} from 'preact/hooks';
import type {ExperimentReport} from '../../report/report.ts';
import {addressOf, experimentPath, get, type Report, type Version} from '../api.ts';
import {useData, useLive, useShell} from '../context.ts';
import {Badge, type Column, DECISION_TONE, DecisionBadge, Instant, Name, PageHead, State, Table, type Tone} from '../parts/basics.tsx';
import {type Change, ChangeDialog, CHANGES} from '../parts/change-dialog.tsx';
import {Weights} from './list.tsx';
import {ComparisonPart} from '../parts/comparison.tsx';
import {MetricsPart} from '../parts/metrics.tsx';
import {TrendPart} from '../parts/trend.tsx';
import {WindowsPart, type WindowsEvent} from '../parts/windows.tsx';

const CHECK_TONE: Readonly<Record<string, Tone>> = {pass: 'good', fail: 'bad', open: 'info', 'not-computable': ''};

/** null while nothing was analysed; asked first, since a report that is not there is an error to a browser. */
async function loadReport(query: Readonly<Record<string, string | undefined>>, signal: AbortSignal): Promise<ExperimentReport | null> {
  const {stream, experiment} = query;
  const {verdicts} = await get<{verdicts: readonly unknown[]}>('/v1/verdicts', {stream, experiment, limit: 1}, signal);
  if (verdicts.length === 0) return null;
  const report = await get<Report>('/v1/report', query, signal);
  return report.experiments[0] ?? null;
}

export function ExperimentPage({experiment}: {readonly experiment: string}) {
  const {words, stream, language, me} = useShell();
  const name = stream?.name;
  const sliceS = (stream?.slice_ms ?? 10_000) / 1000;
  const versions = useData(`versions/${name}/${experiment}`, signal => get<{versions: Version[]}>(`${experimentPath(experiment)}/versions`, {stream: name}, signal));
  const report = useData(`report/${name}/${experiment}/${language}`, signal => loadReport({stream: name, experiment, language}, signal));
  const [size, setSize] = useState({size_s: sliceS * 6, slide_s: sliceS});
  const [windows, setWindows] = useState<WindowsEvent>({windows: []});
  const [change, setChange] = useState<Change | null>(null);
  const [said, setSaid] = useState('');
  const isLive = useLive(name === undefined ? null : addressOf('/v1/live', {stream: name, experiment, ...size}), {
    windows: data => setWindows(data as WindowsEvent),
    decision: report.reload,
    config: () => {
      versions.reload();
      report.reload();
    },
  });
  const current = versions.data?.versions[0];
  const mayChange = me.role === 'editor' || me.role === 'admin';
  return (
    <>
      <PageHead title={experiment}>
        {current !== undefined && mayChange && (
          <div class="actions">
            {(CHANGES[current.lifecycle] ?? []).filter(one => one !== 'weights' || Object.keys(current.weights).length > 1).map(one => (
              <button key={one} type="button" class={one === 'conclude' || one === 'archive' ? 'danger' : ''} onClick={() => setChange(one)}>{one === 'weights' ? words.editWeights : words[one]}</button>
            ))}
          </div>
        )}
      </PageHead>
      {said !== '' && <p class="notice" role="status">{said}</p>}
      <State of={versions}>
        {current !== undefined && <Facts current={current} report={report.data ?? null} />}
        <State of={report}>
          {report.data === null ? <p class="card empty">{words.noVerdict}</p> : report.data !== undefined && <Results report={report.data} />}
        </State>
        <ComparisonPart experiment={experiment} sliceS={sliceS} />
        <WindowsPart {...{windows: windows.windows, metrics: current?.definition.metrics ?? [], size, sliceS, isLive}} onSize={setSize} control={current?.definition.control ?? ''} />
        {report.data !== null && report.data !== undefined && <TrendPart report={report.data} versions={versions.data?.versions ?? []} />}
        <History versions={versions.data?.versions ?? []} />
      </State>
      {change !== null && current !== undefined && (
        <ChangeDialog
          change={change}
          version={current}
          onCancel={() => setChange(null)}
          onDone={text => {
            setChange(null);
            setSaid(text);
            versions.reload();
          }}
        />
      )}
    </>
  );
}

function Facts({current, report}: {readonly current: Version; readonly report: ExperimentReport | null}) {
  const {words} = useShell();
  const {definition} = current;
  return (
    <div class="card">
      {definition.hypothesis !== '' && <p class="lead"><Name text={definition.hypothesis} /></p>}
      <p class="facts">
        <span><Badge tone={current.lifecycle === 'running' ? 'info' : current.lifecycle === 'paused' ? 'warn' : ''}>{words[current.lifecycle]}</Badge></span>
        <span>{words.version} {current.version}, {words.phase} {current.phase}</span>
        <span>{words.dataThrough} <strong><Instant at={report?.data_to ?? null} /></strong></span>
        {definition.owner !== '' && <span>{words.owner} <Name text={definition.owner} /></span>}
        <span>{words.control} <Name text={definition.control} /></span>
        <span>{words.unit} <Name text={definition.unit} /></span>
        <span><Weights weights={current.weights} /></span>
      </p>
    </div>
  );
}

function Results({report}: {readonly report: ExperimentReport}) {
  const {words, texts} = useShell();
  const {audit} = report;
  return (
    <>
      <section class={`card verdict ${DECISION_TONE[report.decision]}`} aria-labelledby="verdict">
        <h2 id="verdict">{words.verdict}</h2>
        {report.treatments.map(one => (
          <div key={one.variant}>
            <p class="lead"><DecisionBadge decision={one.decision} /> <Name text={one.headline} /></p>
            {one.reasons.length > 0 && <ul>{one.reasons.map(({code, text}) => <li key={code}><Name text={text} /></li>)}</ul>}
          </div>
        ))}
      </section>
      <section class="card" aria-labelledby="checks">
        <h2 id="checks">{words.checks}</h2>
        <Table
          caption={words.checks}
          isCaptionHidden
          rows={report.health.map((check, index) => ({...check, index}))}
          keyOf={check => String(check.index)}
          columns={[
            {head: texts.label.check, cell: check => `${texts.check[check.code]}${check.subject === '' ? '' : ` · ${check.subject}`}`},
            {head: texts.label.result, cell: check => <Badge tone={CHECK_TONE[check.status] ?? ''}>{texts.checkStatus[check.status]}</Badge>},
            {head: texts.label.explanation, cell: check => <span class="wrap"><Name text={check.text} /></span>},
          ]}
        />
        <p class="soft">{words.auditState}: {audit.mismatch === null ? words['not-checked'] : words.auditChecked(audit.slices_checked, audit.mismatch)}</p>
      </section>
      <MetricsPart report={report} />
    </>
  );
}

function History({versions}: {readonly versions: readonly Version[]}) {
  const {words} = useShell();
  const columns: Column<Version>[] = [
    {head: words.version, cell: one => one.version},
    {head: words.when, cell: one => <Instant at={one.valid_from} />},
    {head: words.lifecycle, cell: one => words[one.lifecycle]},
    {head: words.phase, isNumber: true, cell: one => one.phase},
    {head: words.weights, cell: one => <Weights weights={one.weights} />},
    {head: words.author, cell: one => <Name text={one.author} />},
    {head: words.reason, cell: one => <span class="wrap"><Name text={one.reason} /></span>},
  ];
  return (
    <section class="card" aria-labelledby="history">
      <h2 id="history">{words.history}</h2>
      <Table caption={words.history} isCaptionHidden columns={columns} rows={versions} keyOf={one => String(one.version)} />
    </section>
  );
}
