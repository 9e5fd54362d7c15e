import {formatNumber} from '../../report/format.ts';
import {get} from '../api.ts';
import {useData, useShell} from '../context.ts';
import {type Column, Name, PageHead, State, Table} from '../parts/basics.tsx';

type Guard = {
  readonly experiment: string;
  readonly metric: string;
  readonly window_s: number;
  readonly above: number | null;
  readonly below: number | null;
  readonly min_n: number;
  readonly action: string;
  readonly lifecycle: 'draft' | 'running' | 'paused' | 'concluded' | 'archived';
};

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
