import {useState} from 'preact/hooks';
import {formatNumber} from '../../report/format.ts';
import {get} from '../api.ts';
import {useData, useShell} from '../context.ts';
import {type Column, Instant, Name, PageHead, State, Table} from '../parts/basics.tsx';

type Guard = {
  readonly rule: string | null;
  readonly experiment: string;
  readonly metric: string;
  readonly window_s: number;
  readonly above: number | null;
  readonly below: number | null;
  readonly min_n: number;
  readonly action: string;
  readonly lifecycle: 'draft' | 'running' | 'paused' | 'concluded' | 'archived';
};

type Tried = {readonly from: string; readonly to: string; readonly episodes: readonly {readonly variant: string; readonly fired_at: string; readonly resolved_at: string | null; readonly reason: string}[]};

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
            <ul>{tried.episodes.slice(0, EPISODES_SHOWN).map(episode => <li key={`${episode.variant}/${episode.fired_at}`}><Instant at={episode.fired_at} /> <Name text={`${episode.variant}: ${episode.reason}`} /></li>)}</ul>
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
  const bound = ({above, below}: Guard): string => [above === null ? '' : `${words.above} ${formatNumber(above)}`, below === null ? '' : `${words.below} ${formatNumber(below)}`].filter(text => text !== '').join(', ');
  const columns: Column<Guard>[] = [
    {head: words.experiment, cell: guard => <Name text={guard.experiment} />},
    {head: words.metric, cell: guard => <Name text={guard.metric} />},
    {head: words.bound, cell: bound},
    {head: words.window, isNumber: true, cell: guard => `${guard.window_s} ${words.seconds}`},
    {head: words.minN, isNumber: true, cell: guard => formatNumber(guard.min_n)},
    {head: words.action, cell: guard => guard.action},
    {head: words.lifecycle, cell: guard => words[guard.lifecycle]},
    {head: words.backtest, cell: guard => (guard.rule === null ? <span class="soft">{words.noBacktest}</span> : <Backtest rule={guard.rule} about={`${guard.experiment} ${guard.metric}`} />)},
  ];
  return (
    <>
      <PageHead title={words.guards} />
      <State of={loaded}>
        <div class="card">
          {loaded.data?.guards.length === 0 ? <p class="empty">{words.noGuards}</p> : <Table caption={words.guards} isCaptionHidden columns={columns} rows={loaded.data?.guards ?? []} keyOf={guard => `${guard.experiment}/${guard.metric}/${guard.window_s}/${guard.above}/${guard.below}`} />}
        </div>
      </State>
    </>
  );
}
