-- Replaces the password of space $1, if its hash is still $2, by the one with hash $3, for request $4. All sessions end but
-- the one with token hash $5. A mail tells the owner. A statement before locks the space, so that this one sees every
-- session opened with the old password.
WITH clock AS MATERIALIZED (SELECT bascule_now() AS now), changed AS (
    UPDATE space s SET password_hash = $3
    WHERE s.id = $1 AND s.access = 'password' AND s.password_hash = $2
    RETURNING s.id
), ended AS (
    DELETE FROM session o USING changed c WHERE o.space_id = c.id AND o.token_hash <> $5
), told AS (
    INSERT INTO obligation (lane, kind, space_id, request_id, generation, due_at, happened_at)
    SELECT 'interactive', 'password-notice', c.id, r.id, r.generation, clock.now, clock.now
    FROM changed c JOIN request r ON r.id = $4, clock
)
INSERT INTO audit (at, space_id, request_id, event, actor, why)
SELECT clock.now, id, $4, 'password changed', 'subscriber', 'in the space' FROM changed, clock
