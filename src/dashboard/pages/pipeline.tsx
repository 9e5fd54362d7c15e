import {formatCount, formatNumber} from '../../report/format.ts';
import {get} from '../api.ts';
import {useData, useEvery, useShell} from '../context.ts';
import {Badge, type Column, Instant, Name, PageHead, State, Table} from '../parts/basics.tsx';
import {Chart} from '../parts/chart.tsx';

type Partition = {readonly partition: number; readonly end_offset: string; readonly committed_offset: string; readonly lag_records: number; readonly progress: string | null};
type Pipeline = {
  readonly partitions: readonly Partition[];
  readonly lag_records: number;
  readonly progress: string | null;
  readonly closed_through: string | null;
  readonly paused_seconds: number | null;
  readonly audit: {readonly mismatch: number | null; readonly slices_checked: number; readonly checked_at: string | null} | null;
  readonly versions: Readonly<Record<string, string>>;
};
type Books = Readonly<Record<string, number>>;
type Minute = {readonly minute_ms: number; readonly records: number; readonly dead_letters: number};
type DeadLetter = {readonly partition: number; readonly offset: string; readonly code: string; readonly message: string; readonly arrival_ts: string};

const LEDGER = ['appended', 'accepted', 'duplicate', 'conflict', 'dead_lettered', 'forgotten', 'facts', 'mismatch'] as const;

export function PipelinePage() {
  const {words, stream} = useShell();
  const name = stream?.name;
  const state = useData(`pipeline/${name}`, signal => get<Pipeline>('/v1/pipeline', {stream: name}, signal));
  const throughput = useData(`throughput/${name}`, signal => get<{minutes: Minute[]}>('/v1/throughput', {stream: name}, signal));
  const ledger = useData(`ledger/${name}`, signal => get<{partitions: Books[]; mismatch: number}>('/v1/ledger', {stream: name}, signal));
  const letters = useData(`letters/${name}`, signal => get<{dead_letters: DeadLetter[]}>('/v1/dead-letters', {stream: name, limit: 50}, signal));
  useEvery(3_000, state.reload);
  useEvery(15_000, () => {
    throughput.reload();
    ledger.reload();
    letters.reload();
  });
  return (
    <>
      <PageHead title={words.pipeline} />
      <State of={state}>{state.data !== undefined && <Tiles state={state.data} mismatch={ledger.data?.mismatch} />}</State>
      <section class="card"><h2>{words.throughput}</h2><State of={throughput}><Throughput minutes={throughput.data?.minutes ?? []} /></State></section>
      <section class="card"><h2>{words.lag}</h2><State of={state}><Partitions rows={state.data?.partitions ?? []} /></State></section>
      <section class="card"><h2>{words.ledger}</h2><p class="soft">{words.ledgerNote}</p><State of={ledger}><Ledger rows={ledger.data?.partitions ?? []} /></State></section>
      <section class="card"><h2>{words.deadLetters}</h2><State of={letters}><Letters rows={letters.data?.dead_letters ?? []} /></State></section>
      <section class="card"><h2>{words.versions}</h2><p>{Object.entries(state.data?.versions ?? {}).map(([part, version]) => `${part} ${version}`).join(' · ')}</p></section>
    </>
  );
}

function Tiles({state, mismatch}: {readonly state: Pipeline; readonly mismatch: number | undefined}) {
  const {words} = useShell();
  return (
    <dl class="tiles">
      <div class="tile"><dt>{words.lag}</dt><dd>{formatCount(state.lag_records)} {words.records}</dd></div>
      <div class="tile"><dt>{words.progress}</dt><dd><Instant at={state.progress} /></dd></div>
      <div class="tile"><dt>{words.closedThrough}</dt><dd><Instant at={state.closed_through} /></dd></div>
      <div class="tile"><dt>{words.pausedSeconds}</dt><dd>{state.paused_seconds === null ? <span class="soft">{words.elsewhere}</span> : `${formatNumber(state.paused_seconds)} ${words.seconds}`}</dd></div>
      <div class="tile"><dt>{words.auditState}</dt><dd><AuditState audit={state.audit} /></dd></div>
      <div class="tile"><dt>{words.ledger}</dt><dd>{mismatch === undefined ? '…' : <Badge tone={mismatch === 0 ? 'good' : 'bad'}>{mismatch === 0 ? words.balanced : `${words.unbalanced}: ${mismatch}`}</Badge>}</dd></div>
    </dl>
  );
}

/** Nothing checked is no good news. */
function AuditState({audit}: {readonly audit: Pipeline['audit']}) {
  const {words} = useShell();
  if (audit === null) return <span class="soft">{words.noVerdict}</span>;
  const isSound = audit.mismatch === 0 && audit.slices_checked > 0;
  return <><Badge tone={isSound ? 'good' : 'bad'}>{words.auditChecked(audit.slices_checked, audit.mismatch ?? 0)}</Badge> <span class="soft"><Instant at={audit.checked_at} /></span></>;
}

function Throughput({minutes}: {readonly minutes: readonly Minute[]}) {
  const {words} = useShell();
  const ordered = [...minutes].reverse();
  if (ordered.length === 0) return <p class="empty">{words.none}</p>;
  const columns: Column<Minute>[] = [
    {head: words.when, cell: one => <Instant at={new Date(one.minute_ms).toISOString()} />},
    {head: words.records, isNumber: true, cell: one => formatCount(one.records)},
    {head: words.deadLetters, isNumber: true, cell: one => formatCount(one.dead_letters)},
  ];
  return (
    <>
      <Chart label={words.throughput} times={ordered.map(one => one.minute_ms / 1000)} hasZero lines={[{label: words.records, colour: '--accent', values: ordered.map(one => one.records)}, {label: words.deadLetters, colour: '--bad', values: ordered.map(one => one.dead_letters)}]} />
      <details><summary>{words.asTable}</summary><Table caption={words.throughput} isCaptionHidden columns={columns} rows={minutes} keyOf={one => String(one.minute_ms)} /></details>
    </>
  );
}

function Partitions({rows}: {readonly rows: readonly Partition[]}) {
  const {words} = useShell();
  const columns: Column<Partition>[] = [
    {head: words.partition, cell: one => one.partition},
    {head: words.lag, isNumber: true, cell: one => formatCount(one.lag_records)},
    {head: words.committed, isNumber: true, cell: one => one.committed_offset},
    {head: words.end, isNumber: true, cell: one => one.end_offset},
    {head: words.progress, cell: one => <Instant at={one.progress} />},
  ];
  return <Table caption={words.lag} isCaptionHidden columns={columns} rows={rows} keyOf={one => String(one.partition)} />;
}

function Ledger({rows}: {readonly rows: readonly Books[]}) {
  const {words} = useShell();
  const columns: Column<Books>[] = [
    {head: words.partition, cell: one => one['partition']},
    ...LEDGER.map(key => ({head: words[key], isNumber: true, cell: (one: Books) => formatCount(one[key] ?? 0)})),
  ];
  return <Table caption={words.ledger} isCaptionHidden columns={columns} rows={rows} keyOf={one => `${one['log_epoch']}/${one['partition']}`} />;
}

function Letters({rows}: {readonly rows: readonly DeadLetter[]}) {
  const {words} = useShell();
  if (rows.length === 0) return <p class="empty">{words.noDeadLetters}</p>;
  const columns: Column<DeadLetter>[] = [
    {head: words.code, cell: one => <code>{one.code}</code>},
    {head: words.message, cell: one => <span class="wrap"><Name text={one.message} /></span>},
    {head: words.partition, isNumber: true, cell: one => `${one.partition} @ ${one.offset}`},
    {head: words.arrived, cell: one => <Instant at={one.arrival_ts} />},
  ];
  return <Table caption={words.deadLetters} isCaptionHidden columns={columns} rows={rows} keyOf={one => `${one.partition}/${one.offset}`} />;
}
