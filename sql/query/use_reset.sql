-- Uses reset $1, $2 up, once: the space gets the password with hash $3, all its sessions end, and the owner is told by mail
-- (R31). The space is locked by a statement before, so that this one sees every session that was opened with the old password.
WITH used AS (
    UPDATE reset z SET used_at = clock.now
    FROM (SELECT bascule_now() AS now) AS clock
    WHERE z.request_id = $1 AND z.generation = $2 AND z.used_at IS NULL AND z.expires_at > clock.now
      AND NOT EXISTS (SELECT FROM reset n WHERE n.request_id = z.request_id AND n.generation > z.generation)
    RETURNING z.request_id, z.used_at
), changed AS (
    UPDATE space s SET password_hash = $3
    FROM used u JOIN request r ON r.id = u.request_id
    WHERE s.id = r.space_id AND s.access = 'password'
    RETURNING s.id, u.request_id, u.used_at
), ended AS (
    DELETE FROM session o USING changed c WHERE o.space_id = c.id
), told AS (
    INSERT INTO obligation (lane, kind, request_id, generation, due_at, happened_at)
    SELECT 'interactive', 'password-notice', request_id, 0, used_at, used_at FROM changed
)
INSERT INTO audit (at, space_id, request_id, event, actor, why)
SELECT used_at, id, request_id, 'password changed', 'subscriber', 'mailed code' FROM changed
