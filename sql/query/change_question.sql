-- Replaces the trust question of space $1 of request $5, if its password hash is still $2, by $3 with the answer's hash $4.
-- Codes to reset are dead: the old answer opened them.
WITH clock AS MATERIALIZED (SELECT bascule_now() AS now), changed AS (
    UPDATE space s SET question = $3, answer_hash = $4
    WHERE s.id = $1 AND s.access = 'password' AND s.password_hash = $2
    RETURNING s.id
), dead AS (
    UPDATE code c SET void_at = clock.now FROM changed, clock WHERE c.request_id = $5 AND c.purpose = 'reset' AND c.void_at IS NULL
)
INSERT INTO audit (at, space_id, request_id, event, actor, why)
SELECT clock.now, id, $5, 'trust question changed', 'subscriber', 'in the space' FROM changed, clock
