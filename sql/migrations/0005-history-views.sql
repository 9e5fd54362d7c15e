-- The course of things: versions of experiments, what guards did and on what evidence, alerts.

CREATE VIEW v_versions_all AS
SELECT stream, experiment, version, predecessor, phase, lifecycle, design, control, CAST(variants, 'Map(String, Float64)') AS variants,
  has_weights, author, reason, valid_from, definition
FROM experiment_versions FINAL;

CREATE VIEW v_versions AS
SELECT * FROM v_versions_all WHERE stream = (SELECT stream FROM default_stream);

-- A guard writes its evidence as JSON at the end of the version's reason.
CREATE VIEW v_guard_actions_all AS
WITH substring(reason, position(reason, ' {"guard":') + 1) AS evidence
SELECT stream, experiment, version, phase, valid_from AS acted_at,
  JSONExtractString(evidence, 'guard') AS guard,
  JSONExtractString(evidence, 'action') AS action,
  JSONExtractString(evidence, 'variant') AS variant,
  JSONExtractString(evidence, 'metric') AS metric,
  JSONExtract(evidence, 'value', 'Nullable(Float64)') AS value,
  JSONExtract(evidence, 'threshold', 'Nullable(Float64)') AS threshold,
  JSONExtract(evidence, 'n', 'UInt64') AS n,
  JSONExtract(evidence, 'window_ms', 'Float64') / 1000 AS window_s,
  parseDateTime64BestEffortOrNull(JSONExtractString(evidence, 'window_start'), 3, 'UTC') AS window_start,
  parseDateTime64BestEffortOrNull(JSONExtractString(evidence, 'window_end'), 3, 'UTC') AS window_end,
  JSONExtractString(evidence, 'reason') AS reason_code
FROM experiment_versions FINAL
WHERE author = 'guard' AND position(reason, ' {"guard":') > 0;

CREATE VIEW v_guard_actions AS
SELECT * FROM v_guard_actions_all WHERE stream = (SELECT stream FROM default_stream);

CREATE VIEW v_alerts_all AS
SELECT stream, alert_id, rule, experiment, variant, state, severity, value, threshold, window_start, window_end, reason, context, changed_at
FROM alerts FINAL;

CREATE VIEW v_alerts AS
SELECT * FROM v_alerts_all WHERE stream = (SELECT stream FROM default_stream);
