-- Changes whenever a window of the experiment may have changed; far cheaper than the windows.
SELECT
  (SELECT (count(), max(slice_start), sum(last_offset)) FROM provisional_slices WHERE stream = {stream:String} AND experiment = {experiment:String}) AS open,
  (SELECT (count(), max(through_ts), max(cut_ts)) FROM closings WHERE stream = {stream:String}) AS closed;
