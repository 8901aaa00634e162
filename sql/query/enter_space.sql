-- Opens a session of $4 seconds on space $1 of request $5, with token hash $3, if the password's hash is still $2 and the
-- identifier $6. If somebody is changing one of them, this statement waits for the lock and compares with the new one. A
-- later change waits for this session, and ends it.
WITH clock AS MATERIALIZED (SELECT bascule_now() AS now), known AS MATERIALIZED (
    SELECT id FROM space WHERE id = $1 AND access = 'password' AND password_hash = $2 AND email = $6
    FOR SHARE
), opened AS (
    INSERT INTO session (token_hash, space_id, scope, expires_at)
    SELECT $3, id, 'space', clock.now + make_interval(secs => $4) FROM known, clock
    RETURNING space_id
)
INSERT INTO audit (at, space_id, request_id, event, actor, why)
SELECT clock.now, space_id, $5, 'signed in', 'subscriber', 'address and password' FROM opened, clock
