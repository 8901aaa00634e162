-- The codes ($2, $3) of the mails $1 are good from now on, for $6 seconds, or $7 for a new password (D4, R31); the tags $4 find them.
-- Where not $5, it is a repetition after doubt, which keeps its deadline. One row tells when to look at all that start together.
WITH clock AS MATERIALIZED (
    SELECT bascule_now() AS now
), started AS (
    UPDATE code c
    SET tag = i.tag, started_at = coalesce(c.started_at, clock.now),
        expires_at = coalesce(c.expires_at, clock.now + make_interval(secs => CASE c.purpose WHEN 'reset' THEN $7::float8 ELSE $6::float8 END))
    FROM unnest($1::bigint[], $2::bigint[], $3::int[], $4::bigint[], $5::boolean[]) AS i (id, request_id, generation, tag, is_first), clock
    WHERE c.request_id = i.request_id AND c.generation = i.generation
    RETURNING i.id, c.request_id, c.expires_at, i.is_first
), until AS (
    INSERT INTO deadline (at, requests)
    SELECT expires_at, array_agg(request_id) FROM started WHERE is_first GROUP BY expires_at
)
SELECT id, expires_at FROM started
