-- Expires the locked requests of staged rows that are overdue at $2: an index cannot read the clock. $1 is the actor.
SELECT expire_requests(coalesce((SELECT array_agg(held_id) FROM staged WHERE verdict IS NULL), '{}'), $2, $1)
