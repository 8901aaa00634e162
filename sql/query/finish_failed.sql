-- The mails $2 of token $1 certainly did not go out: each is due again after $3 seconds, with $4 attempts more, for reason $5.
-- The deadline is taken back, unless an earlier copy may have arrived (D4). Tells how many are left because somebody holds their requests.
WITH clock AS MATERIALIZED (
    SELECT bascule_now() AS now
), failed AS MATERIALIZED (
    SELECT o.id, o.kind, o.copy, o.request_id, o.generation, o.interruptions, i.delay, i.attempts, i.reason
    FROM unnest($2::bigint[], $3::float8[], $4::int[], $5::text[]) AS i (id, delay, attempts, reason)
    JOIN obligation o ON o.id = i.id
    JOIN request r ON r.id = o.request_id
    WHERE o.claim = $1
    ORDER BY r.id -- all who lock several requests do so in this order
    FOR UPDATE OF o, r SKIP LOCKED
), taken_back AS (
    UPDATE request r
    SET started_at = CASE WHEN f.interruptions > 0 THEN r.started_at END,
        expires_at = CASE WHEN f.interruptions > 0 THEN r.expires_at END,
        refusal = CASE WHEN f.attempts > 0 THEN f.reason ELSE r.refusal END
    FROM failed f
    WHERE f.kind = 'code' AND f.copy = 0 AND r.id = f.request_id AND f.generation = request_current(r)
      AND request_is_open(r) AND r.mailed_at IS NULL
    RETURNING r.id, f.generation, r.started_at IS NULL AS erased
), reset_back AS (
    UPDATE reset z SET started_at = NULL, expires_at = NULL, tag = NULL
    FROM failed f
    WHERE f.kind = 'reset' AND f.interruptions = 0 AND z.request_id = f.request_id AND z.generation = f.generation AND z.used_at IS NULL
), erased AS (
    DELETE FROM code c USING taken_back t WHERE t.erased AND c.request_id = t.id AND c.generation = t.generation
), due AS (
    UPDATE obligation o
    SET due_at = clock.now + make_interval(secs => f.delay), attempts = o.attempts + f.attempts,
        claim = NULL, claimed_until = NULL, started_at = NULL,
        message_date = CASE WHEN o.interruptions > 0 THEN o.message_date END
    FROM failed f, clock WHERE o.id = f.id
)
SELECT count(*) FROM obligation o WHERE o.id = ANY ($2) AND o.claim = $1 AND o.id NOT IN (SELECT id FROM failed)
