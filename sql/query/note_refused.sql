-- Enters a wrong secret for the password space whose identifier has key $4 into the audit log: event $5, for reason $6.
-- Bucket $1 leaks one each $2 seconds and holds $3. A refusal that the full bucket has no room for leaves no entry.
WITH clock AS MATERIALIZED (SELECT bascule_now() AS now), counted AS (
    INSERT INTO throttle AS t (bucket, empty_at)
    SELECT $1::bytea, clock.now + make_interval(secs => $2::float8) FROM clock
    ON CONFLICT (bucket) DO UPDATE
    SET empty_at = excluded.empty_at + greatest(interval '0', t.empty_at - (SELECT now FROM clock))
    WHERE t.empty_at <= (SELECT now FROM clock) + make_interval(secs => $2::float8 * ($3::int - 1))
    RETURNING t.empty_at > (SELECT now FROM clock) + make_interval(secs => $2::float8 * ($3::int - 1)) AS filled
)
INSERT INTO audit (at, space_id, request_id, event, actor, why)
SELECT clock.now, s.id, r.id, $5, 'visitor', $6::text || CASE WHEN filled THEN '; more of them are not noted' ELSE '' END
FROM counted, clock, space s JOIN request r ON r.space_id = s.id AND r.activated_at IS NOT NULL
WHERE s.email_key = $4 AND s.access = 'password'
