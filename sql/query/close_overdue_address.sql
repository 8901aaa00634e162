-- Expires the overdue request that still reserves the address with key $1: an index cannot read the clock.
SELECT expire_requests(coalesce(array_agg(r.id), '{}'), $2, 'subscriber')
FROM request r WHERE r.chosen_key = $1 AND r.expires_at <= $2 AND (r.bounce IS NULL OR r.bounce = 'late') AND request_is_open(r)
