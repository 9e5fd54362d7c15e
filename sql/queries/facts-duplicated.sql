-- Identities that still appear more than once after deduplication; events at or after from_ms.
SELECT
  (
    SELECT count()
    FROM (
      SELECT unit_id, event_id
      FROM exposures FINAL
      WHERE stream = {stream:String} AND event_ts >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
      GROUP BY unit_id, event_id
      HAVING count() > 1
    )
  ) + (
    SELECT count()
    FROM (
      SELECT unit_id, event_id
      FROM outcomes FINAL
      WHERE stream = {stream:String} AND event_ts >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
      GROUP BY unit_id, event_id
      HAVING count() > 1
    )
  ) AS keys
