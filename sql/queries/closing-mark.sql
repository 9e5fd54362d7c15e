-- The marker that makes rows of `slices` count.
INSERT INTO closings (stream, kind, from_ts, through_ts, cut_ts, slices, committed, config_versions)
SELECT {stream:String}, {kind:String}, fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC'), fromUnixTimestamp64Milli({through_ms:Int64}, 'UTC'),
  fromUnixTimestamp64Milli({cut_ms:Int64}, 'UTC'), {slices:UInt32},
  {committed:Array(Tuple(UInt16, UInt16, UInt64))}, {config_versions:Map(String, UInt32)}
