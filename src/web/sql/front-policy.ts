import type {SqlAnswer} from '../../warehouse/sql-executor.ts';

/** What a request asks, after its transport is taken off. */
export type FrontRequest = {
  readonly sql: string;
  /** `param_x` as sent: text in ClickHouse's escaped form. */
  readonly params: Readonly<Record<string, string>>;
  /** Everything in the URL that is neither of the protocol nor a parameter. */
  readonly settings: Readonly<Record<string, string>>;
  readonly defaultFormat: string;
  /** Of the client, for answers in Native; 0 when it names none. */
  readonly protocolVersion: number;
  /** The rows of an INSERT, spooled; null without. */
  readonly dataFile: string | null;
  readonly credentials: FrontCredentials;
};

export type FrontCredentials = {readonly user: string; readonly password: string};

/** What the front does about a request instead of, or besides, answering it. For trying how clients bear it. */
export type FrontFault =
  | {readonly kind: 'refuse' | 'hang' | 'lost-answer'}
  | {readonly kind: 'status'; readonly status: number; readonly body: string}
  | {readonly kind: 'exception'; readonly engineCode: number; readonly message: string};

/** Decides who may run what. The front itself only speaks the protocol. */
export interface FrontPolicy {
  isAllowed(credentials: FrontCredentials): boolean;
  /** Whether rows may be sent. */
  readonly acceptsData: boolean;
  /** @throws SqlEngineError, or AssayError `ASSAY_QUERY_REFUSED` */
  execute(request: FrontRequest): Promise<SqlAnswer>;
  /** Asked once per request before it runs. */
  nextFault?(request: FrontRequest): FrontFault | null;
}
