import {useState} from 'preact/hooks';
import {formatCount, formatNumber, formatShare, formatSigned} from '../../report/format.ts';
import {get} from '../api.ts';
import {useData, useShell} from '../context.ts';
import {type Column, Instant, Name, PageHead, State, Table} from '../parts/basics.tsx';

type Guard = {
  readonly rule: string;
  readonly kind: 'window' | 'compare' | 'health' | 'drift';
  readonly experiment: string;
  readonly metric: string;
  readonly window_s: number;
  readonly above: number | null;
  readonly below: number | null;
  readonly tolerate: {readonly relative: number} | {readonly absolute: number} | null;
  readonly min_n: number;
  readonly action: string;
  readonly lifecycle: 'draft' | 'running' | 'paused' | 'concluded' | 'archived';
};

type Tried = {readonly from: string; readonly to: string; readonly episodes: readonly Episode[]};
type Episode = {
  readonly variant: string;
  readonly fired_at: string;
  readonly resolved_at: string | null;
  readonly reason: string;
  readonly prevented: {readonly outcomes: number; readonly metrics: readonly {readonly metric: string; readonly value: number | null; readonly control: number | null; readonly excess: number | null}[]} | null;
};

/** What the variant did while it would have been cut off. */
function Prevented({prevented}: Pick<Episode, 'prevented'>) {
  const {words} = useShell();
  if (prevented === null) return null;
  const shown = prevented.metrics.flatMap(({metric, value, control, excess}) => {
    if (value === null) return [];
    const against = control === null ? '' : ` ${words.against} ${formatNumber(control)}`;
    return [`${metric} ${formatNumber(value)}${against}${excess === null ? '' : ` (${words.worseInAll(formatSigned(excess))})`}`];
  });
  return <p class="soft"><Name text={[words.prevented(formatCount(prevented.outcomes)), ...shown].join('; ')} /></p>;
}

/** Asked for by hand: it reads a week of windows. */
function Backtest({rule, about}: {readonly rule: string; readonly about: string}) {
  const {words, stream} = useShell();
  const [tried, setTried] = useState<Tried | null>(null);
  const [state, setState] = useState<'idle' | 'busy' | string>('idle');
  const run = async (): Promise<void> => {
    setState('busy');
    try {
      setTried(await get<Tried>('/v1/guards/backtest', {stream: stream?.name, rule}));
      setState('idle');
    } catch (error) {
      setState(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <>
      <button type="button" disabled={state === 'busy'} aria-label={`${words.tryIt}: ${about}`} onClick={() => void run()}>{words.tryIt}</button>
      <div role="status">
        {state === 'busy' && words.loading}
        {state !== 'busy' && state !== 'idle' && <span class="error">{state}</span>}
        {tried !== null && state === 'idle' && (
          <details open={tried.episodes.length > 0}>
            <summary>{words.wouldHaveFired(tried.episodes.length)}</summary>
            <p class="soft"><Instant at={tried.from} /> – <Instant at={tried.to} /></p>
            <ul>{tried.episodes.slice(0, EPISODES_SHOWN).map(episode => <li key={`${episode.variant}/${episode.fired_at}`}><Instant at={episode.fired_at} /> <Name text={`${episode.variant}: ${episode.reason}`} /><Prevented prevented={episode.prevented} /></li>)}</ul>
          </details>
        )}
      </div>
    </>
  );
}

const EPISODES_SHOWN = 50;

export function GuardsPage() {
  const {words, stream} = useShell();
  const loaded = useData(`guards/${stream?.name}`, signal => get<{guards: Guard[]}>('/v1/guards', {stream: stream?.name}, signal));
  const tolerated = ({tolerate}: Guard): string =>
    tolerate === null ? '' : words.tolerated('relative' in tolerate ? formatShare(tolerate.relative) : formatNumber(tolerate.absolute));
  const bound = (guard: Guard): string => [tolerated(guard), ...bounds(guard)].filter(text => text !== '').join(', ');
  const bounds = ({above, below}: Guard): string[] => [above === null ? '' : `${words.above} ${formatNumber(above)}`, below === null ? '' : `${words.below} ${formatNumber(below)}`];
  const subject = ({kind, metric}: Guard): string => (metric === '' ? words.guardKind[kind] : metric);
  const columns: Column<Guard>[] = [
    {head: words.experiment, cell: guard => <Name text={guard.experiment} />},
    {head: words.kind, cell: guard => words.guardKind[guard.kind]},
    {head: words.metric, cell: guard => <Name text={guard.metric} />},
    {head: words.bound, cell: bound},
    {head: words.window, isNumber: true, cell: guard => `${guard.window_s} ${words.seconds}`},
    {head: words.minN, isNumber: true, cell: guard => formatNumber(guard.min_n)},
    {head: words.action, cell: guard => guard.action},
    {head: words.lifecycle, cell: guard => words[guard.lifecycle]},
    {head: words.backtest, cell: guard => <Backtest rule={guard.rule} about={`${guard.experiment} ${subject(guard)}`} />},
  ];
  return (
    <>
      <PageHead title={words.guards} />
      <State of={loaded}>
        <div class="card">
          {loaded.data?.guards.length === 0 ? <p class="empty">{words.noGuards}</p> : <Table caption={words.guards} isCaptionHidden columns={columns} rows={loaded.data?.guards ?? []} keyOf={guard => guard.rule} />}
        </div>
      </State>
    </>
  );
}
