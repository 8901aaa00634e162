-- Expires up to $1 requests whose deadline has passed (R21, C3). A request that somebody holds is left for the next sweep.
WITH clock AS MATERIALIZED (
    SELECT bascule_now() AS now
), due AS MATERIALIZED (
    SELECT o.id, o.request_id, o.generation FROM obligation o
    WHERE o.lane = 'expiry' AND o.due_at <= (SELECT now FROM clock)
    ORDER BY o.due_at, o.id
    LIMIT $1
    FOR UPDATE SKIP LOCKED
), overdue AS MATERIALIZED (
    SELECT d.id, d.request_id FROM due d JOIN request r ON r.id = d.request_id
    WHERE request_is_open(r) AND d.generation = request_current(r) AND r.expires_at <= (SELECT now FROM clock)
), held AS MATERIALIZED (
    SELECT r.id FROM request r JOIN overdue v ON v.request_id = r.id
    ORDER BY r.id
    FOR UPDATE OF r SKIP LOCKED
), swept AS (
    DELETE FROM obligation o USING due d
    WHERE o.id = d.id
      AND (d.id NOT IN (SELECT id FROM overdue) OR d.request_id IN (SELECT id FROM held))
    RETURNING o.id
)
SELECT (SELECT count(*) FROM swept) AS swept,
       expire_requests((SELECT coalesce(array_agg(id), '{}') FROM held), (SELECT now FROM clock), 'worker') AS expired
