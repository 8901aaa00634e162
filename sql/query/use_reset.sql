-- Uses the code of request $1, generation $2, up: the space gets the password with hash $3 (R31). All its sessions end, and
-- a mail tells the owner. A statement before locks the space, so that this one sees every session opened with the old
-- password.
WITH used AS (
    UPDATE code c SET void_at = clock.now
    FROM (SELECT bascule_now() AS now) AS clock
    WHERE c.request_id = $1 AND c.generation = $2 AND c.purpose = 'reset' AND c.void_at IS NULL AND c.expires_at > clock.now
    RETURNING c.request_id, c.generation, c.void_at AS at
), changed AS (
    UPDATE space s SET password_hash = $3
    FROM used u JOIN request r ON r.id = u.request_id
    WHERE s.id = r.space_id AND s.access = 'password'
    RETURNING s.id, u.request_id, u.generation, u.at
), ended AS (
    DELETE FROM session o USING changed c WHERE o.space_id = c.id
), told AS (
    INSERT INTO obligation (lane, kind, space_id, request_id, generation, due_at, happened_at)
    SELECT 'interactive', 'password-notice', id, request_id, generation, at, at FROM changed
)
INSERT INTO audit (at, space_id, request_id, event, actor, why)
SELECT at, id, request_id, 'password changed', 'subscriber', 'mailed code' FROM changed
