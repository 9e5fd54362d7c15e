import {createContext} from 'preact';
import {useCallback, useContext, useEffect, useRef, useState} from 'preact/hooks';
import type {Texts} from '../report/texts.ts';
import {ApiError, type Me, type StreamInfo} from './api.ts';
import type {Words} from './texts.ts';

export type Shell = {
  readonly me: Me;
  readonly words: Words;
  /** The words of reports. */
  readonly texts: Texts;
  readonly language: 'en' | 'zh';
  /** The stream that is looked at; undefined while there is none. */
  readonly stream: StreamInfo | undefined;
  /** Rises when colours change: what is drawn on a canvas is drawn anew. */
  readonly theme: string;
  go(address: string): void;
  onSignedOut(): void;
};

export const ShellContext = createContext<Shell | null>(null);

export function useShell(): Shell {
  const shell = useContext(ShellContext);
  if (shell === null) throw new Error('assertion failed: a page is inside the shell');
  return shell;
}

export type Loaded<T> = {readonly data: T | undefined; readonly error: string; reload(): void};

/** Loads once per key, and again on `reload`. Data stays while newer data is on its way. */
export function useData<T>(key: string, load: (signal: AbortSignal) => Promise<T>): Loaded<T> {
  const {onSignedOut} = useShell();
  const [state, setState] = useState<{readonly key: string; readonly data: T | undefined; readonly error: string}>({key, data: undefined, error: ''});
  const [round, setRound] = useState(0);
  const latest = useRef(load);
  latest.current = load;
  useEffect(() => {
    const abort = new AbortController();
    latest.current(abort.signal).then(
      data => setState({key, data, error: ''}),
      (error: unknown) => {
        if (abort.signal.aborted) return;
        if (error instanceof ApiError && error.status === 401) onSignedOut();
        setState(old => ({key, data: old.key === key ? old.data : undefined, error: error instanceof Error ? error.message : String(error)}));
      },
    );
    return () => abort.abort();
  }, [key, round]);
  const reload = useCallback(() => setRound(old => old + 1), []);
  return {data: state.key === key ? state.data : undefined, error: state.key === key ? state.error : '', reload};
}

/** Calls again and again while the page is looked at. */
export function useEvery(everyMs: number, act: () => void): void {
  const latest = useRef(act);
  latest.current = act;
  useEffect(() => {
    const timer = setInterval(() => {
      if (document.visibilityState === 'visible') latest.current();
    }, everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
}

type Handlers = Readonly<Record<string, (data: unknown) => void>>;

/** Server-sent events. @returns whether the connection stands */
export function useLive(address: string | null, handlers: Handlers): boolean {
  const [isOpen, setOpen] = useState(false);
  const latest = useRef(handlers);
  latest.current = handlers;
  useEffect(() => {
    if (address === null) return undefined;
    const source = new EventSource(address);
    source.onopen = () => setOpen(true);
    source.onerror = () => setOpen(false);
    for (const name of ['windows', 'decision', 'config']) {
      source.addEventListener(name, event => latest.current[name]?.(JSON.parse((event as MessageEvent<string>).data)));
    }
    return () => source.close();
  }, [address]);
  return isOpen;
}
