-- Expires the locked requests that are overdue: an index cannot read the clock. $1 is the actor.
SELECT expire_requests((SELECT array_agg(held_id) FROM contested WHERE held_id IS NOT NULL), (SELECT bascule_now()), $1)
