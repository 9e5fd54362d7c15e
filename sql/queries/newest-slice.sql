-- Where the newest slice of an experiment begins; 0 without one.
SELECT greatest(
  (SELECT toUnixTimestamp64Milli(max(slice_start)) FROM slices WHERE stream = {stream:String} AND experiment = {experiment:String}),
  (SELECT toUnixTimestamp64Milli(max(slice_start)) FROM provisional_slices WHERE stream = {stream:String} AND experiment = {experiment:String})
) AS newest_ms;
