-- Expires the locked requests that are overdue at $2: an index cannot read the clock. $1 is the actor.
SELECT expire_requests((SELECT array_agg(held_id) FROM contested WHERE held_id IS NOT NULL), $2, $1)
