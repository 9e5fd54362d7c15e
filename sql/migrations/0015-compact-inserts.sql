-- What one flush inserts stays one file: a file for each of forty streams of columns cost more than the rows in them.
-- Merged parts grow beyond it and are wide as before.
ALTER TABLE outcomes MODIFY SETTING min_bytes_for_wide_part = 67108864;
ALTER TABLE exposures MODIFY SETTING min_bytes_for_wide_part = 67108864;
