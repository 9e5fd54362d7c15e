import {useState} from 'preact/hooks';
import {type Delivery, get, send} from '../api.ts';
import {useData, useEvery, useShell} from '../context.ts';
import {Badge, Block, type Column, Instant, Name, PageHead, State, Table, type Tone} from '../parts/basics.tsx';

const TONES: Readonly<Record<Delivery['state'], Tone>> = {delivered: 'good', due: 'info', failed: 'bad', disabled: 'warn'};

export function DeliveriesPage() {
  const {words, me} = useShell();
  const loaded = useData('deliveries', signal => get<{deliveries: Delivery[]}>('/v1/deliveries', {}, signal));
  const [said, setSaid] = useState('');
  const [error, setError] = useState('');
  const [opened, setOpened] = useState<string | null>(null);
  useEvery(5_000, loaded.reload);
  const redeliver = (id: string): void => {
    setError('');
    setSaid('');
    send('POST', `/v1/deliveries/${encodeURIComponent(id)}/redeliver`).then(
      () => {
        setSaid(words.redelivered);
        loaded.reload();
      },
      (failure: unknown) => setError(failure instanceof Error ? failure.message : String(failure)),
    );
  };
  const mayChange = me.role === 'editor' || me.role === 'admin';
  const columns: Column<Delivery>[] = [
    {head: words.subject, cell: one => <Name text={one.subject} />},
    {head: words.channel, cell: one => <Name text={one.channel} />},
    {head: words.state, cell: one => <Badge tone={TONES[one.state]}>{one.state === 'failed' ? words.failed : words[one.state]}</Badge>},
    {head: words.attempts, isNumber: true, cell: one => one.attempt},
    {head: words.answer, cell: one => <span class="wrap"><Name text={[one.last_status ?? '', one.last_error].filter(part => part !== '').join(' ')} /></span>},
    {head: words.when, cell: one => <Instant at={one.changed_at} />},
    {
      head: words.action,
      cell: one => (
        <div class="actions">
          <button type="button" aria-expanded={opened === one.delivery_id} onClick={() => setOpened(opened === one.delivery_id ? null : one.delivery_id)}>{words.log}<span class="visually-hidden"> {one.subject}</span></button>
          {mayChange && <button type="button" onClick={() => redeliver(one.delivery_id)}>{words.redeliver}<span class="visually-hidden"> {one.subject}</span></button>}
        </div>
      ),
    },
  ];
  return (
    <>
      <PageHead title={words.deliveries} />
      {said !== '' && <p class="notice" role="status">{said}</p>}
      {error !== '' && <p class="error" role="alert">{error}</p>}
      <State of={loaded}>
        <div class="card">
          {loaded.data?.deliveries.length === 0 ? <p class="empty">{words.noDeliveries}</p> : <Table caption={words.deliveries} isCaptionHidden columns={columns} rows={loaded.data?.deliveries ?? []} keyOf={one => one.delivery_id} />}
        </div>
        {opened !== null && <Log id={opened} />}
      </State>
    </>
  );
}

function Log({id}: {readonly id: string}) {
  const {words} = useShell();
  const loaded = useData(`delivery/${id}`, signal => get<{attempts: Delivery[]; body: string}>(`/v1/deliveries/${encodeURIComponent(id)}`, {}, signal));
  const columns: Column<Delivery>[] = [
    {head: words.when, cell: one => <Instant at={one.changed_at} />},
    {head: words.state, cell: one => (one.state === 'failed' ? words.failed : words[one.state])},
    {head: words.attempts, isNumber: true, cell: one => one.attempt},
    {head: words.answer, cell: one => <Name text={[one.last_status ?? '', one.last_error].filter(part => part !== '').join(' ')} />},
  ];
  return (
    <section class="card" aria-label={words.log}>
      <h2>{words.log}: <code>{id}</code></h2>
      <State of={loaded}>
        <Table caption={words.log} isCaptionHidden columns={columns} rows={loaded.data?.attempts ?? []} keyOf={one => `${one.changed_at}/${one.state}`} />
        <details><summary>{words.body}</summary><Block label={words.body} text={loaded.data?.body ?? ''} /></details>
      </State>
    </section>
  );
}
