-- Does every record of the log have its place? mismatch must be 0.
SELECT partition, first_offset, end_offset, appended, accepted, duplicate, conflict, dead_lettered, forgotten, gaps, mismatch
FROM v_ledger
ORDER BY log_epoch, partition
