/** What the engine's HTTP front does about the next `count` statements that hold `match`; it is told over IPC. */
export type PlannedFault = {
  readonly fault:
    | {readonly kind: 'refuse' | 'hang' | 'lost-answer'}
    | {readonly kind: 'status'; readonly status: number; readonly body: string}
    | {readonly kind: 'exception'; readonly engineCode: number; readonly message: string};
  readonly count: number;
  readonly match?: string;
  /** Only statements of this user of the engine. */
  readonly user?: string;
};
