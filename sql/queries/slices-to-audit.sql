-- The newest slices with stored rows that count, and the cuts of their revisions.
SELECT toUnixTimestamp64Milli(slice_start) AS slice_start_ms,
  arraySort(groupUniqArrayIf(toUnixTimestamp64Milli(cut_ts), is_revision)) AS revision_cuts
FROM slices
WHERE stream = {stream:String}
  AND if(is_revision,
    cut_ts IN (SELECT cut_ts FROM closings WHERE stream = {stream:String} AND kind = 'revise'),
    slice_end <= (SELECT max(through_ts) FROM closings WHERE stream = {stream:String} AND kind = 'close'))
GROUP BY slice_start
ORDER BY slice_start DESC
LIMIT {slices_max:UInt64}
