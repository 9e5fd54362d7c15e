-- Rank sums of the signed-rank test where differences are too many to list: sizes are cut into buckets by their
-- leading bits, each bucket is sorted by itself, and buckets follow one another in rank.
--
-- A key is twice the size, plus 1 for a positive difference. Within a bucket, `starts` are the places where a new
-- size begins; a group of ties from place p of t members has mid-rank p + (t - 1) / 2, doubled below. Lambdas take
-- arrays as arguments only: one that captures an array copies it for each element.
SELECT toString(sum(members)) AS non_zero, toString(sum(groups)) AS differing,
  toString(sum(toInt128(doubled_within) + 2 * toInt128(before) * positive)) AS doubled_plus, toString(sum(tie_term)) AS tie_term
FROM (
  SELECT members, groups, positive, doubled_within, tie_term,
    sum(members) OVER (ORDER BY bucket ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) - members AS before
  FROM (
    SELECT bucket, length(keys) AS members, length(starts) AS groups, arraySum(signs) AS positive,
      arraySum((plus, start, size) -> toUInt64(plus * (2 * start + size - 1)), plus_of, starts, sizes) AS doubled_within,
      arraySum(size -> toInt128(size) * size * size - size, sizes) AS tie_term
    FROM (
      WITH
        arrayMap(key -> bitAnd(key, 1), keys) AS signs,
        arrayDifference(arrayMap(key -> bitShiftRight(key, 1), keys)) AS step_to,
        arrayFilter((place, step) -> place = 1 OR step != 0, arrayEnumerate(keys), step_to) AS starts,
        arrayPushBack(arrayPopFront(step_to), toInt64(1)) AS step_from,
        arrayFilter((running, step) -> step != 0, arrayCumSum(signs), step_from) AS plus_through
      SELECT bucket, keys, signs, starts,
        arrayMap((start, next) -> toUInt64(next - start), starts, arrayPushBack(arrayPopFront(starts), toUInt32(length(keys) + 1))) AS sizes,
        arrayPopFront(arrayDifference(arrayPushFront(plus_through, toUInt64(0)))) AS plus_of
      FROM (
        SELECT bitShiftRight(reinterpretAsUInt64(abs(steps)), 44) AS bucket,
          arraySort(groupArray(toUInt64(2 * abs(steps)) + (steps > 0))) AS keys
        FROM (
          SELECT roundBankers((variant - control) * {unit:Float64}) AS steps
          FROM analysis_pair_rows
          WHERE indexHint(pair_set = {pairs:String})
        )
        WHERE steps != 0
        GROUP BY bucket
      )
    )
  )
)
