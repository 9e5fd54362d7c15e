-- What `assay forget` leaves of the events it erases: their hashes, so that the books still balance,
-- and their times, so that the audit knows which slices held them.

CREATE TABLE forgotten_events (
  stream LowCardinality(String),
  id_hash UInt64 COMMENT 'as in arrivals',
  event_ts DateTime64(3, 'UTC') COMMENT 'when the event happened',
  kind LowCardinality(String) COMMENT 'exposure | outcome',
  forgotten_ts DateTime64(3, 'UTC') COMMENT 'arrival_ts of the tombstone that covers it',
  unverifiable_ts DateTime64(3, 'UTC') COMMENT 'recomputes with a cut up to here may have counted the event'
) ENGINE = ReplacingMergeTree
PARTITION BY stream
ORDER BY (stream, id_hash)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

-- Internal. The books per partition (DESIGN C6) over [first arrival, committed). committed is JSON,
-- [[log_epoch, partition, offset], …]; '[]' means everything that arrived. stream '' reads every stream.
CREATE VIEW ledger_through AS
WITH
  JSONExtract({committed:String}, 'Array(Tuple(log_epoch UInt16, partition UInt16, offset UInt64))') AS committed,
  ends AS (
    SELECT stream, log_epoch, partition, if(empty(committed), offset + 1, committed_offset) AS end_offset
    FROM (
      SELECT stream, log_epoch, partition, max(offset) AS offset
      FROM arrivals
      WHERE ({stream:String} = '' OR stream = {stream:String})
      GROUP BY stream, log_epoch, partition
    ) AS arrived
    LEFT JOIN (
      SELECT item.1 AS log_epoch, item.2 AS partition, item.3 AS committed_offset
      FROM (SELECT arrayJoin(committed) AS item)
    ) AS asked USING (log_epoch, partition)
  ),
  forgotten_units AS (
    SELECT stream, unit_id, max(arrival_ts) AS forgotten_ts
    FROM tombstones
    GROUP BY stream, unit_id
  ),
  -- Erased facts by their hashes, and facts that are not erased yet, or were written again by a worker that woke up.
  forgotten_ids AS (
    SELECT stream, id_hash, max(forgotten_ts) AS id_forgotten_ts
    FROM (
      SELECT stream, id_hash, forgotten_ts FROM forgotten_events
      UNION ALL
      SELECT stream, xxHash64(concat(char(1), event_id, unit_id)), forgotten_ts
      FROM exposures
      INNER JOIN forgotten_units USING (stream, unit_id)
      WHERE unit_id IN (SELECT unit_id FROM forgotten_units) AND arrival_ts <= forgotten_ts
      UNION ALL
      SELECT stream, xxHash64(concat(char(2), event_id, unit_id)), forgotten_ts
      FROM outcomes
      INNER JOIN forgotten_units USING (stream, unit_id)
      WHERE unit_id IN (SELECT unit_id FROM forgotten_units) AND arrival_ts <= forgotten_ts
    )
    GROUP BY stream, id_hash
  ),
  positions AS (
    SELECT stream, log_epoch, partition, offset,
      if(kind IN ('exposure', 'outcome') AND arrival_ts <= id_forgotten_ts, 'forgotten', kind) AS kind, arrival_ts, id_hash, payload_hash
    FROM (
      SELECT stream, log_epoch, partition, offset, kind, arrival_ts, id_hash, payload_hash
      FROM arrivals FINAL
      WHERE ({stream:String} = '' OR stream = {stream:String})
    ) AS arrived
    LEFT JOIN forgotten_ids USING (stream, id_hash)
  ),
  -- Most ids arrive once; only the others are compared. A forgotten copy still wins over later ones.
  repeated AS (
    SELECT stream, id_hash
    FROM positions
    WHERE kind IN ('exposure', 'outcome', 'forgotten') AND id_hash != 0
    GROUP BY stream, id_hash
    HAVING count() > 1
  ),
  copies AS (
    SELECT stream, log_epoch, partition, offset, kind, payload_hash,
      row_number() OVER copies_of_one AS place, first_value(payload_hash) OVER copies_of_one AS accepted_payload
    FROM positions
    WHERE kind IN ('exposure', 'outcome', 'forgotten') AND (stream, id_hash) IN (SELECT stream, id_hash FROM repeated)
    WINDOW copies_of_one AS (PARTITION BY stream, id_hash ORDER BY arrival_ts, log_epoch, partition, offset ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
  ),
  attributions AS (
    SELECT stream, log_epoch, partition, offset, min(is_crossover) AS is_crossover
    FROM outcome_attributions(stream = {stream:String}, cut_ms = 9000000000000000)
    GROUP BY stream, log_epoch, partition, offset
  ),
  counts AS (
    SELECT stream, log_epoch, partition, min(offset) AS first_offset, count() AS arrived,
      countIf(kind = 'tick') AS ticks, countIf(kind = 'dead_letter') AS dead_lettered, countIf(kind = 'forgotten') AS forgotten,
      countIf(kind IN ('exposure', 'outcome')) AS fact_rows,
      0 AS duplicate, 0 AS conflict, 0 AS facts, 0 AS attributed, 0 AS crossover, 0 AS outcome_facts, 0 AS unread
    FROM positions
    INNER JOIN ends USING (stream, log_epoch, partition)
    WHERE offset < end_offset
    GROUP BY stream, log_epoch, partition
    UNION ALL
    SELECT stream, log_epoch, partition, NULL, 0, 0, 0, 0, 0, count(), countIf(payload_hash != accepted_payload), 0, 0, 0, 0, 0
    FROM copies
    INNER JOIN ends USING (stream, log_epoch, partition)
    WHERE offset < end_offset AND place > 1 AND kind != 'forgotten'
    GROUP BY stream, log_epoch, partition
    UNION ALL
    SELECT stream, log_epoch, partition, NULL, 0, 0, 0, 0, 0, 0, 0, count(), 0, 0, 0, 0
    FROM exposures FINAL
    LEFT JOIN forgotten_units USING (stream, unit_id)
    INNER JOIN ends USING (stream, log_epoch, partition)
    WHERE ({stream:String} = '' OR stream = {stream:String}) AND offset < end_offset AND arrival_ts > forgotten_ts
    GROUP BY stream, log_epoch, partition
    UNION ALL
    SELECT stream, log_epoch, partition, NULL, 0, 0, 0, 0, 0, 0, 0, count(), 0, 0, count(), 0
    FROM outcomes FINAL
    LEFT JOIN forgotten_units USING (stream, unit_id)
    INNER JOIN ends USING (stream, log_epoch, partition)
    WHERE ({stream:String} = '' OR stream = {stream:String}) AND offset < end_offset AND arrival_ts > forgotten_ts
    GROUP BY stream, log_epoch, partition
    UNION ALL
    SELECT stream, log_epoch, partition, NULL, 0, 0, 0, 0, 0, 0, 0, 0, countIf(is_crossover = 0), countIf(is_crossover = 1), 0, 0
    FROM attributions
    INNER JOIN ends USING (stream, log_epoch, partition)
    WHERE offset < end_offset
    GROUP BY stream, log_epoch, partition
    UNION ALL
    -- Offsets of a range that could not be read and have no arrivals row of their own.
    SELECT stream, log_epoch, partition, NULL, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, sum(range_end - range_offset) - sum(inside)
    FROM (
      SELECT stream, log_epoch, partition, letters.offset AS range_offset, least(last_offset, end_offset - 1) AS range_end,
        countIf(positions.offset > letters.offset AND positions.offset <= least(last_offset, end_offset - 1)) AS inside
      FROM (SELECT * FROM dead_letters FINAL WHERE last_offset > offset AND ({stream:String} = '' OR stream = {stream:String})) AS letters
      INNER JOIN ends USING (stream, log_epoch, partition)
      INNER JOIN positions USING (stream, log_epoch, partition)
      WHERE letters.offset < end_offset
      GROUP BY stream, log_epoch, partition, letters.offset, last_offset, end_offset
    ) AS ranges
    GROUP BY stream, log_epoch, partition
  )
SELECT stream, log_epoch, partition, min(counts.first_offset) AS first_offset, any(ends.end_offset) AS end_offset,
  toUInt64(sum(arrived) - sum(counts.ticks) + sum(unread)) AS appended,
  toUInt64(sum(fact_rows) - sum(counts.duplicate)) AS accepted,
  toUInt64(sum(counts.duplicate)) AS duplicate,
  toUInt64(sum(counts.conflict)) AS conflict,
  toUInt64(sum(counts.dead_lettered) + sum(unread)) AS dead_lettered,
  toUInt64(sum(counts.forgotten)) AS forgotten,
  toUInt64(sum(counts.ticks)) AS ticks,
  toInt64(end_offset) - toInt64(first_offset) - toInt64(sum(arrived) + sum(unread)) AS gaps,
  toUInt64(sum(counts.facts)) AS facts,
  toUInt64(sum(attributed)) AS outcomes_attributed,
  toUInt64(sum(crossover)) AS outcomes_crossover,
  toUInt64(sum(outcome_facts) - sum(attributed) - sum(crossover)) AS outcomes_unattributed
FROM counts
INNER JOIN ends USING (stream, log_epoch, partition)
GROUP BY stream, log_epoch, partition
HAVING first_offset IS NOT NULL;
