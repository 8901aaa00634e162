-- Marks the mail with the code of request $1, generation $2, as mailed: somebody typed the code. Fails at once if somebody
-- holds the code.
WITH held AS MATERIALIZED (
    SELECT c.request_id, c.generation, r.space_id FROM code c JOIN request r ON r.id = c.request_id
    WHERE c.request_id = $1 AND c.generation = $2 AND c.mailed_at IS NULL AND c.started_at IS NOT NULL AND c.void_at IS NULL AND request_is_open(r)
    FOR UPDATE OF c NOWAIT
), typed AS (
    UPDATE code c SET mailed_at = (SELECT bascule_now()), typed_at = (SELECT bascule_now()), in_doubt = false
    FROM held h WHERE c.request_id = h.request_id AND c.generation = h.generation
    RETURNING c.request_id, h.space_id, c.mailed_at
)
INSERT INTO audit (at, space_id, request_id, event, actor, why)
SELECT mailed_at, space_id, request_id, 'mailed', 'subscriber', 'code typed' FROM typed
