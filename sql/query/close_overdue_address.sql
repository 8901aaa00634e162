-- Expires the overdue request that still reserves the address with key $1 at $2: an index cannot read the clock. Fails at
-- once if somebody holds the request.
SELECT expire_requests((
    SELECT array_agg(id) FROM (
        SELECT r.id FROM code c JOIN request r ON r.id = c.request_id AND r.generation = c.generation
        WHERE c.email_key = $1 AND c.purpose = 'activate' AND c.void_at IS NULL AND (c.bounce IS NULL OR c.bounce = 'late')
          AND c.expires_at <= $2 AND request_is_open(r)
        FOR UPDATE OF r NOWAIT) AS held), $2, 'subscriber')
