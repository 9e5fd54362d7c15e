-- How one effect went from analysis to analysis, oldest first.
SELECT
  toUnixTimestamp64Milli(created_at) AS analysed_ms,
  JSONExtractString(row, 'data_to') AS data_to,
  phase,
  JSONExtract(row, 'config_version', 'UInt32') AS config_version,
  decision,
  JSONExtract(row, 'n_control', 'UInt64') AS n_control,
  JSONExtract(row, 'n_variant', 'UInt64') AS n_variant,
  JSONExtract(row, 'effect_absolute', 'Nullable(Float64)') AS effect,
  JSONExtract(row, 'ci_low', 'Nullable(Float64)') AS ci_low,
  JSONExtract(row, 'ci_high', 'Nullable(Float64)') AS ci_high,
  JSONExtract(row, 'cs_low', 'Nullable(Float64)') AS cs_low,
  JSONExtract(row, 'cs_high', 'Nullable(Float64)') AS cs_high
FROM (
  SELECT *, row_number() OVER (ORDER BY created_at DESC, verdict_id DESC) AS place, count() OVER () AS rows_all
  FROM verdicts
  WHERE stream = {stream:String} AND experiment = {experiment:String} AND metric = {metric:String} AND variant = {variant:String}
)
WHERE (place - 1) % greatest(1, intDiv(rows_all + {points:UInt32} - 1, {points:UInt32})) = 0
ORDER BY created_at, verdict_id;
