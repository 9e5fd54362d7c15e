import type {Route} from './route.ts';

type Matched = {readonly pattern: RegExp; readonly methods: readonly string[]};

/** A stream of events has no end to leave out. */
export const answersHead = ({method, answers}: Route): boolean => method === 'GET' && answers[200]?.type !== 'text/event-stream';

/** Which methods an address of the table takes, whatever its parameters are. */
export class Methods {
  readonly #matched: readonly Matched[];

  constructor(routes: readonly Route[]) {
    this.#matched = routes.map(route => ({pattern: patternOf(route.path), methods: answersHead(route) ? ['GET', 'HEAD'] : [route.method]}));
  }

  /** Empty where there is nothing at all. */
  at(path: string): readonly string[] {
    const methods = this.#matched.filter(({pattern}) => pattern.test(path)).flatMap(one => one.methods);
    return methods.length === 0 ? [] : [...new Set([...methods, 'OPTIONS'])].sort();
  }
}

const patternOf = (path: string): RegExp =>
  new RegExp(`^${path.split('/').map(part => (part.startsWith(':') ? '[^/]+' : part === '*' ? '.*' : part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'))).join('/')}$`);
