import {LIMITS} from '../core/limits.ts';

/**
 * The one table of options. From it come the keys of the config file, the
 * environment names, the flags, the help text and the validation.
 *
 * Precedence: flag, environment, config file, default.
 */
export type OptionKind = 'text' | 'integer' | 'number' | 'duration' | 'switch' | 'list' | 'choice';

export type Option = {
  /** Dotted path in the config file. */
  readonly key: string;
  readonly kind: OptionKind;
  readonly default: string | number | boolean | readonly string[] | null;
  readonly describe: string;
  readonly env: string;
  readonly flag?: string;
  readonly choices?: readonly string[];
  readonly min?: number;
  readonly max?: number;
  /** Never printed or logged. */
  readonly secret?: boolean;
};

const option = (key: string, rest: Omit<Option, 'key' | 'env'> & {readonly env?: string}): Option => ({
  key,
  env: `ASSAY_${key.replaceAll('.', '_').toUpperCase()}`,
  ...rest,
});

export const OPTIONS: readonly Option[] = [
  option('data', {kind: 'text', default: '.assay', flag: 'data', describe: 'data directory of embedded mode'}),
  option('log.kind', {kind: 'choice', choices: ['embedded', 'kafka'], default: 'embedded', flag: 'log', describe: 'where events lie: embedded (files in the data directory) or kafka'}),
  option('kafka.brokers', {kind: 'list', default: ['127.0.0.1:9092'], flag: 'brokers', describe: 'Kafka bootstrap servers, host:port separated by commas'}),
  option('kafka.client_id', {kind: 'text', default: 'assay', describe: 'client id shown by the brokers'}),
  option('kafka.replication', {kind: 'integer', default: 1, min: 1, max: 7, describe: 'replicas of topics that assay creates'}),
  option('kafka.session_timeout_ms', {kind: 'integer', default: 10_000, min: 1_000, max: 300_000, describe: 'a worker silent for this long loses its partitions'}),
  option('kafka.sasl.mechanism', {kind: 'choice', choices: ['none', 'plain', 'scram-sha-256', 'scram-sha-512'], default: 'none', describe: 'SASL mechanism'}),
  option('kafka.sasl.username', {kind: 'text', default: '', describe: 'SASL user'}),
  option('kafka.sasl.password', {kind: 'text', default: '', secret: true, describe: 'SASL password'}),
  option('kafka.tls.enabled', {kind: 'switch', default: false, describe: 'TLS to the brokers'}),
  option('kafka.tls.ca_file', {kind: 'text', default: '', describe: 'PEM file of the certificate authority'}),
  option('kafka.tls.cert_file', {kind: 'text', default: '', describe: 'PEM file of the client certificate'}),
  option('kafka.tls.key_file', {kind: 'text', default: '', describe: 'PEM file of the client key'}),
  option('warehouse.kind', {kind: 'choice', choices: ['embedded', 'server'], default: 'embedded', flag: 'warehouse', describe: 'where facts rest: embedded (chDB in the data directory) or server (ClickHouse)'}),
  option('clickhouse.url', {kind: 'text', default: 'http://127.0.0.1:8123', flag: 'clickhouse-url', describe: 'ClickHouse HTTP address'}),
  option('clickhouse.user', {kind: 'text', default: 'default', describe: 'ClickHouse user'}),
  option('clickhouse.password', {kind: 'text', default: '', secret: true, describe: 'ClickHouse password'}),
  option('clickhouse.database', {kind: 'text', default: 'default', describe: 'ClickHouse database'}),
  option('clickhouse.cluster', {kind: 'text', default: '', describe: 'name of a ClickHouse cluster of several shards, as remote_servers has it; empty for one shard'}),
  option('clickhouse.ca_file', {kind: 'text', default: '', describe: 'PEM file of the certificate authority of ClickHouse'}),
  option('clickhouse.timeout_ms', {kind: 'integer', default: 30_000, min: 100, max: 3_600_000, describe: 'how long a statement may take before it is retried'}),
  option('schema_registry.url', {kind: 'text', default: '', describe: 'Confluent-compatible registry; empty for single-object encoding'}),
  option('live.partitions', {kind: 'integer', default: 6, min: 1, max: 1024, describe: 'partitions of the live topic when assay creates it'}),
  option('live.lateness_ms', {kind: 'duration', default: LIMITS.latenessMs, min: 0, describe: 'L: later than this after its slice an outcome is late'}),
  option('live.slice_ms', {kind: 'duration', default: LIMITS.sliceMs, min: 1_000, max: 3_600_000, describe: 'length of a base slice'}),
  option('live.max_age_ms', {kind: 'duration', default: LIMITS.maxAgeMs, min: 1_000, describe: 'older events are dead letters'}),
  option('server.host', {kind: 'text', default: '127.0.0.1', flag: 'host', describe: 'address the HTTP server binds to'}),
  option('server.port', {kind: 'integer', default: 7333, min: 0, max: 65_535, flag: 'port', describe: 'port of the HTTP server; 0 picks a free one'}),
  option('server.sql_port', {kind: 'integer', default: -1, min: -1, max: 65_535, flag: 'sql-port', describe: 'port of the read-only SQL endpoint (ClickHouse’s HTTP protocol); 0 picks a free one, -1 for none'}),
  option('server.keys_file', {kind: 'text', default: '', describe: 'file of the API keys’ hashes; default: api-keys.json in the data directory'}),
  option('server.audit_file', {kind: 'text', default: '', describe: 'audit log; default: audit.jsonl in the data directory'}),
  option('server.cors_origins', {kind: 'list', default: [], describe: 'pages elsewhere that may call, like https://app.example.com'}),
  option('server.requests_per_second', {kind: 'number', default: 200, min: 0.1, max: 1_000_000, describe: 'limit of a key that has none of its own'}),
  option('analysis.every_ms', {kind: 'duration', default: 60_000, min: 1_000, describe: 'how often verdicts are computed of experiments whose definition does not say (`analysis.look_every`)'}),
  option('closing.every_ms', {kind: 'duration', default: 1_000, min: 50, describe: 'how often slices are closed'}),
  option('closing.revise_every_ms', {kind: 'duration', default: 30_000, min: 50, describe: 'how often late facts lead to revisions'}),
  option('audit.every_ms', {kind: 'duration', default: 60_000, min: 1_000, describe: 'how often the ledger and slices are audited'}),
  option('reports.cron', {kind: 'text', default: '0 8 * * *', describe: 'when digests are posted (cron, UTC); empty for never'}),
  option('reports.public_url', {kind: 'text', default: '', describe: 'address of this server in links of reports'}),
  option('reports.chart_secret', {kind: 'text', default: '', secret: true, describe: 'signs the addresses of charts in chats, so that Slack and DingTalk can fetch them without a key; empty shows links'}),
  option('notify.alertmanager.url', {kind: 'text', default: '', describe: 'an Alertmanager that gets every alert, like https://alertmanager.example.com; empty for none'}),
  option('notify.alertmanager.allow', {kind: 'list', default: [], describe: 'host or host:port of that Alertmanager when it is plain http or private'}),
  option('tracing.otlp_url', {kind: 'text', default: '', describe: 'an OpenTelemetry collector that gets traces (OTLP over HTTP), like http://127.0.0.1:4318; empty for none'}),
  option('tracing.otlp_headers', {kind: 'text', default: '', secret: true, describe: 'headers for that collector: name=value,name=value'}),
  option('tracing.sample_share', {kind: 'number', default: 1, min: 0, max: 1, describe: 'share of traces that are sent, chosen by trace id as OpenTelemetry does'}),
  option('experiments.directory', {kind: 'text', default: '', flag: 'experiments', describe: 'YAML definitions published at start'}),
  option('rules.file', {kind: 'text', default: '', flag: 'rules', describe: 'YAML file of alert rules'}),
  option('export.s3_endpoint', {kind: 'text', default: '', describe: 'address of an object store that speaks S3, e.g. https://minio.example:9000; empty for AWS'}),
  option('export.s3_region', {kind: 'text', default: 'us-east-1', describe: 'region of the bucket at AWS'}),
  option('export.s3_access_key', {kind: 'text', default: '', describe: 'access key for s3:// exports; empty for a bucket that anyone may write'}),
  option('export.s3_secret_key', {kind: 'text', default: '', secret: true, describe: 'secret key for s3:// exports'}),
  option('privacy.hash_unit_ids', {kind: 'switch', default: false, describe: 'store a keyed hash of each unit id instead of the id; set it before the first event and never change it'}),
  option('privacy.hash_key', {kind: 'text', default: '', secret: true, describe: 'key of that hash, the same for every worker'}),
  option('observe.host', {kind: 'text', default: '127.0.0.1', describe: 'address that metrics and probes of a process are served on'}),
  option('observe.port', {kind: 'integer', default: 0, min: 0, max: 65_535, flag: 'observe-port', describe: 'port of /metrics, /healthz and /readyz of any role; 0 for none'}),
  option('observe.log_level', {kind: 'choice', choices: ['debug', 'info', 'warn', 'error', 'silent'], default: 'warn', flag: 'log-level', describe: 'log level (to stderr)'}),
];
