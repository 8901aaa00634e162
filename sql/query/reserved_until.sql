-- Until when address key $1 is reserved by an open request (R22); null while its mail has not started.
SELECT r.expires_at FROM request r
WHERE r.chosen_key = $1 AND (r.bounce IS NULL OR r.bounce = 'late') AND request_is_open(r)
LIMIT 1
