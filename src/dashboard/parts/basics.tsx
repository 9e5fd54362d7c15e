import type {ComponentChildren} from 'preact';
import type {Decision} from '../../core/verdict.ts';
import {formatInstant} from '../../report/format.ts';
import {visible} from '../../report/markup.ts';
import {type Loaded, useShell} from '../context.ts';

export type Tone = 'good' | 'bad' | 'warn' | 'info' | '';

export const DECISION_TONE: Readonly<Record<Decision, Tone>> = {ship: 'good', roll_back: 'bad', unhealthy: 'bad', no_data: 'warn', inconclusive: 'warn', keep_running: 'info'};

/** The word carries the meaning, the colour repeats it. */
export const Badge = ({tone, children}: {readonly tone: Tone; readonly children: ComponentChildren}) => <span class={`badge ${tone}`}>{children}</span>;

export function DecisionBadge({decision}: {readonly decision: Decision}) {
  const {texts} = useShell();
  return <Badge tone={DECISION_TONE[decision]}>{texts.decision[decision]}</Badge>;
}

/** A name that came from a service: control characters and those that turn the direction are shown as such. */
export const Name = ({text}: {readonly text: string}) => <bdi>{visible(text)}</bdi>;

export const Instant = ({at}: {readonly at: string | null}) =>
  at === null ? <span class="soft">–</span> : <time dateTime={at}>{formatInstant(at.replace(/(\d\d:\d\d:\d\d)\.\d+Z$/, '$1Z'))}</time>;

/** What is shown while, and instead of, data. */
export function State({of, children}: {readonly of: Pick<Loaded<unknown>, 'data' | 'error' | 'reload'>; readonly children?: ComponentChildren}) {
  const {words} = useShell();
  return (
    <>
      {of.error !== '' && <p class="error" role="alert">{words.failed}: {of.error} <button type="button" onClick={of.reload}>{words.retry}</button></p>}
      {of.data === undefined && of.error === '' && <p class="empty" role="status">{words.loading}</p>}
      {of.data !== undefined && children}
    </>
  );
}

export function PageHead({title, children}: {readonly title: string; readonly children?: ComponentChildren}) {
  document.title = title === 'Assay' ? 'Assay' : `${title} · Assay`;
  return <div class="head"><h1>{title}</h1>{children}</div>;
}

export type Column<Row> = {readonly head: string; readonly isNumber?: boolean; cell(row: Row): ComponentChildren};

type TableProps<Row> = {
  readonly caption: string;
  readonly isCaptionHidden?: boolean;
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  keyOf(row: Row): string;
};

/** The first column heads its row. The caption that is seen stands outside of what scrolls, or a narrow page would cut it off. */
export const Table = <Row,>({caption, isCaptionHidden = false, ...table}: TableProps<Row>) => (
  <>
    {!isCaptionHidden && <p class="caption" aria-hidden="true">{caption}</p>}
    <Scrolled caption={caption} {...table} />
  </>
);

function Scrolled<Row>({caption, columns, rows, keyOf}: Omit<TableProps<Row>, 'isCaptionHidden'>) {
  return (
    // biome-ignore lint/a11y: what scrolls must be reachable by keyboard, and is no landmark beside the section it is in
    <div class="scroll" tabIndex={0} role="group" aria-label={caption}>
      <table>
        <caption class="visually-hidden">{caption}</caption>
        <thead><tr>{columns.map(({head, isNumber}) => <th key={head} scope="col" class={isNumber === true ? 'number' : ''}>{head}</th>)}</tr></thead>
        <tbody>
          {rows.map(row => (
            <tr key={keyOf(row)}>
              {columns.map(({head, isNumber, cell}, index) =>
                index === 0 ? <th key={head} scope="row">{cell(row)}</th> : <td key={head} class={isNumber === true ? 'number' : ''}>{cell(row)}</td>,
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Text as it is, which scrolls when it is long. */
export const Block = ({label, text}: {readonly label: string; readonly text: string}) => (
  // biome-ignore lint/a11y: what scrolls must be reachable by keyboard
  <div tabIndex={0} role="group" aria-label={label}><pre>{visible(text)}</pre></div>
);
