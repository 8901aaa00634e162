-- Expires the overdue request that still reserves the address with key $1: an index cannot read the clock. Who holds it is not
-- waited for.
SELECT expire_requests(coalesce((
    SELECT array_agg(id) FROM (
        SELECT r.id FROM request r
        WHERE r.chosen_key = $1 AND r.expires_at <= $2 AND (r.bounce IS NULL OR r.bounce = 'late') AND request_is_open(r)
        FOR UPDATE NOWAIT) AS held), '{}'), $2, 'subscriber')
