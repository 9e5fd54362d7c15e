import {useMemo, useState} from 'preact/hooks';
import type {Decision} from '../../core/verdict.ts';
import {formatCount, formatShare} from '../../report/format.ts';
import {addressOf, get, type Lifecycle, type Listed} from '../api.ts';
import {useData, useLive, useShell} from '../context.ts';
import {Badge, type Column, DecisionBadge, Instant, Name, PageHead, State, Table} from '../parts/basics.tsx';

const LIFECYCLES: readonly Lifecycle[] = ['running', 'paused', 'draft', 'concluded', 'archived'];
const DECISIONS: readonly Decision[] = ['roll_back', 'unhealthy', 'ship', 'no_data', 'inconclusive', 'keep_running'];

type Page = {readonly experiments: readonly Listed[]; readonly next_cursor: string | null};

/** Every page of them: the list is short enough to look through as a whole. */
async function loadAll(stream: string, signal: AbortSignal): Promise<Listed[]> {
  const all: Listed[] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const page: Page = await get('/v1/experiments', {stream, limit: 1000, cursor}, signal);
    all.push(...page.experiments);
    cursor = page.next_cursor;
  }
  return all;
}

export function ListPage() {
  const {words, texts, stream} = useShell();
  const [search, setSearch] = useState('');
  const [lifecycle, setLifecycle] = useState('');
  const [decision, setDecision] = useState('');
  const name = stream?.name ?? '';
  const loaded = useData(`list/${name}`, signal => (name === '' ? Promise.resolve([]) : loadAll(name, signal)));
  useLive(name === '' ? null : addressOf('/v1/live', {stream: name, size_s: (stream?.slice_ms ?? 10_000) / 1000, slide_s: (stream?.slice_ms ?? 10_000) / 1000}), {decision: loaded.reload, config: loaded.reload});
  const shown = useMemo(() => sorted(loaded.data ?? []).filter(one => isShown(one, {search, lifecycle, decision})), [loaded.data, search, lifecycle, decision]);
  const all = loaded.data?.length ?? 0;
  return (
    <>
      <PageHead title={words.experiments} />
      <State of={loaded}>
        {all === 0 ? <p class="card empty">{words.noExperiments}</p> : (
          <div class="card">
            <div class="filters">
              <label>{words.search}<input type="search" value={search} onInput={event => setSearch(event.currentTarget.value)} /></label>
              <label>{words.lifecycle}
                <select value={lifecycle} onChange={event => setLifecycle(event.currentTarget.value)}>
                  <option value="">{words.all}</option>
                  {LIFECYCLES.map(one => <option key={one} value={one}>{words[one]}</option>)}
                </select>
              </label>
              <label>{words.decision}
                <select value={decision} onChange={event => setDecision(event.currentTarget.value)}>
                  <option value="">{words.all}</option>
                  {DECISIONS.map(one => <option key={one} value={one}>{texts.decision[one]}</option>)}
                </select>
              </label>
            </div>
            <p class="soft" role="status">{shown.length === 0 ? words.noMatch : words.listOf(shown.length, all)}</p>
            {shown.length > 0 && <Experiments rows={shown} />}
          </div>
        )}
      </State>
    </>
  );
}

function Experiments({rows}: {readonly rows: readonly Listed[]}) {
  const {words, stream} = useShell();
  const columns: Column<Listed>[] = [
    {head: words.experiment, cell: one => <><a href={addressOf(`/experiments/${encodeURIComponent(one.experiment)}`, {stream: stream?.name === 'live' ? undefined : stream?.name})}><Name text={one.experiment} /></a>{one.owner !== '' && <div class="soft"><Name text={one.owner} /></div>}</>},
    {head: words.decision, cell: ({results}) => (results === null ? <span class="soft">{words.noVerdict}</span> : <Treatments {...results} />)},
    {head: words.health, cell: ({results}) => (results === null ? '' : <Badge tone={results.health === 'unhealthy' ? 'bad' : results.health === 'healthy' ? 'good' : ''}>{words[results.health]}</Badge>)},
    {head: words.traffic, isNumber: true, cell: ({results}) => (results === null ? '' : `${formatCount(results.units)} ${words.units}`)},
    {head: words.variants, cell: one => <Weights weights={one.weights} />},
    {head: words.lifecycle, cell: one => <Badge tone={one.lifecycle === 'running' ? 'info' : one.lifecycle === 'paused' ? 'warn' : ''}>{words[one.lifecycle]}</Badge>},
    {head: words.dataThrough, cell: ({results}) => <Instant at={results?.data_to ?? null} />},
  ];
  return <Table caption={words.experiments} isCaptionHidden columns={columns} rows={rows} keyOf={one => one.experiment} />;
}

function Treatments({treatments, decision}: NonNullable<Listed['results']>) {
  if (treatments.length < 2) return <DecisionBadge decision={decision} />;
  return <>{treatments.map(one => <div key={one.variant}><DecisionBadge decision={one.decision} /> <Name text={one.variant} /></div>)}</>;
}

export function Weights({weights}: {readonly weights: Readonly<Record<string, number>>}) {
  const total = Object.values(weights).reduce((sum, weight) => sum + weight, 0);
  return <>{Object.entries(weights).map(([key, weight], index) => <span key={key}>{index > 0 && ', '}<Name text={key} /> {total > 0 ? formatShare(weight / total) : '–'}</span>)}</>;
}

/** Most urgent first, then the running ones, then by name. */
function sorted(experiments: readonly Listed[]): Listed[] {
  const urgency = ({results, lifecycle}: Listed): number => (lifecycle === 'concluded' || lifecycle === 'archived' ? 50 : results === null ? 20 : DECISIONS.indexOf(results.decision));
  return [...experiments].sort((a, b) => urgency(a) - urgency(b) || LIFECYCLES.indexOf(a.lifecycle) - LIFECYCLES.indexOf(b.lifecycle) || (a.experiment < b.experiment ? -1 : 1));
}

type Filter = {readonly search: string; readonly lifecycle: string; readonly decision: string};

function isShown({experiment, owner, lifecycle, results}: Listed, filter: Filter): boolean {
  const text = `${experiment} ${owner}`.toLowerCase();
  const isDecided = filter.decision === '' || results?.treatments.some(({decision}) => decision === filter.decision) === true;
  return text.includes(filter.search.trim().toLowerCase()) && (filter.lifecycle === '' || lifecycle === filter.lifecycle) && isDecided;
}
