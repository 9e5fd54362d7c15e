SELECT DISTINCT toString(arrayJoin(mapKeys(measures))) AS measure
FROM outcomes FINAL
WHERE stream = {stream:String}
  AND (has(mapKeys(variant_hint), {experiment:String})
    OR unit_id IN (SELECT unit_id FROM exposures WHERE stream = {stream:String} AND experiment = {experiment:String}))
ORDER BY measure
