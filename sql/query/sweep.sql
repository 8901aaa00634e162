-- Looks at up to $1 deadlines that have passed, and expires their requests (R21, C3). A request that somebody holds is left for the
-- next sweep.
WITH clock AS MATERIALIZED (
    SELECT bascule_now() AS now
), due AS MATERIALIZED (
    DELETE FROM deadline d
    WHERE d.id = ANY (ARRAY(
        SELECT id FROM deadline WHERE at <= (SELECT now FROM clock) ORDER BY at, id LIMIT $1 FOR UPDATE SKIP LOCKED))
    RETURNING d.requests
), overdue AS MATERIALIZED (
    SELECT r.id
    FROM (SELECT DISTINCT unnest(requests) AS id FROM due) AS passed
    JOIN request r USING (id) JOIN code c ON c.request_id = r.id AND c.generation = r.generation
    WHERE request_is_open(r) AND c.expires_at <= (SELECT now FROM clock)
), held AS MATERIALIZED (
    SELECT r.id FROM request r JOIN overdue USING (id)
    ORDER BY r.id
    FOR UPDATE OF r SKIP LOCKED
), again AS (
    INSERT INTO deadline (at, requests)
    SELECT clock.now + interval '2 seconds', array_agg(id) FROM clock, overdue WHERE id NOT IN (SELECT id FROM held) GROUP BY clock.now
)
SELECT (SELECT count(*) FROM due) AS swept,
       expire_requests((SELECT coalesce(array_agg(id), '{}') FROM held), (SELECT now FROM clock), 'worker') AS expired
