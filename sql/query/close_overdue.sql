-- Expires the overdue ones of the requests $1, or all overdue requests if it is null. $2 is the actor.
WITH clock AS MATERIALIZED (SELECT bascule_now() AS now)
SELECT expire_requests((
    SELECT array_agg(id) FROM (
        SELECT r.id FROM request r JOIN code c ON c.request_id = r.id AND c.generation = r.generation
        WHERE request_is_open(r) AND c.expires_at <= (SELECT now FROM clock) AND ($1::bigint[] IS NULL OR r.id = ANY ($1))
        ORDER BY r.id -- every statement that locks several requests uses this order
        FOR UPDATE OF r) AS held),
    (SELECT now FROM clock), $2)
