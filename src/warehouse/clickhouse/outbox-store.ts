import type {AlertRow, DeliveryRow, OutboxStore} from '../warehouse.ts';
import type {SqlConnection} from './connection.ts';
import type {RowEncoder} from './fact-rows.ts';
import {insertRows} from './row-insert.ts';
import {isoOfMs, isoOfMsOrNull, msOfIso} from './time-text.ts';

const DELIVERY_ROWS: RowEncoder<DeliveryRow> = {
  table: 'deliveries',
  columns: [
    'delivery_id', 'channel', 'subject', 'body', 'content_type', 'state', 'attempt', 'created_at', 'next_attempt_at', 'changed_at',
    'last_status', 'last_error', 'duration_ms',
  ],
  write: (writer, row) => {
    writer.string(row.delivery_id);
    writer.string(row.channel);
    writer.string(row.subject);
    writer.string(row.body);
    writer.string(row.content_type);
    writer.string(row.state);
    writer.uint32(row.attempt);
    writer.dateTime64(msOfIso(row.created_at));
    writer.nullable(row.next_attempt_at, at => writer.dateTime64(msOfIso(at)));
    writer.dateTime64(msOfIso(row.changed_at));
    writer.nullable(row.last_status, status => writer.uint16(status));
    writer.string(row.last_error);
    writer.nullable(row.duration_ms, ms => writer.uint32(ms));
  },
};

const ALERT_ROWS: RowEncoder<AlertRow> = {
  table: 'alerts',
  columns: [
    'alert_id', 'stream', 'rule', 'experiment', 'variant', 'state', 'severity', 'value', 'threshold', 'window_start', 'window_end',
    'reason', 'context', 'changed_at',
  ],
  write: (writer, row) => {
    writer.string(row.alert_id);
    writer.string(row.stream);
    writer.string(row.rule);
    writer.string(row.experiment);
    writer.string(row.variant);
    writer.string(row.state);
    writer.string(row.severity);
    writer.nullable(row.value, value => writer.float64(value));
    writer.nullable(row.threshold, value => writer.float64(value));
    writer.nullable(row.window_start, at => writer.dateTime64(msOfIso(at)));
    writer.nullable(row.window_end, at => writer.dateTime64(msOfIso(at)));
    writer.string(row.reason);
    writer.string(JSON.stringify(row.context));
    writer.dateTime64(msOfIso(row.changed_at));
  },
};

/** Messages to deliver and alerts. Rows are only added; of each id the newest counts. */
export class ClickHouseOutboxStore implements OutboxStore {
  readonly #connection: SqlConnection;

  constructor(connection: SqlConnection) {
    this.#connection = connection;
  }

  insertDeliveries(rows: readonly DeliveryRow[]): Promise<void> {
    return insertRows(this.#connection, DELIVERY_ROWS, {rows, stream: ''});
  }

  async deliveries({states, limit}: {readonly states: readonly DeliveryRow['state'][]; readonly limit: number}): Promise<DeliveryRow[]> {
    const rows = await this.#connection.select<StoredDelivery>(
      `SELECT ${DELIVERY_COLUMNS} FROM (SELECT * FROM deliveries ORDER BY ${NEWEST_DELIVERY} LIMIT 1 BY delivery_id) AS d
       WHERE empty({states:Array(String)}) OR has({states:Array(String)}, toString(d.state))
       ORDER BY d.created_at, d.delivery_id LIMIT {limit:UInt32}`,
      {states, limit},
    );
    return rows.map(toDelivery);
  }

  async newestDeliveries({states, limit, through, skip = 0}: Parameters<OutboxStore['newestDeliveries']>[0]): Promise<DeliveryRow[]> {
    const rows = await this.#connection.select<StoredDelivery>(
      `SELECT ${DELIVERY_COLUMNS} FROM (SELECT * FROM deliveries ORDER BY ${NEWEST_DELIVERY} LIMIT 1 BY delivery_id) AS d
       WHERE (empty({states:Array(String)}) OR has({states:Array(String)}, toString(d.state)))
         AND ({through:Nullable(Int64)} IS NULL OR d.created_at <= fromUnixTimestamp64Milli(assumeNotNull({through:Nullable(Int64)}), 'UTC'))
       ORDER BY d.created_at DESC, d.delivery_id LIMIT {limit:UInt32} OFFSET {skip:UInt32}`,
      {states, limit, through: through ?? null, skip},
    );
    return rows.map(toDelivery);
  }

  async delivery(deliveryId: string): Promise<DeliveryRow | null> {
    const rows = await this.#connection.select<StoredDelivery>(
      `SELECT ${DELIVERY_COLUMNS} FROM deliveries AS d WHERE delivery_id = {delivery_id:String} ORDER BY ${NEWEST_DELIVERY} LIMIT 1`,
      {delivery_id: deliveryId},
    );
    return rows[0] === undefined ? null : toDelivery(rows[0]);
  }

  async deliveryHistory(deliveryId: string): Promise<DeliveryRow[]> {
    const rows = await this.#connection.select<StoredDelivery>(
      `SELECT ${DELIVERY_COLUMNS} FROM deliveries AS d FINAL WHERE delivery_id = {delivery_id:String}
       ORDER BY d.changed_at, d.attempt, d.state != 'due'`,
      {delivery_id: deliveryId},
    );
    return rows.map(toDelivery);
  }

  insertAlerts(rows: readonly AlertRow[]): Promise<void> {
    return insertRows(this.#connection, ALERT_ROWS, {rows, stream: ''});
  }

  async latestAlerts(stream: string): Promise<AlertRow[]> {
    const rows = await this.#connection.select<StoredAlert>(
      `SELECT * REPLACE (
         toUnixTimestamp64Milli(changed_at) AS changed_at,
         toUnixTimestamp64Milli(window_start) AS window_start,
         toUnixTimestamp64Milli(window_end) AS window_end)
       FROM (
         SELECT * FROM alerts WHERE stream = {stream:String}
         ORDER BY changed_at DESC, indexOf(['pending', 'firing', 'resolved'], toString(state)) DESC, alert_id DESC
         LIMIT 1 BY rule, experiment, variant
       ) ORDER BY rule, experiment, variant`,
      {stream},
    );
    return rows.map(toAlert);
  }
}

/** A message that was sent in the same millisecond as it became due is sent. */
const NEWEST_DELIVERY = "changed_at DESC, attempt DESC, state != 'due' DESC";

const DELIVERY_COLUMNS = `
  delivery_id, channel, subject, body, content_type, state, attempt,
  toUnixTimestamp64Milli(d.created_at) AS created_ms,
  toUnixTimestamp64Milli(d.next_attempt_at) AS next_attempt_ms,
  toUnixTimestamp64Milli(d.changed_at) AS changed_ms,
  last_status, last_error, duration_ms`;

type StoredDelivery = Omit<DeliveryRow, 'created_at' | 'next_attempt_at' | 'changed_at'> & {
  readonly created_ms: string;
  readonly next_attempt_ms: string | null;
  readonly changed_ms: string;
};

const toDelivery = ({created_ms, next_attempt_ms, changed_ms, ...row}: StoredDelivery): DeliveryRow => ({
  ...row,
  created_at: isoOfMs(created_ms),
  next_attempt_at: isoOfMsOrNull(next_attempt_ms),
  changed_at: isoOfMs(changed_ms),
});

type StoredAlert = Omit<AlertRow, 'context'> & {readonly context: string};

const toAlert = ({context, ...row}: StoredAlert): AlertRow => ({
  ...row,
  window_start: isoOfMsOrNull(row.window_start),
  window_end: isoOfMsOrNull(row.window_end),
  changed_at: isoOfMs(row.changed_at),
  context: JSON.parse(context) as Record<string, unknown>,
});
