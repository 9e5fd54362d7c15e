-- Exact moments of differences that were written as steps of the grid. A sum of halves of 26 and some 25 bits fits 64 bits
-- for any number of pairs there can be, and costs a third of a sum in 128.
SELECT count() AS pairs, max(size_class) AS largest_size,
  toString(sum(bitShiftRight(difference_steps, 26))) AS total_high, toString(sum(bitAnd(difference_steps, 67108863))) AS total_low, toString(sum(/* wide */(difference_steps) * difference_steps)) AS squares
FROM analysis_pair_rows
WHERE indexHint(pair_set = {pairs:String})
