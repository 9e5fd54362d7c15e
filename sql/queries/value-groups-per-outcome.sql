-- Follows `valued`: distinct values of outcomes and how many each arm has. A ratio without denominator has none.
SELECT if({kind:UInt8} = 2, value / denominator, value) AS point, groupArray(variant) AS variants, groupArray(n) AS counts
FROM (
  SELECT value, denominator, variant, count() AS n
  FROM valued
  WHERE {kind:UInt8} != 2 OR denominator != 0
  GROUP BY value, denominator, variant
)
GROUP BY point
ORDER BY point
