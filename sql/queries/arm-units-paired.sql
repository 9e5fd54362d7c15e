-- Follows `valued`: units per arm; nobody is exposed in design paired.
SELECT variant, uniqExact(unit_id) AS units
FROM valued
GROUP BY variant
