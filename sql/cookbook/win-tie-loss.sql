-- On how many items does a variant beat control, by score?
SELECT variant, count() AS pairs, countIf(difference > 0) AS wins, countIf(difference = 0) AS ties, countIf(difference < 0) AS losses,
  avg(difference) AS mean_difference
FROM v_pairs
WHERE experiment = 'prompt-set' AND measure = 'score'
GROUP BY variant
ORDER BY variant
