-- The items on which a variant loses most: what to read first.
SELECT item_id, variant, value_control, value_variant, difference
FROM v_pairs
WHERE experiment = 'prompt-set' AND measure = 'score'
ORDER BY difference, item_id
LIMIT 20
