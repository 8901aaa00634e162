-- Whoever types the code of request $1, generation $2, has received its mail. Who holds the request is not waited for.
WITH held AS MATERIALIZED (
    SELECT r.id FROM request r
    WHERE r.id = $1 AND r.generation = $2 AND r.mailed_at IS NULL AND r.started_at IS NOT NULL AND request_is_open(r)
    FOR UPDATE NOWAIT
), typed AS (
    UPDATE request r SET mailed_at = (SELECT bascule_now()), in_doubt = false
    FROM held WHERE r.id = held.id
    RETURNING r.id, r.space_id, r.mailed_at
)
INSERT INTO audit (at, space_id, request_id, event, actor, why)
SELECT mailed_at, space_id, id, 'mailed', 'subscriber', 'code typed' FROM typed
