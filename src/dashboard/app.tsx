import {useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState} from 'preact/hooks';
import {ENGLISH} from '../report/texts.ts';
import {CHINESE} from '../report/texts-zh.ts';
import {addressOf, ApiError, get, type Me, send, type StreamInfo} from './api.ts';
import {type Shell, ShellContext} from './context.ts';
import {AlertsPage} from './pages/alerts.tsx';
import {AuditPage} from './pages/audit.tsx';
import {DeliveriesPage} from './pages/deliveries.tsx';
import {ExperimentPage} from './pages/experiment.tsx';
import {GuardsPage} from './pages/guards.tsx';
import {ListPage} from './pages/list.tsx';
import {PipelinePage} from './pages/pipeline.tsx';
import {SignIn} from './pages/sign-in.tsx';
import {ENGLISH_WORDS, type Words} from './texts.ts';
import {CHINESE_WORDS} from './texts-zh.ts';

type Language = 'en' | 'zh';
type Theme = 'auto' | 'light' | 'dark';
type Start = {readonly me: Me; readonly streams: readonly StreamInfo[]; readonly standing: string | null};

/** Private windows may forbid storage; then a choice holds for the page alone. */
function remembered(name: string): string | null {
  try {
    return localStorage.getItem(`assay.${name}`);
  } catch {
    return null;
  }
}
function remember(name: string, value: string): void {
  try {
    localStorage.setItem(`assay.${name}`, value);
  } catch {
    // Then it is not remembered.
  }
}

export function App() {
  const [language, setLanguage] = useState<Language>(() => (remembered('language') ?? navigator.language).startsWith('zh') ? 'zh' : 'en');
  const [theme, setTheme] = useState<Theme>(() => (remembered('theme') as Theme | null) ?? 'auto');
  const [start, setStart] = useState<Start | 'signed-out' | 'loading' | {readonly error: string}>('loading');
  const [location, setLocation] = useState(() => window.location.pathname + window.location.search);
  const words = language === 'zh' ? CHINESE_WORDS : ENGLISH_WORDS;

  // Before the next paint, so that nothing is shown, or lost by leaving, in between.
  useLayoutEffect(() => {
    document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en';
    remember('language', language);
  }, [language]);
  useLayoutEffect(() => {
    if (theme === 'auto') delete document.documentElement.dataset['theme'];
    else document.documentElement.dataset['theme'] = theme;
    remember('theme', theme);
  }, [theme]);
  useEffect(() => {
    const onMove = () => setLocation(window.location.pathname + window.location.search);
    window.addEventListener('popstate', onMove);
    return () => window.removeEventListener('popstate', onMove);
  }, []);

  const load = useCallback(() => {
    loadStart().then(setStart, (error: unknown) => setStart(error instanceof ApiError && error.status === 401 ? 'signed-out' : {error: error instanceof Error ? error.message : String(error)}));
  }, []);
  useEffect(load, []);
  const go = useCallback((address: string) => {
    window.history.pushState(null, '', address);
    setLocation(address);
    window.scrollTo(0, 0);
  }, []);

  if (start === 'loading') return <p class="loading" role="status">{words.loading}</p>;
  if (start === 'signed-out') return <SignIn words={words} onSignedIn={load} />;
  if ('error' in start) return <p class="loading error" role="alert">{words.failed}: {start.error} <button type="button" onClick={load}>{words.retry}</button></p>;
  return <Frame {...{start, words, language, setLanguage, theme, setTheme, location, go}} onSignedOut={() => setStart('signed-out')} />;
}

async function loadStart(): Promise<Start> {
  const me = await get<Me>('/v1/me');
  if (me.role === 'ingest') throw new ApiError(403, 'a key with the role ingest reads nothing; sign in with one of a viewer');
  const {streams, default: standing} = await get<{streams: StreamInfo[]; default: string | null}>('/v1/streams');
  return {me, streams, standing};
}

type FrameProps = {
  readonly start: Start;
  readonly words: Words;
  readonly language: Language;
  readonly setLanguage: (language: Language) => void;
  readonly theme: Theme;
  readonly setTheme: (theme: Theme) => void;
  readonly location: string;
  readonly go: (address: string) => void;
  readonly onSignedOut: () => void;
};

function Frame({start, words, language, setLanguage, theme, setTheme, location, go, onSignedOut}: FrameProps) {
  const {pathname, searchParams} = new URL(location, window.location.origin);
  const systemTheme = useSystemTheme();
  const name = searchParams.get('stream') ?? start.standing ?? start.streams[0]?.name;
  const stream = start.streams.find(one => one.name === name);
  const main = useRef<HTMLElement>(null);
  const isFirst = useRef(true);
  useEffect(() => {
    // A screen reader hears the new page; at the first one it begins by itself.
    if (!isFirst.current) main.current?.focus();
    isFirst.current = false;
  }, [pathname]);
  const shell = useMemo<Shell>(
    () => ({me: start.me, words, texts: language === 'zh' ? CHINESE : ENGLISH, language, stream, theme: `${theme}/${systemTheme}`, go, onSignedOut}),
    [start, words, language, stream, theme, systemTheme],
  );
  const onClick = (event: MouseEvent): void => {
    const link = (event.target as Element).closest('a[href^="/"]');
    if (link === null || event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    go(link.getAttribute('href') ?? '/');
  };
  const signOut = (): void => void send('DELETE', '/v1/session').then(onSignedOut, onSignedOut);
  return (
    <ShellContext.Provider value={shell}>
      {/* biome-ignore lint/a11y: links inside are ordinary links; this only keeps the page loaded */}
      <div onClick={onClick}>
        <a class="skip" href="#content">{words.skip}</a>
        <header class="top">
          <a class="brand" href={withStream('/', stream?.name, start.standing)}><img src="/assets/icon.svg" alt="" width="24" height="24" />Assay</a>
          <Navigation {...{words, pathname, me: start.me}} addressFor={path => withStream(path, stream?.name, start.standing)} />
          <div class="tools">
            {start.streams.length > 1 && (
              <label>{words.stream}
                <select value={stream?.name} onChange={event => go(addressOf(pathname.startsWith('/experiments/') ? '/' : pathname, {stream: event.currentTarget.value}))}>
                  {start.streams.map(one => <option key={one.name} value={one.name}>{one.name}</option>)}
                </select>
              </label>
            )}
            <label>{words.language}
              <select value={language} onChange={event => setLanguage(event.currentTarget.value as Language)}>
                <option value="en" lang="en">English</option>
                <option value="zh" lang="zh-CN">中文</option>
              </select>
            </label>
            <label>{words.theme}
              <select value={theme} onChange={event => setTheme(event.currentTarget.value as Theme)}>
                <option value="auto">{words.themeAuto}</option>
                <option value="light">{words.themeLight}</option>
                <option value="dark">{words.themeDark}</option>
              </select>
            </label>
            {start.me.key_id !== null && <button type="button" class="plain" onClick={signOut} title={`${start.me.name} (${start.me.role})`}>{words.signOut}</button>}
          </div>
        </header>
        <main id="content" tabIndex={-1} ref={main}>
          <Page pathname={pathname} />
        </main>
      </div>
    </ShellContext.Provider>
  );
}

const withStream = (path: string, stream: string | undefined, standing: string | null): string => addressOf(path, {stream: stream === standing ? undefined : stream});

const PAGES = [['/', 'experiments'], ['/alerts', 'alerts'], ['/guards', 'guards'], ['/deliveries', 'deliveries'], ['/pipeline', 'pipeline'], ['/audit', 'audit']] as const;

function Navigation({words, pathname, me, addressFor}: {readonly words: Words; readonly pathname: string; readonly me: Me; readonly addressFor: (path: string) => string}) {
  const shown = PAGES.filter(([path]) => path !== '/audit' || me.role === 'admin');
  return (
    <nav aria-label={words.pages}>
      <ul>
        {shown.map(([path, word]) => (
          <li key={path}><a href={addressFor(path)} aria-current={pathname === path || (path === '/' && pathname.startsWith('/experiments/')) ? 'page' : undefined}>{words[word]}</a></li>
        ))}
      </ul>
    </nav>
  );
}

function Page({pathname}: {readonly pathname: string}) {
  const [, experiment] = /^\/experiments\/([^/]+)$/.exec(pathname) ?? [];
  if (experiment !== undefined) return <ExperimentPage key={experiment} experiment={decode(experiment)} />;
  switch (pathname) {
    case '/alerts':
      return <AlertsPage />;
    case '/guards':
      return <GuardsPage />;
    case '/deliveries':
      return <DeliveriesPage />;
    case '/pipeline':
      return <PipelinePage />;
    case '/audit':
      return <AuditPage />;
    default:
      return <ListPage />;
  }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function useSystemTheme(): 'light' | 'dark' {
  const query = useMemo(() => window.matchMedia('(prefers-color-scheme: dark)'), []);
  const [isDark, setDark] = useState(query.matches);
  useEffect(() => {
    const onChange = (): void => setDark(query.matches);
    query.addEventListener('change', onChange);
    return () => query.removeEventListener('change', onChange);
  }, []);
  return isDark ? 'dark' : 'light';
}
