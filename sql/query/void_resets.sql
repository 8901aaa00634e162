-- The codes for a new password made with key $1 are dead, mailed or not; $2 says by whom.
WITH clock AS MATERIALIZED (
    SELECT bascule_now() AS now
), void AS (
    UPDATE reset z SET used_at = clock.now
    FROM clock
    WHERE z.key_id = $1 AND z.used_at IS NULL AND (z.expires_at IS NULL OR z.expires_at > clock.now)
    RETURNING z.request_id, z.generation
), unsent AS (
    DELETE FROM obligation o USING void v
    WHERE o.kind = 'reset' AND o.request_id = v.request_id AND o.generation = v.generation
)
INSERT INTO audit (at, space_id, request_id, event, actor, why)
SELECT clock.now, r.space_id, r.id, 'password code void', $2, 'key ' || $1::text FROM void v JOIN request r ON r.id = v.request_id, clock
