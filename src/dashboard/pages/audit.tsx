import {get} from '../api.ts';
import {useData, useShell} from '../context.ts';
import {type Column, Instant, Name, PageHead, State, Table} from '../parts/basics.tsx';

type Entry = {readonly at: string; readonly actor: string; readonly role: string | null; readonly action: string; readonly target: string; readonly status: number | null; readonly detail: string};

export function AuditPage() {
  const {words} = useShell();
  const loaded = useData('audit', signal => get<{entries: Entry[]}>('/v1/audit', {limit: 500}, signal));
  const rows = (loaded.data?.entries ?? []).map((entry, index) => ({...entry, index}));
  const columns: Column<Entry & {readonly index: number}>[] = [
    {head: words.when, cell: entry => <Instant at={entry.at} />},
    {head: words.actor, cell: entry => <Name text={entry.actor === '' ? '–' : entry.actor} />},
    {head: words.role, cell: entry => entry.role ?? '–'},
    {head: words.action, cell: entry => <code>{entry.action}</code>},
    {head: words.target, cell: entry => <Name text={entry.target} />},
    {head: words.answer, isNumber: true, cell: entry => entry.status ?? ''},
    {head: words.detail, cell: entry => <span class="wrap"><Name text={entry.detail} /></span>},
  ];
  return (
    <>
      <PageHead title={words.audit} />
      <State of={loaded}>
        <div class="card">{rows.length === 0 ? <p class="empty">{words.noEntries}</p> : <Table caption={words.audit} isCaptionHidden columns={columns} rows={rows} keyOf={entry => String(entry.index)} />}</div>
      </State>
    </>
  );
}
