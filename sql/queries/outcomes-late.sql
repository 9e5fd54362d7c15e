-- Follows `scoped`: outcomes of the scope that are in no revision 0 (DESIGN C4).
WITH (SELECT (max(toInt64(slice_ms)), max(toInt64(lateness_ms))) FROM streams FINAL WHERE stream = {stream:String}) AS known
SELECT countIf(known.1 > 0 AND arrival_ms > intDiv(event_ms, known.1) * known.1 + known.1 + known.2) AS outcomes
FROM scoped
