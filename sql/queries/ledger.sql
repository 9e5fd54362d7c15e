-- The books per partition over [first arrival, committed offset).
SELECT log_epoch, partition, first_offset, end_offset, appended, accepted, duplicate, conflict, dead_lettered, forgotten, ticks, gaps, facts,
  outcomes_attributed, outcomes_crossover, outcomes_unattributed
FROM ledger_through(stream = {stream:String}, committed = {committed:String})
ORDER BY log_epoch, partition
