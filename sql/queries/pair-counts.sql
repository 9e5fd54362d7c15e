-- Items by the arms that have a value.
SELECT countIf(NOT isNaN(control)) AS items_control, countIf(NOT isNaN(variant)) AS items_variant, count() AS items_either
FROM analysis_pair_rows
WHERE indexHint(pair_set IN ({pairs:String}, {unpaired:String}))
