-- Follows `valued`: distinct (sum, denominator) of units and how many each arm has; the mean is one division away.
SELECT variant, toString(s) AS sum_q, toString(d) AS denominator_q, count() AS units
FROM (
  SELECT variant, unit_id, sum(q) AS s, sum(denominator_q) AS d
  FROM valued
  GROUP BY variant, unit_id
)
WHERE d != 0
GROUP BY variant, s, d
