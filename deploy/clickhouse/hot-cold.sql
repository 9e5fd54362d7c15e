-- Facts move to the volume `cold` of the policy in storage.xml after 90 days. Nothing is deleted, no answer changes.
ALTER TABLE outcomes MODIFY SETTING storage_policy = 'hot_cold';
ALTER TABLE outcomes MODIFY TTL toDateTime(arrival_ts) + INTERVAL 90 DAY TO VOLUME 'cold';
ALTER TABLE exposures MODIFY SETTING storage_policy = 'hot_cold';
ALTER TABLE exposures MODIFY TTL toDateTime(arrival_ts) + INTERVAL 90 DAY TO VOLUME 'cold';
ALTER TABLE arrivals MODIFY SETTING storage_policy = 'hot_cold';
ALTER TABLE arrivals MODIFY TTL toDateTime(arrival_ts) + INTERVAL 90 DAY TO VOLUME 'cold';
