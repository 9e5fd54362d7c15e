import {useEffect, useRef, useState} from 'preact/hooks';
import {formatShare} from '../../report/format.ts';
import {experimentPath, send, type Version} from '../api.ts';
import {useShell} from '../context.ts';
import {Name} from './basics.tsx';

export type Change = 'start' | 'pause' | 'resume' | 'conclude' | 'archive' | 'weights';

export const CHANGES: Readonly<Record<string, readonly Change[]>> = {
  draft: ['start', 'weights', 'archive'],
  running: ['pause', 'weights', 'conclude'],
  paused: ['resume', 'weights', 'conclude'],
  concluded: ['archive'],
  archived: [],
};

type DialogProps = {
  readonly change: Change;
  readonly version: Version;
  onDone(said: string): void;
  onCancel(): void;
};

/** Asks why, and makes the change from the version that is shown: somebody faster is not overwritten. */
export function ChangeDialog({change, version: current, onDone, onCancel}: DialogProps) {
  // What was on the page when it was opened: a colleague's change meanwhile is to be noticed, not overwritten.
  const [version] = useState(current);
  const {words, stream} = useShell();
  const dialog = useRef<HTMLDialogElement>(null);
  const [reason, setReason] = useState('');
  const [weights, setWeights] = useState<Readonly<Record<string, string>>>(() => Object.fromEntries(Object.entries(version.weights).map(([key, weight]) => [key, String(weight)])));
  const [error, setError] = useState('');
  const [isBusy, setBusy] = useState(false);
  useEffect(() => dialog.current?.showModal(), []);
  const total = Object.values(weights).reduce((sum, weight) => sum + (Number(weight) || 0), 0);

  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    setError('');
    try {
      const numbers = Object.fromEntries(Object.entries(weights).map(([key, weight]) => [key, Number(weight)]));
      const body = {reason, expected_version: version.version, stream: stream?.name, ...(change === 'weights' ? {weights: numbers} : {})};
      const made = await send<Version & {moved_share?: number}>('POST', `${experimentPath(version.experiment)}/${change}`, body);
      onDone(`${words.done(made.version)}${made.moved_share === undefined ? '' : ` ${words.moved(formatShare(made.moved_share))}`}`);
    } catch (failure) {
      setError(failure instanceof Error ? failure.message : String(failure));
      setBusy(false);
    }
  };
  return (
    <dialog ref={dialog} aria-labelledby="change-title" onClose={onCancel}>
      <form onSubmit={event => void submit(event)}>
        <h2 id="change-title">{change === 'weights' ? words.editWeights : words[change]}: <Name text={version.experiment} /></h2>
        <p>{words[`${change}What`]}</p>
        {change === 'weights' && Object.keys(version.weights).map(key => (
          <label key={key}><Name text={key} />
            <input type="number" min="0" step="any" required value={weights[key]} onInput={event => setWeights({...weights, [key]: event.currentTarget.value})} />
            <span>{words.sumOf(total > 0 ? formatShare((Number(weights[key]) || 0) / total) : '–')}</span>
          </label>
        ))}
        <label>{words.reasonWhy}
          <textarea required maxLength={2000} value={reason} onInput={event => setReason(event.currentTarget.value)} />
        </label>
        {error !== '' && <p class="error" role="alert">{error}</p>}
        <div class="actions">
          <button type="submit" class="primary" disabled={isBusy}>{words.confirm}</button>
          <button type="button" onClick={() => dialog.current?.close()}>{words.cancel}</button>
        </div>
      </form>
    </dialog>
  );
}
