-- Keys of maps as plain text. A dictionary within a map is looked through for every row of every merge,
-- which made merges of facts three times as dear; on disk the repeated names take no more.
ALTER TABLE exposures MODIFY COLUMN IF EXISTS attributes Map(String, String);
ALTER TABLE outcomes
  MODIFY COLUMN IF EXISTS variant_hint Map(String, String),
  MODIFY COLUMN IF EXISTS measures Map(String, Float64),
  MODIFY COLUMN IF EXISTS attributes Map(String, String);
