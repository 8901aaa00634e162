-- Expires overdue requests that still reserve the address with key $1: an index cannot read the clock.
SELECT expire_requests(coalesce(array_agg(r.id), '{}'), $2, 'subscriber')
FROM request r WHERE r.chosen_key = $1 AND r.expires_at <= $2 AND request_is_open(r)
