-- Items by the arms that have a value, and a first guess of how large values are.
SELECT countIf(NOT isNaN(control)) AS items_control, countIf(NOT isNaN(variant)) AS items_variant, count() AS items_either
FROM analysis_pairs
WHERE workspace = {workspace:String} AND metric = {metric:UInt16} AND treatment = {variant:String}
