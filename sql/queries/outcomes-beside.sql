-- Outcomes of a stream under a cut that are not in the workspace of its only experiment.
SELECT (SELECT count() FROM outcomes FINAL WHERE stream = {stream:String} AND toUnixTimestamp64Milli(arrival_ts) <= {cut_ms:Int64})
  - (SELECT sum(outcomes) FROM analysis_totals FINAL WHERE workspace = {workspace:String}) AS outcomes
