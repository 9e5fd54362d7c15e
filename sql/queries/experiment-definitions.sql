-- Definitions of versions that stored slices name.
SELECT experiment, version, definition
FROM experiment_versions FINAL
WHERE stream = {stream:String}
