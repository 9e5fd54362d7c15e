import type {FactBatch} from '../../core/facts.ts';
import type {EventLog, LogConsumer} from '../../log/event-log.ts';
import type {Warehouse} from '../../warehouse/warehouse.ts';

/** Where a worker kills itself: the rows of DESIGN's table "what kill -9 leaves behind". */
export const FAILPOINTS = ['before-insert', 'during-insert', 'after-insert', 'before-commit', 'after-commit'] as const;
export type Failpoint = (typeof FAILPOINTS)[number];

/** `early-ack`: says that rows are durable while they are still on their way. */
export const BUGS = ['early-ack'] as const;
export type Bug = (typeof BUGS)[number];

const EARLY_ACK_DELAY_MS = 1_500;

export type Sabotage = {
  readonly failpoint: Failpoint | null;
  /** The how-manieth time the point is passed. */
  readonly nth: number;
  readonly bug: Bug | null;
  readonly sleep: (ms: number) => Promise<void>;
  readonly onCommit: () => void;
};

/** The same ports, with a kill or a bug planted in them. For the harness's own worker entry only. */
export function sabotage({log, warehouse}: {readonly log: EventLog; readonly warehouse: Warehouse}, plan: Sabotage): {log: EventLog; warehouse: Warehouse} {
  let passed = 0;
  const reach = (point: Failpoint): boolean => plan.failpoint === point && ++passed === plan.nth;
  const insertFacts = async (batch: FactBatch): Promise<void> => {
    if (reach('before-insert')) die();
    if (reach('during-insert')) {
      const half = Math.ceil(batch.outcomes.length / 2);
      await warehouse.insertFacts({...batch, outcomes: [...batch.outcomes].slice(0, half), deadLetters: [], arrivals: []});
      die();
    }
    if (plan.bug === 'early-ack') {
      void plan.sleep(EARLY_ACK_DELAY_MS).then(() => warehouse.insertFacts(batch)).catch(() => undefined);
      return;
    }
    await warehouse.insertFacts(batch);
    if (reach('after-insert')) die();
  };
  const openConsumer: EventLog['openConsumer'] = async options => {
    const consumer = await log.openConsumer(options);
    const commit: LogConsumer['commit'] = async offsets => {
      if (reach('before-commit')) die();
      await consumer.commit(offsets);
      plan.onCommit();
      if (reach('after-commit')) die();
    };
    return overlaid(consumer, {commit});
  };
  return {log: overlaid(log, {openConsumer}), warehouse: overlaid(warehouse, {insertFacts})};
}

const die = (): void => void process.kill(process.pid, 'SIGKILL');

/** An object whose other methods stay its own, private fields and all. */
function overlaid<T extends object>(target: T, methods: Partial<T>): T {
  return new Proxy(target, {
    get: (inner, name) => {
      const own: unknown = Reflect.get(methods, name);
      if (own !== undefined) return own;
      const value: unknown = Reflect.get(inner, name, inner);
      return typeof value === 'function' ? (value.bind(inner) as unknown) : value;
    },
  });
}
