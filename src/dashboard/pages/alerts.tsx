import {formatNumber} from '../../report/format.ts';
import {type Alert, get} from '../api.ts';
import {useData, useEvery, useShell} from '../context.ts';
import {Badge, type Column, Instant, Name, PageHead, State, Table} from '../parts/basics.tsx';

export function AlertsPage() {
  const {words, stream} = useShell();
  const loaded = useData(`alerts/${stream?.name}`, signal => get<{alerts: Alert[]}>('/v1/alerts', {stream: stream?.name}, signal));
  useEvery(5_000, loaded.reload);
  const columns: Column<Alert>[] = [
    {head: words.rule, cell: alert => <Name text={alert.rule} />},
    {head: words.state, cell: alert => <Badge tone={alert.state === 'firing' ? 'bad' : alert.state === 'pending' ? 'warn' : 'good'}>{words[alert.state]}</Badge>},
    {head: words.severity, cell: alert => alert.severity},
    {head: words.experiment, cell: alert => <Name text={`${alert.experiment}${alert.variant === '' ? '' : ` / ${alert.variant}`}`} />},
    {head: words.value, isNumber: true, cell: alert => (alert.value === null ? '–' : formatNumber(alert.value))},
    {head: words.threshold, isNumber: true, cell: alert => (alert.threshold === null ? '–' : formatNumber(alert.threshold))},
    {head: words.reason, cell: alert => <span class="wrap"><Name text={alert.reason} /></span>},
    {head: words.when, cell: alert => <Instant at={alert.changed_at} />},
  ];
  return (
    <>
      <PageHead title={words.alerts} />
      <State of={loaded}>
        <div class="card">
          {loaded.data?.alerts.length === 0 ? <p class="empty">{words.noAlerts}</p> : <Table caption={words.alerts} isCaptionHidden columns={columns} rows={loaded.data?.alerts ?? []} keyOf={alert => alert.alert_id} />}
        </div>
      </State>
    </>
  );
}
