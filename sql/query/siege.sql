-- Reads the siege of space $1, if there was one within a day.
SELECT began_at, last_at, told_at FROM siege WHERE space_id = $1 AND last_at > (SELECT bascule_now()) - interval '1 day'
