import type {Verdict} from '../../core/verdict.ts';
import type {AlertRow, DeliveryRow, OutboxStore, VerdictStore} from '../warehouse.ts';

/** Verdicts, deliveries and alerts: rows as they came, the newest of an id counts. */
export class MemoryResults implements VerdictStore, OutboxStore {
  readonly #verdicts: Verdict[] = [];
  readonly #deliveries = new Map<string, DeliveryRow>();
  readonly #alerts = new Map<string, AlertRow>();

  async insertVerdicts(verdicts: readonly Verdict[]): Promise<void> {
    const known = new Set(this.#verdicts.map(({verdict_id}) => verdict_id));
    this.#verdicts.push(...verdicts.filter(({verdict_id}) => !known.has(verdict_id)));
  }

  async verdict(verdictId: string): Promise<Verdict | null> {
    return this.#verdicts.find(({verdict_id}) => verdict_id === verdictId) ?? null;
  }

  async latestVerdicts(stream: string, experiment: string | null): Promise<Verdict[]> {
    const latest = new Map<string, Verdict>();
    for (const verdict of this.#verdicts) {
      if (verdict.stream !== stream || (experiment !== null && verdict.experiment !== experiment)) continue;
      const key = [verdict.experiment, verdict.metric, verdict.variant].join('\0');
      const known = latest.get(key);
      if (known === undefined || verdict.created_at >= known.created_at) latest.set(key, verdict);
    }
    return [...latest.values()];
  }

  async insertDeliveries(rows: readonly DeliveryRow[]): Promise<void> {
    for (const row of rows) this.#deliveries.set([row.delivery_id, row.attempt, row.state].join('\0'), row);
  }

  async deliveries({states, limit}: {readonly states: readonly DeliveryRow['state'][]; readonly limit: number}): Promise<DeliveryRow[]> {
    const ids = new Set([...this.#deliveries.values()].map(({delivery_id}) => delivery_id));
    return [...ids]
      .flatMap(id => this.#historyOf(id).at(-1) ?? [])
      .filter(({state}) => states.length === 0 || states.includes(state))
      .sort((a, b) => (a.created_at < b.created_at ? -1 : a.created_at > b.created_at ? 1 : 0))
      .slice(0, limit);
  }

  async newestDeliveries({states, limit, through, skip = 0}: Parameters<OutboxStore['newestDeliveries']>[0]): Promise<DeliveryRow[]> {
    const rows = await this.deliveries({states, limit: Number.POSITIVE_INFINITY});
    return rows
      .filter(({created_at: at}) => Date.parse(at) <= (through ?? Number.POSITIVE_INFINITY))
      .sort((a, b) => (a.created_at === b.created_at ? (a.delivery_id < b.delivery_id ? -1 : 1) : a.created_at < b.created_at ? 1 : -1))
      .slice(skip, skip + limit);
  }

  async delivery(deliveryId: string): Promise<DeliveryRow | null> {
    return this.#historyOf(deliveryId).at(-1) ?? null;
  }

  async deliveryHistory(deliveryId: string): Promise<DeliveryRow[]> {
    return this.#historyOf(deliveryId);
  }

  async insertAlerts(rows: readonly AlertRow[]): Promise<void> {
    for (const row of rows) this.#alerts.set([...alertKey(row), row.alert_id, row.changed_at, row.state].join('\0'), row);
  }

  async latestAlerts(stream: string): Promise<AlertRow[]> {
    const latest = new Map<string, AlertRow>();
    for (const row of this.#alerts.values()) {
      if (row.stream !== stream) continue;
      const key = alertKey(row).join('\0');
      const known = latest.get(key);
      if (known === undefined || isNewer(row, known)) latest.set(key, row);
    }
    return [...latest.values()];
  }

  /** Oldest first. A later state of one attempt was written later. */
  #historyOf(deliveryId: string): DeliveryRow[] {
    return [...this.#deliveries.values()]
      .filter(({delivery_id}) => delivery_id === deliveryId)
      .sort((a, b) => a.attempt - b.attempt || (a.changed_at < b.changed_at ? -1 : a.changed_at > b.changed_at ? 1 : 0));
  }
}

const STATES: readonly AlertRow['state'][] = ['pending', 'firing', 'resolved'];

const alertKey = ({rule, experiment, variant}: AlertRow): string[] => [rule, experiment, variant];

/** Of two states at one time the later in an alert's life counts. */
function isNewer(a: AlertRow, b: AlertRow): boolean {
  if (a.changed_at !== b.changed_at) return a.changed_at > b.changed_at;
  return STATES.indexOf(a.state) > STATES.indexOf(b.state);
}
