-- Rows and slices stored in a range, by a closing (cut_ms = 0) or by one revision.
SELECT count() AS rows, uniqExact(slice_start) AS slices
FROM slices FINAL
WHERE stream = {stream:String}
  AND slice_start >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
  AND slice_start < fromUnixTimestamp64Milli({through_ms:Int64}, 'UTC')
  AND if({cut_ms:Int64} = 0, NOT is_revision, is_revision AND cut_ts = fromUnixTimestamp64Milli({cut_ms:Int64}, 'UTC'))
