/**
 * Every metric of Assay, once: docs/METRICS.md is written from this table, and the
 * dashboards and alert rules in deploy/ may use no other name or label.
 */
export type MetricRow = {
  /** `assay_<stage>_<name>_<unit>[_total]`. */
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly unit: string;
  /** From closed sets only. */
  readonly labels: readonly string[];
  readonly help: string;
};

const counter = (name: string, unit: string, labels: readonly string[], help: string): MetricRow => ({name, type: 'counter', unit, labels, help});
const gauge = (name: string, unit: string, labels: readonly string[], help: string): MetricRow => ({name, type: 'gauge', unit, labels, help});
const histogram = (name: string, labels: readonly string[], help: string): MetricRow => ({name, type: 'histogram', unit: 'seconds', labels, help});

/** In the order an event meets them. */
export const METRIC_CATALOGUE: readonly MetricRow[] = [
  gauge('assay_build_info', '1', ['version', 'role'], 'Always 1; the labels say which version runs in which role.'),
  counter('assay_ingest_events_total', 'events', [], 'Events that the HTTP door appended to the log.'),
  counter('assay_ingest_refused_events_total', 'events', [], 'Events that the HTTP door refused, each with a reason in the answer.'),
  counter('assay_ingest_append_failures_total', 'requests', [], 'Requests answered with 429 because the log did not take the events in time.'),
  counter('assay_log_gap_records_total', 'offsets', ['partition'], 'Offsets that a reader expected and the log no longer had.'),
  gauge('assay_log_lag_records', 'records', ['stream', 'partition'], 'Records appended and not yet read by the partition’s owner.'),
  counter('assay_decode_records_total', 'records', ['stream', 'kind'], 'Records decoded: exposure, outcome, tick or dead_letter.'),
  counter('assay_decode_dead_letters_total', 'records', ['stream', 'code'], 'Records kept as dead letters, by reason.'),
  counter('assay_decode_redelivered_total', 'records', ['stream'], 'Records delivered again within one assignment, which must not happen.'),
  counter('assay_decode_gap_offsets_total', 'offsets', ['stream', 'partition'], 'Offsets that the log skipped between two records.'),
  counter('assay_window_late_events_total', 'events', ['stream'], 'Outcomes that came later than L after their slice; they lead to a revision.'),
  counter('assay_window_duplicates_skipped_total', 'events', ['stream'], 'Events known from memory to be duplicates, left out of provisional slices.'),
  counter('assay_window_provisional_unjoined_total', 'events', ['stream'], 'Outcomes whose unit was not looked up; the hint stood in until closing.'),
  counter('assay_window_provisional_overflow_total', 'events', ['stream'], 'Contributions to provisional keys beyond the cap, which wait for closing.'),
  gauge('assay_window_provisional_keys', 'keys', ['stream'], 'Keys of open provisional slices in memory.'),
  histogram('assay_sink_flush_seconds', ['stream'], 'From the start of a flush until its rows were durable.'),
  counter('assay_sink_rows_total', 'rows', ['stream'], 'Log positions whose rows are durable.'),
  counter('assay_sink_retries_total', 'tries', ['stream', 'step'], 'Tries of a flush that the warehouse refused or did not answer.'),
  counter('assay_worker_paused_seconds_total', 'seconds', ['stream'], 'Time in which the worker held back its partitions because the warehouse was slow.'),
  gauge('assay_worker_buffer_bytes', 'bytes', ['stream'], 'Values read and not yet durable.'),
  gauge('assay_worker_cached_units', 'units', ['stream'], 'Units whose first exposures are in memory.'),
  gauge('assay_worker_oldest_unflushed_seconds', 'seconds', ['stream'], 'Age of the oldest record that is not durable.'),
  counter('assay_worker_ticks_total', 'records', ['stream'], 'Ticks appended to idle partitions.'),
  counter('assay_worker_rebuilds_total', 'times', ['stream'], 'Times a consumer was rebuilt after it failed.'),
  gauge('assay_worker_ready', '0 or 1', [], '1 while every stream’s worker runs.'),
  gauge('assay_closing_progress_timestamp_seconds', 'seconds since 1970', ['stream'], 'Arrival time up to which everything of the stream is durable.'),
  gauge('assay_closing_closed_through_timestamp_seconds', 'seconds since 1970', ['stream'], 'End of the newest closed slice.'),
  histogram('assay_closing_round_seconds', ['stream'], 'One round of closing.'),
  counter('assay_closing_slices_total', 'slices', ['stream'], 'Slices closed.'),
  counter('assay_closing_revised_slices_total', 'slices', ['stream'], 'Slices revised for facts that came after closing.'),
  counter('assay_closing_rows_total', 'rows', ['stream'], 'Rows of slices written.'),
  counter('assay_closing_failures_total', 'rounds', ['stream'], 'Rounds of closing that failed and were tried again.'),
  counter('assay_audit_mismatch_total', 'slices and books', ['stream'], 'What did not agree with a recompute, or did not balance. Must stay 0.'),
  gauge('assay_audit_slices_checked', 'slices', ['stream'], 'Slices that the newest audit recomputed. 0 proves nothing.'),
  gauge('assay_audit_gap_offsets', 'offsets', ['stream'], 'Offsets without a row in the books: control records, or a loss.'),
  gauge('assay_jobs_leading', '0 or 1', [], '1 in the one process that runs the jobs.'),
  histogram('assay_jobs_round_seconds', ['job'], 'One turn of a job over one stream.'),
  gauge('assay_jobs_success_timestamp_seconds', 'seconds since 1970', ['job'], 'When the job last finished a turn.'),
  counter('assay_jobs_failures_total', 'times', ['job'], 'Turns of a job that failed and were put off: audit, analysis, alerts, guards, canaries.'),
  counter('assay_alerts_rule_file_errors_total', 'times', [], 'Times the file of alert rules was wrong; the last good rules stay.'),
  counter('assay_alerts_drift_failures_total', 'times', [], 'Times the distances of a drift rule could not be read; the rule was left out of that look.'),
  counter('assay_guard_actions_total', 'actions', ['action'], 'What guards and canaries did.'),
  counter('assay_notify_enqueued_total', 'messages', ['channel'], 'Messages put into the outbox.'),
  gauge('assay_notify_waiting_deliveries', 'messages', [], 'Messages in the outbox that are due or to be tried again.'),
  counter('assay_notify_attempts_total', 'tries', ['channel', 'outcome'], 'Tries to deliver a message, by how they ended.'),
  histogram('assay_notify_attempt_seconds', ['channel'], 'One try to deliver a message.'),
  gauge('assay_notify_channel_disabled', '0 or 1', ['channel'], '1 while a channel is off because its receiver is gone.'),
];

/** The page that operators read. */
export function metricsPage(): string {
  const rows = METRIC_CATALOGUE.map(({name, type, unit, labels, help}) => `| \`${name}\` | ${type} | ${unit} | ${labels.map(label => `\`${label}\``).join(', ')} | ${help} |`);
  return `# Metrics

Every process shows its metrics in Prometheus' text format: \`assay up\` and \`assay server\` at \`/metrics\` of the HTTP server, and every role, \`worker\` and \`jobs\` included,
at \`/metrics\` of \`observe.port\` when that is set (with \`/healthz\` and \`/readyz\`). Labels come from closed sets: no unit, event or verdict is ever a label.
Besides these, the usual \`process_*\` and \`nodejs_*\` metrics are there. A counter appears with its first event; a histogram has \`_bucket\`, \`_sum\` and \`_count\`.

Dashboards: \`deploy/grafana/dashboards/\`. Alert rules: \`deploy/prometheus/\`, with a page per alert in [OPERATIONS.md](OPERATIONS.md).

| name | type | unit | labels | meaning |
|---|---|---|---|---|
${rows.join('\n')}
`;
}
