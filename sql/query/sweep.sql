-- Expires the requests of up to $1 deadlines that have passed (R21, C3). A request that somebody holds is left for the next
-- sweep. remind.sql looks at the rows whose next look is at half time.
WITH clock AS MATERIALIZED (SELECT bascule_now() AS now), due AS MATERIALIZED (
    DELETE FROM deadline d
    WHERE d.id = ANY (ARRAY(
        SELECT id FROM deadline WHERE at <= (SELECT now FROM clock) AND coalesce(until <= (SELECT now FROM clock), true) ORDER BY at, id LIMIT $1 FOR UPDATE SKIP LOCKED))
    RETURNING d.requests
), passed AS MATERIALIZED (
    SELECT unnest(requests) AS id FROM due
), expired AS MATERIALIZED (
    SELECT expire_requests((SELECT array_agg(id) FROM passed), (SELECT now FROM clock), 'worker') AS id
), again AS (
    INSERT INTO deadline (at, requests)
    SELECT clock.now + interval '2 seconds', array_agg(r.id)
    FROM clock, (SELECT id FROM passed EXCEPT SELECT id FROM expired) AS left_over
    JOIN request r USING (id) JOIN code c ON c.request_id = r.id AND c.generation = r.generation
    WHERE request_is_open(r) AND c.expires_at <= (SELECT now FROM clock)
    GROUP BY clock.now
)
SELECT (SELECT count(*) FROM due) AS found, (SELECT count(*) FROM expired) AS done
