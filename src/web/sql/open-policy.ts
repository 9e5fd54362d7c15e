import type {SqlExecutor} from '../../warehouse/sql-executor.ts';
import {bindTextParams} from './front-params.ts';
import type {FrontCredentials, FrontFault, FrontPolicy, FrontRequest} from './front-policy.ts';

/** A fault for the next `count` statements whose SQL holds `match`, of `user` alone when one is named. */
export type PlannedFault = {readonly fault: FrontFault; readonly count: number; readonly match?: string; readonly user?: string};

/**
 * Everything is allowed, inserts too: this is how cluster mode is tried without a
 * ClickHouse server. Never for users.
 */
export class OpenPolicy implements FrontPolicy {
  readonly acceptsData = true;
  readonly #executor: SqlExecutor;
  readonly #credentials: FrontCredentials | null;
  #planned: PlannedFault[] = [];

  /** @param credentials the only ones accepted; null accepts any */
  constructor(executor: SqlExecutor, credentials: FrontCredentials | null = null) {
    this.#executor = executor;
    this.#credentials = credentials;
  }

  isAllowed({user, password}: FrontCredentials): boolean {
    return this.#credentials === null || (user === this.#credentials.user && password === this.#credentials.password);
  }

  execute(request: Parameters<FrontPolicy['execute']>[0]): ReturnType<FrontPolicy['execute']> {
    const {settings, defaultFormat, dataFile} = request;
    const {readonly, ...others} = settings;
    return this.#executor.execute({
      sql: bindTextParams(request.sql, request.params),
      settings: others,
      defaultFormat,
      dataFile,
      isReadOnly: readonly === '1',
    });
  }

  plan(planned: PlannedFault): void {
    this.#planned.push(planned);
  }

  /** @param user whose faults are taken back; everybody's when left out */
  clearFaults(user?: string): void {
    this.#planned = user === undefined ? [] : this.#planned.filter(planned => planned.user !== user);
  }

  nextFault({sql, credentials}: Pick<FrontRequest, 'sql' | 'credentials'>): FrontFault | null {
    const concerns = ({match, user}: PlannedFault): boolean => (match === undefined || sql.includes(match)) && (user === undefined || user === credentials.user);
    const index = this.#planned.findIndex(concerns);
    const planned = this.#planned[index];
    if (planned === undefined) return null;
    if (planned.count <= 1) this.#planned.splice(index, 1);
    else this.#planned[index] = {...planned, count: planned.count - 1};
    return planned.fault;
  }
}
