-- How far a stream is closed and revised, and where its outcomes lie. Copies that lost are
-- among the outcomes here: an empty slice too many does no harm.
WITH (SELECT max(slice_ms) FROM streams FINAL WHERE stream = {stream:String}) AS known_slice_ms,
  if(known_slice_ms = 0, {slice_ms_default:Int64}, toInt64(known_slice_ms)) AS slice_ms
SELECT
  (SELECT maxOrNull(toUnixTimestamp64Milli(through_ts)) FROM closings WHERE stream = {stream:String} AND kind = 'close') AS closed_through,
  (SELECT maxOrNull(toUnixTimestamp64Milli(cut_ts)) FROM closings WHERE stream = {stream:String} AND kind = 'revise') AS revised_cut,
  intDiv(minOrNull(toUnixTimestamp64Milli(event_ts)), slice_ms) * slice_ms AS first_slice_start,
  intDiv(maxOrNull(toUnixTimestamp64Milli(event_ts)), slice_ms) * slice_ms + slice_ms AS last_slice_end
FROM outcomes
WHERE stream = {stream:String}
